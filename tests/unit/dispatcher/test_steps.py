"""The steps of the scaled-out engine on PostgreSQL: claims, calls at once, and breakers that several workers share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from lxml import etree
from sqlalchemy import Engine, make_url, text

from mm_soap.clock import system_clock
from mm_soap.dispatcher import (
    Addressing,
    Claims,
    DeliveryStep,
    Handover,
    Leases,
    Policies,
    StandIn,
    State,
    Steps,
    Sweeper,
    standing_of,
    waiting,
)
from mm_soap.dispatcher.breaker import Breaker
from mm_soap.dispatcher.policy import BreakerPolicy
from mm_soap.dispatcher.turns import COUNTING, IN_TURN
from mm_soap.errors import TransportError
from mm_soap.register_client import Reached
from mm_soap.storage import events_of, migrate, open_database, reading, writing
from mm_soap.testing.databases import fresh_database
from tests.unit.dispatcher.fakes import (
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    OPERATOR,
    OTHER,
    RECIPIENT,
    FakeOperators,
    FakeRegister,
    accepted,
    delivered,
    reached,
    retrying,
    sealed,
    state_of,
)
from tests.unit.dispatcher.test_engine import until

LEASE = timedelta(seconds=60)
QUICK = retrying(0.02, 0.05, 60, calls_at_once=2)


@pytest.fixture
def database(postgresql: str, tmp_path: Path) -> Iterator[Engine]:
    with fresh_database(tmp_path, postgresql) as fresh:
        migrate(fresh, "dispatcher")
        yield fresh


class Worker:
    """A worker without a broker: it keeps the wake-ups, and can be told to follow them."""

    def __init__(
        self,
        database: Engine,
        operators: FakeOperators | None = None,
        register: FakeRegister | None = None,
        policies: Policies = QUICK,
        longest: float = 600.0,
        wake: Callable[[DeliveryStep, int], None] | None = None,
        **more: float,
    ) -> None:
        self.woken: list[tuple[DeliveryStep, int]] = []
        self.operators = operators or FakeOperators()
        addressing = Addressing(database, register or FakeRegister(), DISPATCHER, policies.default, system_clock)
        handover = Handover(self.operators, policies, system_clock)
        wake = wake or (lambda step, delivery: self.woken.append((step, delivery)))
        self.leases = Leases(database, Claims(LEASE), longest)
        self.steps = Steps(database, addressing, handover, system_clock, self.leases, wake, **more)

    def follow(self) -> None:
        """Do all that was asked for, and what that asks for."""
        while self.woken:
            self.steps.run(*self.woken.pop(0))


def end_claims(database: Engine, when: str = "-1 second") -> None:
    """Let all claims end at a time from now, as if their workers had died."""
    with writing(database) as connection:
        connection.execute(
            text("UPDATE delivery SET claimed_until = now() + CAST(:at AS interval) WHERE claimed_by IS NOT NULL"),
            {"at": when},
        )


def column(database: Engine, name: str, delivery: int) -> object:
    with reading(database) as connection:
        return connection.execute(text(f"SELECT {name} FROM delivery WHERE id = :id"), {"id": delivery}).scalar_one()


class Held:
    """An operator that holds its calls until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()
        self.lock = threading.Lock()
        self.under_way = self.most = 0

    def __call__(self, _address: str, _before: int) -> etree._Element:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.begun.release()
        assert self.let_go.wait(20)
        with self.lock:
            self.under_way -= 1
        return delivered()


def in_thread(task: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=task)
    thread.start()
    return thread


def test_from_accepted_to_delivered(database: Engine) -> None:
    rows = [accepted(database, received=system_clock()) for _ in range(40)]
    rows.append(accepted(database, sender=KOMMUN_B, received=system_clock()))
    worker = Worker(database)
    worker.steps.wake_accepted()
    worker.follow()
    while {state_of(database, each) for each in rows} != {State.DELIVERED}:
        worker.steps.wake_waiting()
        assert worker.woken
        worker.follow()
    assert len(worker.operators.calls) == 41
    assert column(database, "claimed_by", rows[0].id) is None


