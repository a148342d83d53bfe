"""Looking up again what waits: operators with new addresses, recipients that moved, and never two deliveries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lxml import etree
from sqlalchemy import Engine, text

from mm_soap.clock import system_clock
from mm_soap.dispatcher import Addressing, DeliveryPolicy, State, standing_of, store
from mm_soap.dispatcher.documents import sealed_parts
from mm_soap.dispatcher.model import Outcome, Sealed
from mm_soap.dispatcher.outcomes import write_down
from mm_soap.dispatcher.readdressing import Readdressing
from mm_soap.dispatcher.waiting import Pause, put_back, set_aside, take_over, with_old_addresses, write_pauses
from mm_soap.errors import RemoteFault, TransportError
from mm_soap.register_client import Reached
from mm_soap.storage import events_of, reading, writing
from tests.unit.dispatcher.fakes import (
    DISPATCHER,
    NOON,
    OPERATOR,
    OTHER,
    RECIPIENT,
    FakeOperators,
    FakeRegister,
    delivered,
    noon,
    reached,
    sealed,
    state_of,
)
from tests.unit.dispatcher.test_engine import running, until

MINUTE = timedelta(minutes=1)


def waiting(database: Engine, *, perhaps_taken: bool = False) -> Sealed:
    """Store a delivery that was tried once and whose address is old."""
    one = sealed(database)
    outcome = Outcome(
        *(one.id, one.distribution_id, one.sender, State.SEALED, "Tried.", 1, NOON), perhaps_taken=perhaps_taken
    )
    with writing(database) as connection:
        store.write_outcomes(connection, [outcome])
        set_aside(connection, [one.id])
    with reading(database) as connection:
        (found,) = store.due_for_another_look_up(connection, NOON, 9)
    assert found.perhaps_taken == perhaps_taken
    return found


def asked(database: Engine, one: Sealed, answer: Reached | Exception) -> tuple[State, str, str, list[str]]:
    """Return state, operator and address after the register was asked, and the outcomes of the events."""
    register = FakeRegister(**{f"r{RECIPIENT}": answer})
    changed, same = Readdressing(Addressing(database, register, DISPATCHER, DeliveryPolicy(), noon())).step([one])
    assert len(changed) + len(same) == 1
    write_down(database, noon(), "look-up", changed)
    with writing(database) as connection:
        put_back(connection, same, NOON)
    with reading(database) as connection:
        words = [each.outcome for each in events_of(connection, distribution_id=one.distribution_id)]
        operator, address = connection.execute(text("SELECT operator, address FROM delivery")).one()
        assert sealed_parts(connection, [one.id]) == {one.id: (b"<SignedDelivery/>", b"<Seal/>")}
    return state_of(database, one), operator, address, words


AS_BEFORE = (State.SEALED, OPERATOR, f"http://{OPERATOR}/")
NEW = "http://new/"


@pytest.mark.parametrize("perhaps_taken", [False, True])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reached(), (*AS_BEFORE, [])),
        (reached(address=NEW), (State.SEALED, OPERATOR, NEW, ["new-address"])),
        (TransportError("away"), (*AS_BEFORE, [])),
        (RemoteFault(4000, "", None), (*AS_BEFORE, [])),
        (RemoteFault(5002, "", None), (*AS_BEFORE, [])),
        (reached("191212121212"), (*AS_BEFORE, [])),  # an answer to another question
    ],
)
def test_the_same_operator(
    database: Engine, perhaps_taken: bool, answer: Reached | Exception, expected: tuple[object, ...]
) -> None:
    assert asked(database, waiting(database, perhaps_taken=perhaps_taken), answer) == expected


@pytest.mark.parametrize(
    ("answer", "certain", "perhaps"),
    [
        (reached(operator=OTHER), (State.SEALED, OTHER, f"http://{OTHER}/", ["moved"]), (*AS_BEFORE, ["stays"])),
        (reached(registered=False), (State.NOT_REGISTERED, *AS_BEFORE[1:], ["not_registered"]), (*AS_BEFORE, [])),
        (
            reached(operator=OTHER, sender_accepted=False),
            (State.PAPER, *AS_BEFORE[1:], ["paper"]),
            (*AS_BEFORE, ["stays"]),
        ),
    ],
)
def test_a_recipient_who_moved_gets_it_elsewhere_only_if_the_first_operator_did_not_get_it(
    database: Engine, answer: Reached, certain: tuple[object, ...], perhaps: tuple[object, ...]
) -> None:
    one = waiting(database)
    assert asked(database, one, answer) == certain
    with writing(database) as connection:
        connection.execute(text("DELETE FROM seal"))
        connection.execute(text("DELETE FROM document"))
        connection.execute(text("DELETE FROM delivery"))
    assert asked(database, waiting(database, perhaps_taken=True), answer) == perhaps


def test_what_is_old_and_due_and_not_under_way_is_found(database: Engine) -> None:
    old, busy, later = sealed(database), sealed(database), sealed(database, due=NOON + 90 * MINUTE)
    with reading(database) as connection:

        def found(minutes: int, age: int = 30) -> list[int]:
            now = NOON + minutes * MINUTE
            return with_old_addresses(connection, now, now - age * MINUTE, 9, {busy.id})

        assert (found(30), found(31), found(121)) == ([], [old.id], [old.id, later.id])


def test_what_is_due_when_an_engine_begins_was_perhaps_taken(database: Engine) -> None:
    """Another engine may have ended while it was under way, with nothing written down."""
    due, later = sealed(database), sealed(database, due=NOON + MINUTE)
    with writing(database) as connection:
        write_pauses(connection, {OPERATOR: Pause(OPERATOR, NOON, NOON + MINUTE, 5, "x")})
        assert take_over(connection, NOON) == 1
    with reading(database) as connection:
        found = store.due_for_delivery(connection, NOON + MINUTE, 9, [], [])
        standing = standing_of(connection, due.distribution_id)
    assert {each.id: each.perhaps_taken for each in found} == {due.id: True, later.id: False}
    assert standing is not None
    assert standing.pause is None


# With the engine: an operator or a recipient that moves while a delivery waits


class Moving(FakeRegister):
    """Answers with a first place until it is told to answer with the second."""

    def __init__(self, first: Reached, second: Reached) -> None:
        super().__init__(**{f"r{RECIPIENT}": first})
        self.second = second

    def move(self) -> None:
        self.answers[f"r{RECIPIENT}"] = self.second


def test_an_operator_that_moves_gets_the_same_bytes_at_its_new_address(database: Engine) -> None:
    register = Moving(reached(), reached(address=NEW))

    def answer(address: str, _before: int) -> etree._Element:
        if address != NEW:
            raise TransportError("cut")  # perhaps it took it
        return delivered()

    operators = FakeOperators(answer)
    with running(database, register, operators, address_age=0.2):
        one = sealed(database, due=system_clock())
        until(lambda: len(operators.calls) > 1)
        register.move()
        until(lambda: state_of(database, one) is State.DELIVERED)
    assert len({body for _, body in operators.calls}) == 1


@pytest.mark.parametrize("perhaps_received", [False, True])
def test_a_recipient_that_moves_while_it_waits(database: Engine, perhaps_received: bool) -> None:
    register = Moving(reached(), reached(operator=OTHER))

    def answer(address: str, _before: int) -> etree._Element:
        if OPERATOR in address:
            raise TransportError("no answer", perhaps_received=perhaps_received)
        return delivered()

    operators = FakeOperators(answer)
    with running(database, register, operators, address_age=0.2):
        # It becomes due after the engine has begun: what was due before would be perhaps taken.
        one = sealed(database, due=system_clock() + timedelta(seconds=0.5))
        until(lambda: len(operators.calls) > 1)
        register.move()
        until(lambda: state_of(database, one) in (State.DELIVERED, State.FAILED))
    expected = State.FAILED if perhaps_received else State.DELIVERED
    assert state_of(database, one) is expected
    assert any(OTHER in address for address, _ in operators.calls) == (not perhaps_received)
    assert len({body for _, body in operators.calls}) == 1


def test_while_the_register_is_away_it_goes_on_as_before(database: Engine) -> None:
    register = FakeRegister(**{f"r{RECIPIENT}": TransportError("away")})
    operators = FakeOperators()
    one = sealed(database, due=system_clock() - timedelta(seconds=3))
    with running(database, register, operators, address_age=1):
        until(lambda: state_of(database, one) is State.DELIVERED)
    assert register.asked


# What a case handler is told


def told(database: Engine, one: Sealed, seconds: int) -> tuple[str, object]:
    with reading(database) as connection:
        standing = standing_of(connection, one.distribution_id)
    assert standing is not None
    assert standing.waits
    return standing.told(NOON + timedelta(seconds=seconds))


def test_why_a_delivery_waits(database: Engine) -> None:
    one = sealed(database)
    assert told(database, one, 0) == ("Sealed.", NOON)
    with writing(database) as connection:
        write_pauses(connection, {OPERATOR: Pause(OPERATOR, NOON, NOON + MINUTE, 7, "HTTP 503 without SOAP")})
        write_pauses(connection, {OTHER: Pause(OTHER, NOON, NOON + 9 * MINUTE, 1, "x")})
    reason, again = told(database, one, 30)
    assert reason == (
        "The operator did not answer as it should 7 times in a row (the last time: HTTP 503 without SOAP). It is left "
        "alone for a while; then some calls go first, and the others follow when one is answered."
    )
    assert again == NOON + MINUTE
    assert "Some calls go first now" in told(database, one, 61)[0]
    with writing(database) as connection:
        write_pauses(connection, {OPERATOR: None})
    assert told(database, one, 61) == ("Sealed.", NOON)


def test_nothing_is_told_of_what_ended_or_is_not_known(database: Engine) -> None:
    one = sealed(database)
    with writing(database) as connection:
        store.write_outcomes(
            connection, [Outcome(one.id, one.distribution_id, one.sender, State.DELIVERED, "Done.", 1)]
        )
    with reading(database) as connection:
        standing = standing_of(connection, one.distribution_id)
        assert standing is not None
        assert not standing.waits
        assert standing_of(connection, "another") is None
