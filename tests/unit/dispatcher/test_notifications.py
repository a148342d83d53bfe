"""Class 1 at the dispatcher: accepted once, split by operator, handed over by the engine of all deliveries."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import Engine

from mm_soap.clock import system_clock
from mm_soap.contract import validate
from mm_soap.dispatcher import (
    Addressing,
    DeliveryPolicy,
    MessageService,
    NotificationService,
    Notified,
    Origin,
    State,
    TimeLimits,
    store,
    wire,
)
from mm_soap.dispatcher.model import Accepted, Kind, Outcome
from mm_soap.dispatcher.outcomes import write_down
from mm_soap.dispatcher.splitting import split
from mm_soap.dsig import UnsignedDocument, stand_alone
from mm_soap.errors import Refusal, Refused, RemoteFault, TransportError
from mm_soap.message import Limits, Notification, Party, build_notification, new_message, read_notification
from mm_soap.storage import Conflict, events_of, evidence_of, reading
from mm_soap.xml import NOTIFICATION_V3, SERVICE_V3, parse_untrusted
from tests.unit.dispatcher.fakes import (
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    NOON,
    OPERATOR,
    OTHER,
    RECIPIENT,
    STRANGER,
    FakeOperators,
    FakeRegister,
    noon,
    reached,
)
from tests.unit.dispatcher.test_engine import running, until
from tests.unit.service_supplier.deliveries import FakeDirectory

AT_TWO, THIRD = "189001619809", "189002619808"
NAMES = {"n": NOTIFICATION_V3}


def accepting(database: Engine, directory: FakeDirectory | None = None) -> NotificationService:
    own = DISPATCHER.organisation
    clock = system_clock
    return NotificationService(
        database, own, directory or FakeDirectory(), Limits(), timedelta(days=1), clock, lambda _key, _sender: None
    )


def notification(*recipients: str, sender: str = KOMMUN_A, subject: str = "Ny post") -> UnsignedDocument:
    one = Notification(Party(sender, "Kommun"), recipients or (RECIPIENT,), new_message(subject, text="Hej."))
    return stand_alone(build_notification(one), wire.NOTIFICATION_DELIVERY)


def origin(caller: str | None = None) -> Origin:
    return Origin(str(uuid4()), b"<raw/>", caller)


def notified(request: bytes, told: str = "true", channels: str = "", leave_out: str = "") -> etree._Element:
    """What an operator answers to a notify, for the recipients that it names."""
    named = [each for each in re.findall(rb">(\d{12})</Recipient>", request) if each.decode() != leave_out]
    rows = "".join(
        f"<n:Status><n:RecipientId>{each.decode()}</n:RecipientId><n:DeliveryStatus><n:DeliveredFlag>{told}"
        f"</n:DeliveredFlag>{channels}</n:DeliveryStatus></n:Status>"
        for each in named
    )
    return parse_untrusted(
        f'<notifyResponse xmlns="{SERVICE_V3}" xmlns:n="{NOTIFICATION_V3}"><return><n:TransId>t-1</n:TransId>{rows}'
        "</return></notifyResponse>".encode()
    )


class Notifying(FakeOperators):
    """Operators that answer notify by what they were asked."""

    def __init__(self, *errors: Exception, **answer: str) -> None:
        super().__init__()
        self.errors = list(errors)
        self.said = answer

    def call(self, address: str, body: bytes, *, expected: str, limits: TimeLimits) -> etree._Element:
        with self._lock:
            self.calls.append((address, body))
            error = self.errors.pop() if self.errors else None
        if error is not None:
            raise error
        assert expected == wire.NOTIFY_RESPONSE
        validate(parse_untrusted(body))
        return notified(body, **self.said)


def refusal(service: NotificationService, *arguments: object) -> Refusal:
    with pytest.raises(Refused) as caught:
        service.distribute(*arguments)  # type: ignore[arg-type]
    return caught.value.refusal


def status(service: NotificationService, distribution: str, sender: str = KOMMUN_A) -> list[Notified] | Refusal:
    try:
        return service.check_distribution_status(sender, distribution, None)
    except Refused as refused:
        return refused.refusal


def test_accepted_once_with_its_event_and_evidence(database: Engine) -> None:
    service, one, came = accepting(database), notification(RECIPIENT, AT_TWO), origin()
    first, again = service.distribute(one, came), service.distribute(one, origin())
    assert first == again
    assert status(service, first) is Refusal.NOT_FINISHED
    with reading(database) as connection:
        event, repeated = events_of(connection, distribution_id=first)
        (evidence,) = evidence_of(connection, came.call_id)
    assert (event.kind, event.detail["recipients"]) == ("accepted", 2)
    assert (repeated.kind, repeated.outcome) == ("accepted", "answered as the first time")
    assert (evidence.operation, evidence.content) == ("distribute", b"<raw/>")
    assert RECIPIENT not in repr(event)


def test_prefixes_and_comments_make_no_other_notification() -> None:
    one = build_notification(Notification(Party(KOMMUN_A, "K"), (RECIPIENT,), new_message("S", text="T")))
    plain = etree.tostring(one)
    dressed = re.sub(rb"<(/?)(?=[A-Za-z])", rb"<\1q:", plain)
    dressed = re.sub(rb' xmlns="', b' xmlns:q="', dressed).replace(b"<q:Message ", b"<!-- c --><q:Message ")
    forms = [stand_alone(parse_untrusted(each), wire.NOTIFICATION_DELIVERY) for each in (plain, dressed)]
    assert forms[0] == UnsignedDocument(forms[0].root, forms[1].document, forms[1].digest)


@pytest.mark.parametrize("caller", [None, KOMMUN_A, DISPATCHER.organisation])
def test_who_may_send(database: Engine, caller: str | None) -> None:
    directory = FakeDirectory()
    directory.dispatchers[DISPATCHER.organisation] = {KOMMUN_A}
    assert accepting(database, directory).distribute(notification(), origin(caller))


def test_who_may_not(database: Engine) -> None:
    directory = FakeDirectory()
    service = accepting(database, directory)
    assert refusal(service, notification(), origin(KOMMUN_B)) is Refusal.NOT_AUTHORISED
    directory.dispatchers[DISPATCHER.organisation] = {KOMMUN_B}
    assert refusal(service, notification(), origin()) is Refusal.DISPATCHER_NOT_LISTED
    directory.senders = {KOMMUN_B}
    assert refusal(service, notification(), origin()) is Refusal.SENDER_UNKNOWN
    assert refusal(service, notification(subject="x" * 256), origin()) is Refusal.TEXT_TOO_LONG


def test_the_status_is_the_senders_alone(database: Engine) -> None:
    service = accepting(database)
    distribution = service.distribute(notification(), origin())
    assert status(service, distribution, KOMMUN_B) is Refusal.NOT_FOUND
    assert status(service, "another") is Refusal.NOT_FOUND
    with pytest.raises(Refused) as caught:
        service.check_distribution_status(KOMMUN_A, distribution, KOMMUN_B)
    assert caught.value.refusal is Refusal.NOT_AUTHORISED
    fields = {name: getattr(service, name) for name in service.__dataclass_fields__}
    with pytest.raises(Refused) as caught:  # Message does not know it
        MessageService(**fields).check_distribution_status(KOMMUN_A, distribution, None)
    assert caught.value.refusal is Refusal.NOT_FOUND


def register() -> FakeRegister:
    return FakeRegister(
        **{
            f"r{AT_TWO}": reached(AT_TWO, OTHER),
            f"r{THIRD}": reached(THIRD, sender_accepted=False),
            f"r{STRANGER}": reached(STRANGER, registered=False, operator=None),
        }
    )


def final(service: NotificationService, distribution: str) -> list[Notified]:
    until(lambda: status(service, distribution) is not Refusal.NOT_FINISHED)
    found = status(service, distribution)
    assert isinstance(found, list)
    return found


def test_each_operator_gets_its_own_recipients_and_each_recipient_an_answer(database: Engine) -> None:
    operators, asked = Notifying(channels="<n:NotifiedByChannel>SMS</n:NotifiedByChannel>"), register()
    service = accepting(database)
    distribution = service.distribute(notification(RECIPIENT, STRANGER, AT_TWO, THIRD), origin())
    with running(database, asked, operators):
        found = final(service, distribution)
    assert found == [
        Notified(RECIPIENT, True, ("SMS",)),
        Notified(STRANGER, False),
        Notified(AT_TWO, True, ("SMS",)),
        Notified(THIRD, False),
    ]
    assert asked.asked == [(KOMMUN_A, [RECIPIENT, STRANGER, AT_TWO, THIRD])]
    named = {address: re.findall(rb">(\d{12})</Recipient>", body) for address, body in operators.calls}
    assert named == {f"http://{OPERATOR}/": [RECIPIENT.encode()], f"http://{OTHER}/": [AT_TWO.encode()]}


@pytest.mark.parametrize("error", [TransportError("x"), RemoteFault(4000, "", None)])
def test_a_technical_error_is_tried_again_with_the_same_bytes(database: Engine, error: Exception) -> None:
    operators, service = Notifying(error), accepting(database)
    distribution = service.distribute(notification(), origin())
    with running(database, operators=operators):
        assert final(service, distribution) == [Notified(RECIPIENT, True)]
    assert len(operators.calls) == 2
    assert operators.calls[0] == operators.calls[1]


def test_a_refusal_by_one_operator_fails_its_part_alone(database: Engine) -> None:
    class OneRefuses(Notifying):
        def call(self, address: str, body: bytes, *, expected: str, limits: TimeLimits) -> etree._Element:
            if OTHER in address:
                raise RemoteFault(5001, "", None)
            return super().call(address, body, expected=expected, limits=limits)

    service = accepting(database)
    distribution = service.distribute(notification(RECIPIENT, AT_TWO), origin())
    with running(database, register(), OneRefuses()):
        assert final(service, distribution) == [Notified(RECIPIENT, True), Notified(AT_TWO, False)]


def test_an_answer_that_leaves_somebody_out_is_no_answer(database: Engine) -> None:
    operators, service = Notifying(leave_out=RECIPIENT), accepting(database)
    distribution = service.distribute(notification(), origin())
    with running(database, operators=operators):
        until(lambda: len(operators.calls) >= 2)
        assert status(service, distribution) is Refusal.NOT_FINISHED
    with reading(database) as connection:
        reasons = [event.detail["reason"] for event in events_of(connection, distribution_id=distribution)[2:]]
    assert all("does not name every recipient" in str(reason) for reason in reasons)


def test_a_question_that_is_refused_fails_the_one_recipient_alone(database: Engine) -> None:
    asked = FakeRegister(**{f"r{STRANGER}": RemoteFault(5001, "", None)})
    service = accepting(database)
    distribution = service.distribute(notification(RECIPIENT, STRANGER, AT_TWO), origin())
    with running(database, asked, Notifying()):
        assert [one.delivered for one in final(service, distribution)] == [True, False, True]


def test_a_step_that_two_engines_made_is_written_once(database: Engine) -> None:
    service = accepting(database)
    distribution = service.distribute(notification(RECIPIENT, AT_TWO), origin())
    addressing = Addressing(database, register(), DISPATCHER, DeliveryPolicy(), noon())
    with reading(database) as connection:
        batch = store.due_for_look_up(connection, system_clock(), 9)
    outcomes = list(addressing.step(batch))
    write_down(database, noon(), "look-up", outcomes)
    with pytest.raises(Conflict):
        write_down(database, noon(), "look-up", outcomes)
    assert status(service, distribution) is Refusal.NOT_FINISHED


def test_many_small_ones_are_asked_for_together_and_never_too_many_at_once(database: Engine) -> None:
    service, asked = accepting(database), FakeRegister()
    for number in range(5):
        service.distribute(notification(RECIPIENT, AT_TWO, THIRD, subject=str(number)), origin())
    addressing = Addressing(database, asked, DISPATCHER, DeliveryPolicy(), noon(), look_up_batch=7)
    with reading(database) as connection:
        batch = store.due_for_look_up(connection, system_clock(), 9)
    assert len(list(addressing.step(batch))) == 5
    assert [len(recipients) for _, recipients in asked.asked] == [6, 6, 3]


@given(st.lists(st.sampled_from([OPERATOR, OTHER, "paper", "not", "fault"]), min_size=1, max_size=60))
def test_every_recipient_is_in_one_part_or_has_an_end(where: list[str]) -> None:
    recipients = [f"1890{number:08d}" for number in range(len(where))]
    document = stand_alone(
        build_notification(Notification(Party(KOMMUN_A, "K"), tuple(recipients), new_message("S", text="T"))),
        wire.NOTIFICATION_DELIVERY,
    ).document
    answers = [
        RemoteFault(5001, "", None)
        if place == "fault"
        else reached(one, registered=False)
        if place == "not"
        else reached(one, sender_accepted=False)
        if place == "paper"
        else reached(one, place)
        for one, place in zip(recipients, where, strict=True)
    ]
    row = Accepted(1, "d-1", KOMMUN_A, recipients[0], NOON, 0, Kind.NOTIFICATION, len(recipients))
    outcome: Outcome = split(row, answers, recipients, document, NOON)
    assert outcome.state is State.UNPACKED
    for part in outcome.parts:
        read = read_notification(parse_untrusted(part.document))
        assert read.recipients == part.recipients
        assert {where[recipients.index(one)] for one in part.recipients} == {part.operator}
    ended = [one.recipient for one in outcome.recipients]
    assert sorted([*ended, *(one for part in outcome.parts for one in part.recipients)]) == sorted(recipients)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not [each for each in threading.enumerate() if each.name in ("engine", "handover", "addresser")]