def test_a_task_that_comes_again_does_nothing(database: Engine) -> None:
    row = accepted(database, received=system_clock())
    worker = Worker(database)
    for _ in range(3):
        worker.steps.run(DeliveryStep.LOOK_UP, row.id)
        worker.follow()
        worker.steps.run(DeliveryStep.HAND_OVER, row.id)
    assert len(worker.operators.calls) == 1
    with reading(database) as connection:
        assert [each.kind for each in events_of(connection, distribution_id=row.distribution_id)] == [
            "look-up",
            "hand-over",
        ]


def test_one_of_two_workers_has_a_delivery(database: Engine) -> None:
    row, held = sealed(database, due=system_clock()), Held()
    first, second = Worker(database, FakeOperators(held)), Worker(database)
    call = in_thread(lambda: first.steps.run(DeliveryStep.HAND_OVER, row.id))
    assert held.begun.acquire(timeout=20)
    second.steps.run(DeliveryStep.HAND_OVER, row.id)
    assert second.operators.calls == []
    held.let_go.set()
    call.join()
    assert state_of(database, row) is State.DELIVERED


@pytest.mark.parametrize("end", ["-1 second", "1 day"], ids=["over", "of a clock that was set back"])
def test_a_claim_that_ended_is_taken_over_and_its_late_result_not_written(database: Engine, end: str) -> None:
    row, held = sealed(database, due=system_clock()), Held()
    late, second = Worker(database, FakeOperators(held)), Worker(database)
    call = in_thread(lambda: late.steps.run(DeliveryStep.HAND_OVER, row.id))
    assert held.begun.acquire(timeout=20)
    assert column(database, "perhaps_taken", row.id) is False
    end_claims(database, end)
    second.operators.answer = lambda _address, _before: delivered(trans_id="of-the-second")
    second.steps.run(DeliveryStep.HAND_OVER, row.id)
    held.let_go.set()
    call.join()
    assert late.operators.calls == second.operators.calls  # the same bytes
    assert column(database, "trans_id", row.id) == "of-the-second"
    assert column(database, "perhaps_taken", row.id) is True
    with reading(database) as connection:
        assert [each.outcome for each in events_of(connection, distribution_id=row.distribution_id)] == ["delivered"]


def left_of_claim(database: Engine, delivery: int) -> float:
    return float(str(column(database, "EXTRACT(epoch FROM claimed_until - clock_timestamp())", delivery)))


def test_a_claim_is_renewed_while_its_step_runs(database: Engine) -> None:
    row, held = sealed(database, due=system_clock()), Held()
    worker = Worker(database, FakeOperators(held))
    call = in_thread(lambda: worker.steps.run(DeliveryStep.HAND_OVER, row.id))
    assert held.begun.acquire(timeout=20)
    end_claims(database, "1 second")
    worker.leases.renew()
    assert left_of_claim(database, row.id) > 30
    held.let_go.set()
    call.join()
    assert state_of(database, row) is State.DELIVERED
    worker.leases.renew()
    assert column(database, "claimed_by", row.id) is None


def test_the_claim_of_a_step_that_is_stuck_ends(database: Engine) -> None:
    row, held = sealed(database, due=system_clock()), Held()
    worker = Worker(database, FakeOperators(held), longest=0.0)
    call = in_thread(lambda: worker.steps.run(DeliveryStep.HAND_OVER, row.id))
    assert held.begun.acquire(timeout=20)
    end_claims(database, "1 second")
    worker.leases.renew()
    assert left_of_claim(database, row.id) < 2
    held.let_go.set()
    call.join()


