"""The channel switch step by step, on each kind of database: where it is cut off, it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.channels import ChannelError, ChannelName, Contact, Letter, Origin, PrintFolder, Sent, Typesetter
from mm_soap.dispatcher import Backoff, Cause, ChannelPlan, ChannelSwitch, DeliveryPolicy, State, store, ways_taken
from mm_soap.dispatcher.channel_store import Step, due
from mm_soap.dispatcher.model import NewDelivery, Outcome
from mm_soap.dispatcher.outcomes import write_down
from mm_soap.dsig import sign_delivery
from mm_soap.message import NOT_SENSITIVE, Message, Metadata, Party, SecureDelivery, build_delivery, new_message
from mm_soap.storage import events_of, forget_evidence, reading, writing
from mm_soap.testing.clock import FrozenClock
from tests.unit.channels.servers import Supplier
from tests.unit.dispatcher.fakes import KOMMUN_A, KOMMUN_A_IDENTITY, KOMMUN_B, NOON, RECIPIENT

ALL = (ChannelName.EMAIL, ChannelName.SMS, ChannelName.PRINT)
KNOWN = Contact("Anna Demo", "anna@example.org", "+46701740605", ("Storgatan 1", "123 45 Småstad"))
HOUR = timedelta(hours=1)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class FakeChannel:
    """Answers with what is in ``answers``, then takes everything."""

    name: ChannelName
    answers: list[BaseException] = field(default_factory=list)
    taken: list[Letter] = field(default_factory=list)
    hindrance: str | None = None

    def obstacle(self, _letter: Letter) -> str | None:
        return self.hindrance

    def send(self, letter: Letter) -> Sent:
        if self.answers:
            raise self.answers.pop(0)
        self.taken.append(letter)
        return Sent(f"{self.name}-{letter.id}")


@dataclass
class FakeContacts:
    known: dict[str, Contact]
    error: Exception | None = None

    def find(self, recipient: str) -> Contact | None:
        if self.error:
            raise self.error
        return self.known.get(recipient)


@dataclass
class World:
    """A switch, its neighbours and a clock. ``restart`` makes a new one on the same database."""

    database: Engine
    folder: Path
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOON))
    email: FakeChannel = field(default_factory=lambda: FakeChannel(ChannelName.EMAIL))
    sms: FakeChannel = field(default_factory=lambda: FakeChannel(ChannelName.SMS))
    contacts: FakeContacts = field(default_factory=lambda: FakeContacts({RECIPIENT: KNOWN}))
    plan: ChannelPlan = field(init=False)
    switch: ChannelSwitch = field(init=False)

    def __post_init__(self) -> None:
        usual = frozenset({Cause.NOT_REGISTERED, Cause.DESELECTED, Cause.NOT_TAKEN})
        self.plan = ChannelPlan(Origin(KOMMUN_A, ""), ALL, self.contacts, usual)
        self.printer = PrintFolder(self.folder, Typesetter())
        self.restart()

    def restart(self) -> None:
        channels = {ChannelName.EMAIL: self.email, ChannelName.SMS: self.sms, ChannelName.PRINT: self.printer}
        retry = dict.fromkeys(ChannelName, DeliveryPolicy(backoff=Backoff(1, 10), give_up_after=3600))
        self.switch = ChannelSwitch(self.database, {KOMMUN_A: self.plan}, channels, retry, 24 * HOUR, self.clock)
        self.turns = self.switch.turns()
        self.switch.wake()

    def turn(self, *names: str) -> None:
        for name in names:
            self.switch.wake()  # none of them waits
            self.turns[name]()

    def all(self) -> None:
        for _ in range(4):
            self.turn("channels", "channel-email", "channel-sms", "channel-print", "acknowledgements")

    def lost(self, name: str, cause: Cause, *messages: Message, sender: str = KOMMUN_A) -> None:
        """A delivery that no mailbox took, as the engine writes it down."""
        content = SecureDelivery(Party(KOMMUN_A, "Kommun A"), RECIPIENT, messages or (new_message("A", text="b"),))
        document = sign_delivery(build_delivery(content), KOMMUN_A_IDENTITY)
        with writing(self.database) as connection:
            store.add_delivery(connection, NewDelivery(name, sender, RECIPIENT, ("m",), name, document, self.clock()))
            (one,) = [
                each for each in store.due_for_look_up(connection, self.clock(), 99) if each.distribution_id == name
            ]
        state = {Cause.NOT_REGISTERED: State.NOT_REGISTERED, Cause.DESELECTED: State.PAPER}.get(cause, State.FAILED)
        outcome = Outcome(one.id, name, sender, state, "No mailbox.", 1, cause=cause)
        write_down(self.database, self.clock, "look-up", [outcome], self.switch.divert)

    def state(self, name: str, sender: str = KOMMUN_A) -> State:
        with reading(self.database) as connection:
            found = store.state_of(connection, sender, name)
        assert found is not None
        return found[1]

    def ways(self, name: str) -> list[tuple[str, str]]:
        with reading(self.database) as connection:
            return [(each.channel.value, each.step.value) for each in ways_taken(connection, KOMMUN_A, name)]

    def events(self, name: str) -> list[tuple[str, str]]:
        with reading(self.database) as connection:
            return [(each.kind, each.outcome) for each in events_of(connection, distribution_id=name)]

    def reason(self, name: str) -> str:
        with reading(self.database) as connection:
            found = store.state_of(connection, KOMMUN_A, name)
        assert found is not None
        return found[2] or ""


@pytest.fixture
def world(database: Engine, tmp_path: Path) -> World:
    return World(database, tmp_path / "print")


def open_message() -> Message:
    return new_message("A", text="b", metadata=[NOT_SENSITIVE])


@pytest.mark.parametrize(
    ("cause", "before", "end"),
    [
        (Cause.NOT_REGISTERED, State.SWITCHING, State.NO_CHANNEL),
        (Cause.DESELECTED, State.SWITCHING, State.NOT_PRINTED),
        (Cause.NOT_TAKEN, State.SWITCHED, State.FAILED),
    ],
)
def test_where_nothing_is_possible_it_ends_with_what_the_mailbox_said(
    world: World, cause: Cause, before: State, end: State
) -> None:
    world.contacts.known.clear()
    world.lost("d", cause)
    assert world.state("d") is before
    world.all()
    assert world.state("d") is end
    assert "print: no postal address is known." in world.reason("d")
    assert world.ways("d") == [("mailbox", "failed")]


@pytest.mark.parametrize("cause", [Cause.REFUSED, Cause.GAVE_UP])
def test_other_causes_switch_only_where_the_plan_says_so(world: World, cause: Cause) -> None:
    world.lost("one", cause)
    assert world.state("one") is State.FAILED
    world.plan = replace(world.plan, causes=frozenset({cause}))
    world.restart()
    world.lost("two", cause)
    assert world.state("two") is State.SWITCHED


def test_senders_without_a_plan_are_left_alone(world: World) -> None:
    world.lost("d", Cause.DESELECTED, sender=KOMMUN_B)
    world.all()
    assert world.state("d", KOMMUN_B) is State.PAPER


@pytest.mark.parametrize(
    ("default", "marks", "sensitive"),
    [
        (True, [], True),
        (True, [NOT_SENSITIVE], False),
        (True, [Metadata(" sensitive", "False ")], False),
        (True, [Metadata("Sensitive", "no")], True),
        (True, [NOT_SENSITIVE, Metadata("Sensitive", "true")], True),
        (False, [], False),
        (False, [Metadata("Sensitive", "true")], True),
    ],
)
def test_what_counts_as_sensitive(world: World, default: bool, marks: list[Metadata], sensitive: bool) -> None:
    world.plan = replace(world.plan, sensitive=default)
    world.restart()
    world.lost("d", Cause.NOT_REGISTERED, new_message("A", text="b", metadata=marks))
    world.all()
    assert world.state("d") is (State.PRINTING if sensitive else State.SENT)
    assert len(world.email.taken) == (0 if sensitive else 1)


def test_one_sensitive_message_makes_the_delivery_sensitive(world: World) -> None:
    world.lost("d", Cause.NOT_REGISTERED, open_message(), new_message("C", text="d"))
    world.all()
    assert world.ways("d")[1:] == [("print", "handed_over")]


def test_each_channel_is_tried_once_in_the_order_of_the_plan(world: World) -> None:
    world.plan = replace(world.plan, order=(ChannelName.SMS, ChannelName.EMAIL))
    world.restart()
    world.sms.answers.append(ChannelError("the SMS gateway refused it", technical=False))
    world.email.answers.append(ChannelError("the mail server refused it", technical=False))
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.all()
    assert world.ways("d") == [("mailbox", "failed"), ("sms", "failed"), ("email", "failed")]
    assert world.state("d") is State.FAILED
    assert world.reason("d") == (
        "The recipient has no mailbox in the register. It did not go by sms. It did not go by email."
    )


def test_a_technical_error_is_tried_again_and_given_up_in_the_end(world: World) -> None:
    world.email.answers += [ChannelError("away", technical=True)] * 99
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.all()
    assert (world.state("d"), world.ways("d")[1:]) == (State.SWITCHED, [("email", "chosen")])
    tried = 99 - len(world.email.answers)
    world.turn("channel-email")
    assert 99 - len(world.email.answers) == tried  # not before its time
    world.clock.advance(HOUR)
    world.all()
    assert world.ways("d")[1:] == [("email", "failed"), ("sms", "done")]


def test_an_error_of_our_own_is_tried_again(world: World) -> None:
    world.email.answers.append(ValueError("a bug of ours"))
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.all()
    world.clock.advance(timedelta(seconds=11))
    world.all()
    assert world.ways("d")[1:] == [("email", "done")]


def test_while_nobody_can_look_up_contacts_nothing_is_decided(world: World) -> None:
    world.contacts.error = ChannelError("the file of contacts cannot be used", technical=True)
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.lost("other", Cause.NOT_REGISTERED, open_message())
    world.all()
    assert {world.state("d"), world.state("other")} == {State.SWITCHING}
    world.contacts.error = None
    world.clock.advance(timedelta(seconds=11))
    world.all()
    assert {world.state("d"), world.state("other")} == {State.SENT}


def test_cut_off_while_it_is_sent_it_goes_again_as_the_same(world: World) -> None:
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.turn("channels")
    world.email.answers.append(Killed())
    with pytest.raises(Killed):
        world.turn("channel-email")
    assert world.ways("d")[1:] == [("email", "sending")]
    world.restart()
    world.all()
    assert world.ways("d")[1:] == [("email", "done")]
    assert ("email", "again") in world.events("d")
    assert len({(letter.id, letter.begun) for letter in world.email.taken}) == 1


def test_cut_off_after_it_was_sent_it_goes_again_as_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.turn("channels")
    take = world.email.send

    def take_and_die(letter: Letter) -> Sent:
        take(letter)
        raise Killed

    monkeypatch.setattr(world.email, "send", take_and_die)
    with pytest.raises(Killed):
        world.turn("channel-email")
    monkeypatch.undo()
    world.restart()
    world.all()
    first, second = world.email.taken
    assert (first.id, first.begun, first.contact) == (second.id, second.begun, second.contact)


@pytest.fixture
def printing(world: World) -> tuple[World, Supplier]:
    world.lost("d", Cause.DESELECTED)
    world.turn("channels")
    return world, Supplier(world.folder)


def test_a_job_is_made_once_wherever_it_is_cut_off(
    printing: tuple[World, Supplier], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, supplier = printing
    for where in ("mkdir", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, where, _dies)
            with pytest.raises(Killed):
                world.turn("channel-print")
        assert supplier.jobs() == []
        world.restart()
    make = world.printer.send

    def make_and_die(letter: Letter) -> Sent:
        make(letter)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(world.printer, "send", make_and_die)
        with pytest.raises(Killed):
            world.turn("channel-print")
    (job,) = supplier.jobs()
    made = job.stat().st_ino
    supplier.acknowledge("d")  # before the dispatcher is back
    world.turn("acknowledgements")
    assert world.ways("d")[1:] == [("print", "sending")]
    world.restart()
    world.turn("channel-print")
    assert job.stat().st_ino == made
    world.all()
    assert (world.state("d"), supplier.jobs()) == (State.PRINTED, [])


def _dies(*_args: object, **_named: object) -> None:
    raise Killed


def test_an_acknowledgement_that_was_written_down_is_taken_away_after_a_crash(
    printing: tuple[World, Supplier], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, supplier = printing
    world.turn("channel-print")
    supplier.acknowledge("d")
    with monkeypatch.context() as patch:
        patch.setattr(world.printer, "settle", _dies)
        with pytest.raises(Killed):
            world.turn("acknowledgements")
    assert (world.state("d"), len(supplier.jobs())) == (State.PRINTED, 1)
    world.restart()
    world.turn("acknowledgements")
    assert supplier.jobs() == []
    assert world.events("d").count(("print", "printed")) == 1


def test_what_is_not_acknowledged_has_failed_and_is_withdrawn(printing: tuple[World, Supplier]) -> None:
    world, supplier = printing
    world.turn("channel-print")
    world.clock.advance(24 * HOUR)
    world.all()
    assert (world.state("d"), supplier.jobs()) == (State.NOT_PRINTED, [])
    supplier.acknowledge("d")
    world.all()
    assert world.state("d") is State.NOT_PRINTED
    assert world.events("d")[-1] == ("print", "late")
    assert list(world.printer.acknowledgements()) == []


def test_an_acknowledgement_of_a_stranger_is_left_there(printing: tuple[World, Supplier]) -> None:
    world, supplier = printing
    world.turn("channel-print")
    supplier.acknowledge("someone-elses")
    world.turn("acknowledgements", "acknowledgements")
    assert (supplier.folder / "acknowledgements/someone-elses.json").exists()


def test_a_sender_that_is_taken_out_of_the_settings_fails_with_a_reason(world: World) -> None:
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.switch = ChannelSwitch(
        world.database, {}, {}, dict.fromkeys(ChannelName, DeliveryPolicy()), HOUR, world.clock
    )
    world.turns = world.switch.turns()
    world.turn("channels")
    assert world.state("d") is State.NO_CHANNEL
    assert "the settings have no channels for the sender any more" in world.reason("d")


def test_documents_are_kept_while_a_channel_is_open(printing: tuple[World, Supplier]) -> None:
    world, supplier = printing
    world.turn("channel-print")

    def forgotten() -> int:
        with writing(world.database) as connection:
            forget_evidence(connection, world.clock())
            return store.forget_documents(connection, world.clock() + HOUR)

    assert forgotten() == 0
    supplier.acknowledge("d")
    world.turn("acknowledgements")
    assert forgotten() == 1
    with writing(world.database) as connection:
        assert store.forget_deliveries(connection, world.clock() + HOUR) == 1
    assert world.ways("d") == []


def test_no_event_holds_an_address(world: World) -> None:
    world.email.answers.append(ChannelError("refused", technical=False))
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.all()
    with reading(world.database) as connection:
        told = repr(events_of(connection, distribution_id="d"))
    for private in (*KNOWN.address, KNOWN.email, KNOWN.mobile, KNOWN.name, RECIPIENT):
        assert private not in told


def test_what_is_due_on_one_channel_is_found_by_its_time(world: World) -> None:
    world.lost("d", Cause.NOT_REGISTERED, open_message())
    world.turn("channels")
    with reading(world.database) as connection:
        assert [way.step for way in due(connection, ChannelName.EMAIL, world.clock(), 9)] == [Step.CHOSEN]
        assert due(connection, ChannelName.EMAIL, world.clock() - HOUR, 9) == []