def test_a_renewal_waits_for_nobody(database: Engine) -> None:
    row, held = sealed(database, due=system_clock()), Held()
    worker = Worker(database, FakeOperators(held))
    call = in_thread(lambda: worker.steps.run(DeliveryStep.HAND_OVER, row.id))
    assert held.begun.acquire(timeout=20)
    with writing(database) as connection:
        connection.execute(text("SELECT id FROM delivery FOR UPDATE"))
        renewal = in_thread(worker.leases.renew)
        renewal.join(20)
        assert not renewal.is_alive()
    held.let_go.set()
    call.join()


@pytest.fixture
def restarting(postgresql: str) -> Iterator[tuple[Engine, Callable[[bool], None]]]:
    """A database of its own, and what takes it away and lets it come back."""
    name = f"test_{uuid4().hex}"
    outer = open_database(postgresql).execution_options(isolation_level="AUTOCOMMIT")

    def there(is_there: bool) -> None:
        with outer.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {is_there}"))
            if not is_there:
                end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                connection.execute(text(end), {"name": name})

    with outer.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    own = open_database(make_url(postgresql).set(database=name).render_as_string(hide_password=False))
    try:
        migrate(own, "dispatcher")
        yield own, there
    finally:
        own.dispose()
        with outer.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        outer.dispose()


def test_a_result_is_written_when_the_database_is_back(
    restarting: tuple[Engine, Callable[[bool], None]], caplog: pytest.LogCaptureFixture
) -> None:
    database, there = restarting
    row, held = sealed(database, due=system_clock()), Held()
    worker = Worker(database, FakeOperators(held))
    call = in_thread(lambda: worker.steps.run(DeliveryStep.HAND_OVER, row.id))
    assert held.begun.acquire(timeout=20)
    there(False)
    held.let_go.set()
    until(lambda: "The database is not available" in caplog.text)
    there(True)
    call.join()
    assert state_of(database, row) is State.DELIVERED
    assert len(worker.operators.calls) == 1


def test_a_recipient_who_moved_stays_where_a_dead_worker_may_have_been(database: Engine) -> None:
    rows = [sealed(database, due=system_clock() - timedelta(hours=1)) for _ in range(2)]
    with writing(database) as connection:  # a worker died with the first
        Claims(LEASE).sealed(connection, rows[0].id, system_clock())
    end_claims(database)
    register = FakeRegister(**{f"r{RECIPIENT}": reached(operator=OTHER)})
    worker = Worker(database, register=register, policies=retrying(0.02, 0.05, 86_400), address_age=60)
    for row in rows:
        worker.steps.run(DeliveryStep.HAND_OVER, row.id)
    worker.follow()
    assert sorted(address for address, _ in worker.operators.calls) == [f"http://{OPERATOR}/", f"http://{OTHER}/"]
    assert column(database, "operator", rows[0].id) == OPERATOR


def test_a_task_goes_on_with_what_waits_for_the_same_operator(database: Engine) -> None:
    rows = [sealed(database, due=system_clock()) for _ in range(5)]
    elsewhere = sealed(database, OTHER, due=system_clock())
    worker = Worker(database, in_a_row=60)
    worker.steps.run(DeliveryStep.HAND_OVER, rows[3].id)
    assert {state_of(database, each) for each in rows} == {State.DELIVERED}
    assert state_of(database, elsewhere) is State.SEALED
    assert worker.woken == []


def test_a_look_up_goes_on_with_what_waits_of_the_same_sender(database: Engine) -> None:
    rows = [accepted(database, received=system_clock()) for _ in range(70)]
    other = accepted(database, sender=KOMMUN_B, received=system_clock())
    worker = Worker(database, in_a_row=60)
    worker.steps.run(DeliveryStep.LOOK_UP, rows[0].id)
    assert {state_of(database, each) for each in rows} == {State.SEALED}
    assert state_of(database, other) is State.ACCEPTED
    assert {step for step, _ in worker.woken} == {DeliveryStep.HAND_OVER}


def test_look_ups_leave_threads_for_calls_to_operators(database: Engine) -> None:
    rows = [accepted(database, sender=each, received=system_clock()) for each in (KOMMUN_A, KOMMUN_B)]
    asked, let_go = threading.Event(), threading.Event()

    class Slow(FakeRegister):
        def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
            asked.set()
            assert let_go.wait(20)
            return super().reachable(sender, recipients)

    worker = Worker(database, register=Slow(), look_ups_at_once=1)
    look_up = in_thread(lambda: worker.steps.run(DeliveryStep.LOOK_UP, rows[0].id))
    assert asked.wait(20)
    worker.steps.run(DeliveryStep.LOOK_UP, rows[1].id)  # returns at once
    let_go.set()
    look_up.join()
    assert [state_of(database, each) for each in rows] == [State.SEALED, State.ACCEPTED]


def test_a_task_that_took_long_enough_lets_others_go_on(database: Engine) -> None:
    rows = [sealed(database, due=system_clock()) for _ in range(5)]
    worker = Worker(database, in_a_row=0)
    worker.steps.run(DeliveryStep.HAND_OVER, rows[3].id)
    assert [state_of(database, each) for each in rows].count(State.DELIVERED) == 1
    assert worker.woken == [(DeliveryStep.HAND_OVER, rows[0].id)]


def test_a_look_up_wakes_no_more_than_may_begin(database: Engine) -> None:
    rows = [accepted(database, received=system_clock()) for _ in range(20)]
    worker = Worker(database)
    worker.steps.run(DeliveryStep.LOOK_UP, rows[0].id)
    assert {state_of(database, each) for each in rows} == {State.SEALED}
    assert len(set(worker.woken)) == 2
    worker.follow()
    assert {state_of(database, each) for each in rows} == {State.DELIVERED}
    assert len(worker.operators.calls) == 20


def test_a_look_up_leaves_what_it_addressed_to_those_who_hand_over_what_waited_before(database: Engine) -> None:
    """In a rush most wake-ups would find no room; each costs as much as a part of a delivery."""
    waits = [sealed(database, due=system_clock() - timedelta(seconds=1)) for _ in range(2)]
    rows = [accepted(database, received=system_clock()) for _ in range(20)]
    worker = Worker(database)
    worker.steps.run(DeliveryStep.LOOK_UP, rows[0].id)
    assert {state_of(database, each) for each in rows} == {State.SEALED}
    assert worker.woken == []
    worker.steps.run(DeliveryStep.HAND_OVER, waits[0].id)
    assert {state_of(database, each) for each in (*waits, *rows)} == {State.DELIVERED}


def test_a_step_that_errs_does_not_wait_for_those_who_claim(database: Engine) -> None:
    """Nor does whoever claims wait for one that counts errors."""
    row, other = sealed(database, due=system_clock()), sealed(database, due=system_clock())

    def fails(_address: str, _before: int) -> etree._Element:
        raise TransportError("no answer")

    worker = Worker(database, FakeOperators(fails))
    with writing(database) as connection:
        connection.execute(IN_TURN, {"one_operator": other.operator})
        held = worker.leases.claims.sealed(connection, row.id, system_clock())
    assert held is not None
    with writing(database) as connection:
        connection.execute(IN_TURN, {"one_operator": other.operator})
        erring = in_thread(lambda: worker.steps._attempt(held.claim, held.sealed))
        erring.join(10)
        assert not erring.is_alive()
    with writing(database) as connection:
        connection.execute(COUNTING, {"one_operator": other.operator})
        claiming = in_thread(lambda: worker.steps._claim(other.id))
        claiming.join(10)
        assert not claiming.is_alive()
    assert column(database, "claimed_by", other.id) is not None


def test_a_turn_is_over_when_the_claim_is_made(database: Engine) -> None:
    """Not only when the thread that claimed has woken up and ended its transaction."""
    rows = [sealed(database, due=system_clock()) for _ in range(3)]
    claims, operator, policy = Claims(LEASE), rows[0].operator, QUICK.default
    more = replace(policy, calls_at_once=3)
    with writing(database) as first, writing(database) as second, writing(database) as third:
        made = [claims.in_turn(each, operator, policy, system_clock()) for each in (first, second, third)]
    assert [each and each.sealed.id for each in made] == [rows[0].id, rows[1].id, None]
    with writing(database) as connection:
        assert claims.in_turn(connection, operator, more, system_clock(), rows[1].id) is None
    with writing(database) as connection:
        one = claims.in_turn(connection, operator, more, system_clock(), rows[2].id)
    assert one is not None
    assert (one.sealed.received, one.sealed.received.tzinfo) == (rows[2].received, UTC)


@pytest.mark.parametrize("under_way", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "kind", ["no errors", "some errors", "paused", "half-open", "clock set back", "pause ends now"]
)
def test_room_is_what_the_breaker_says(database: Engine, kind: str, under_way: int) -> None:
    now, operator = system_clock(), OPERATOR
    policy = replace(QUICK.default, calls_at_once=3, breaker=BreakerPolicy(failures=2, first_pause=2.0, probes=2))
    failed_at = {"paused": -1.0, "half-open": -3.0, "clock set back": 60.0, "pause ends now": -2.0, "some errors": -1.0}
    breaker = Breaker(policy.breaker)
    with writing(database) as connection:
        for _ in range({"no errors": 0, "some errors": 1}.get(kind, 2)):
            moment = now + timedelta(seconds=failed_at[kind])
            breaker.failed(moment)
            waiting.count_failure(connection, operator, breaker, moment, "no answer")
    rows = [sealed(database, due=now) for _ in range(8)]
    with writing(database) as connection:
        for row in rows[:under_way]:
            assert Claims(LEASE).sealed(connection, row.id, now)
        found = Claims(LEASE).next(connection, operator, policy, now)
    room = breaker.room(now, policy.calls_at_once, under_way)
    assert list(found) == [row.id for row in rows[under_way:]][:room]
    with writing(database) as connection:
        claimed = Claims(LEASE).in_turn(connection, operator, policy, now)
    assert (claimed is not None) == (room > 0)


def test_calls_at_once_are_counted_over_all_workers(database: Engine) -> None:
    rows = [sealed(database, due=system_clock()) for _ in range(12)]
    held = Held()
    operators = FakeOperators(held)
    workers = [Worker(database, operators) for _ in range(4)]
    with ThreadPoolExecutor(12) as pool:
        tasks = [pool.submit(workers[n % 4].steps.run, DeliveryStep.HAND_OVER, row.id) for n, row in enumerate(rows)]
        for _ in range(2):
            assert held.begun.acquire(timeout=20)
        until(lambda: sum(each.done() for each in tasks) == 10)  # the others found no room
        held.let_go.set()
    assert held.most == 2
    for worker in workers:
        worker.follow()
    assert {state_of(database, each) for each in rows} == {State.DELIVERED}
    assert len(operators.calls) == 12


def test_a_breaker_is_shared_and_a_probe_closes_it(database: Engine) -> None:
    breaker = BreakerPolicy(failures=3, first_pause=0.3, longest_pause=0.3, probes=1)
    policies = retrying(600, 600, 3600, breaker=breaker, calls_at_once=4)

    def fails(_address: str, _before: int) -> etree._Element:
        raise TransportError("no answer")

    operators = FakeOperators(fails)
    workers = [Worker(database, operators, policies=policies) for _ in range(2)]
    rows = []
    for number in range(2):
        rows.append(sealed(database, due=system_clock()))
        workers[number].steps.hand_over(rows[-1].id)
    with reading(database) as connection:
        standing = standing_of(connection, rows[0].distribution_id)
    assert standing is not None
    assert standing.pause is None  # two are not enough
    rows += [sealed(database, due=system_clock()) for _ in range(3)]
    workers[0].steps.hand_over(rows[2].id)
    workers[1].steps.hand_over(rows[3].id)
    assert len(operators.calls) == 3
    with reading(database) as connection:
        standing = standing_of(connection, rows[3].distribution_id)
    assert standing is not None
    assert standing.pause is not None
    assert standing.pause.failures == 3
    operators.answer = lambda _address, _before: delivered()
    with writing(database) as connection:
        connection.execute(text("UPDATE delivery SET next_attempt = now()"))

    def all_delivered() -> bool:
        workers[1].steps.wake_waiting()
        workers[1].follow()
        return {state_of(database, each) for each in rows} == {State.DELIVERED}

    until(all_delivered)
    assert len(operators.calls) == 8


def test_what_cannot_be_made_in_time_is_given_up_though_the_operator_is_full(database: Engine) -> None:
    late = sealed(database, due=system_clock() - timedelta(minutes=2))
    with writing(database) as connection:
        for _ in range(2):
            busy = sealed(database, due=system_clock())
            Claims(LEASE).sealed(connection, busy.id, system_clock())
    worker = Worker(database)
    worker.steps.wake_waiting()
    worker.follow()
    assert worker.operators.calls == []
    assert state_of(database, late) is State.FAILED


@pytest.mark.parametrize("died", [False, True])
def test_what_waits_for_a_far_time_is_due_after_the_clock_was_set_back(database: Engine, died: bool) -> None:
    """Also if a worker whose clock was ahead had it again, and died."""
    row = sealed(database, due=system_clock() + timedelta(hours=1))
    worker = Worker(database)
    if died:
        with writing(database) as connection:
            assert worker.leases.claims.sealed(connection, row.id, system_clock() + timedelta(hours=2)) is not None
        worker.steps.mend_clock()
        assert column(database, "next_attempt", row.id) > system_clock()  # its claim has not ended
        end_claims(database)
    worker.steps.wake_waiting()
    assert worker.woken == []
    worker.steps.mend_clock()
    worker.steps.wake_waiting()
    worker.follow()
    assert state_of(database, row) is State.DELIVERED


def test_without_a_broker_a_worker_follows_wake_ups_itself(database: Engine) -> None:
    rows = [accepted(database, received=system_clock()) for _ in range(40)]
    stand_in = StandIn(lambda _step, _delivery: False, 4)
    worker = Worker(database, wake=stand_in.wake)
    stand_in.start(worker.steps.run)

    def all_delivered() -> bool:
        worker.steps.wake_accepted()
        worker.steps.wake_waiting()
        return {state_of(database, each) for each in rows} == {State.DELIVERED}

    until(all_delivered)
    stand_in.stop()
    stand_in.wake(DeliveryStep.HAND_OVER, rows[0].id)  # too late: nothing happens
    assert len(worker.operators.calls) == 40


def test_with_a_broker_a_worker_leaves_wake_ups_to_it() -> None:
    sent: list[tuple[DeliveryStep, int]] = []
    stand_in = StandIn(lambda step, delivery: sent.append((step, delivery)) is None, 4)
    followed: list[int] = []
    stand_in.start(lambda _step, delivery: followed.append(delivery))
    stand_in.wake(DeliveryStep.LOOK_UP, 7)
    stand_in.stop()
    assert sent == [(DeliveryStep.LOOK_UP, 7)]
    assert followed == []


@pytest.mark.parametrize("waiting", [0, 10_000])
def test_a_sweep_adds_to_a_short_queue_alone_and_counts_it_no_more_than_once_a_second(
    database: Engine, waiting: int
) -> None:
    worker, counted = Worker(database), []

    def count(step: DeliveryStep) -> int:
        counted.append(step)
        return waiting

    one = sealed(database, due=system_clock())
    sweeper = Sweeper(database, worker.steps, count, system_clock)
    sweeper.start()
    began = time.monotonic()
    try:
        until(lambda: len(counted) >= 6)  # three rounds
    finally:
        sweeper.stop()
    assert time.monotonic() - began > 1.9
    assert set(worker.woken) == (set() if waiting else {(DeliveryStep.HAND_OVER, one.id)})
