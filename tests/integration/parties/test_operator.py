"""The operator behind the SOAP shell, with deliveries that are really signed and sealed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from lxml import etree
from sqlalchemy import Engine, func, select

from mm_soap.contract import validate
from mm_soap.dispatcher.wire import deliver_secure_request, notify_request
from mm_soap.dsig import (
    seal_for,
    sealed_document,
    sign_delivery,
)
from mm_soap.message import (
    Limits,
    Notification,
    Party,
    SecureDelivery,
    build_delivery,
    build_notification,
    new_message,
)
from mm_soap.pki import Identity
from mm_soap.service_supplier import (
    MailboxService,
)
from mm_soap.service_supplier.store import metadata
from mm_soap.storage import reading
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.xml import MESSAGE_V1, SENDER, SERVICE_V1, SERVICE_V3
from tests.attacks import parties
from tests.attacks.sites import DISPATCHER, KOMMUN_A, RECIPIENT, Cast

from .wsgi import Application, call, error_code

CLOCK = FrozenClock(datetime(2026, 12, 1, 12, tzinfo=UTC))
PKI = TestPki(CLOCK)
NAMES = {"s": SERVICE_V1}


@pytest.fixture
def operator(engine: Engine) -> Application:
    return parties.operator(engine, Cast(PKI, CLOCK, "")).applications["/Service/v3"]


@pytest.fixture
def mailboxes(engine: Engine, operator: Application) -> MailboxService:
    return MailboxService(engine, parties.Register(), Limits(), clock=CLOCK)


def identity(number: str) -> Identity:
    return PKI.organisation(number, "Organisation")


def delivery(recipient: str = RECIPIENT) -> bytes:
    message = new_message("Beslut", text="Hej", attachments=[("a.pdf", "application/pdf", b"%PDF-1.4\n%%EOF")])
    content = SecureDelivery(Party(KOMMUN_A, "Kommun A"), recipient, (message,))
    return sign_delivery(build_delivery(content), identity(KOMMUN_A))


def request(signed: bytes, sealer: str = DISPATCHER) -> bytes:
    return deliver_secure_request(signed, seal_for(signed, identity(sealer), date(2026, 12, 1)))


def send(operator: Application, body: bytes) -> etree._Element:
    return call(operator, "/Service/v3", body)


def evidence(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        column = metadata.tables["evidence"].c.verdict
        return list(connection.execute(select(column).order_by(metadata.tables["evidence"].c.id)).scalars())


def test_a_sealed_delivery_reaches_the_mailbox_once(
    operator: Application, mailboxes: MailboxService, engine: Engine
) -> None:
    body = request(delivery())
    first, again = send(operator, body), send(operator, body)
    assert first.findtext(".//s:Delivered", namespaces=NAMES) == "true"
    assert etree.tostring(first) == etree.tostring(again)
    (line,) = mailboxes.list_messages(RECIPIENT)
    assert line.subject == "Beslut"
    assert mailboxes.get_message(RECIPIENT, line.message_id).attachments[0].filename == "a.pdf"
    assert evidence(engine) == ["accepted", "accepted"]


def test_no_mailbox_here_is_a_normal_answer(operator: Application) -> None:
    answer = send(operator, request(delivery("191212121212")))
    assert answer.findtext(".//s:Delivered", namespaces=NAMES) == "false"


def test_a_changed_letter_is_refused_and_kept_as_evidence(operator: Application, engine: Engine) -> None:
    fault = send(operator, request(delivery()).replace(b"Beslut", b"Beslot"))
    assert error_code(fault) == "5006"
    assert evidence(engine) == ["SIGNATURE_INVALID"]
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(metadata.tables["delivery"])).scalar() == 0


def test_a_seal_by_somebody_else_is_refused(operator: Application, engine: Engine) -> None:
    assert error_code(send(operator, request(delivery(), sealer="162021003898"))) == "5002"
    assert evidence(engine) == ["SEALER_NOT_DISPATCHER"]


def test_a_missing_seal_signature_is_told_as_such(operator: Application, engine: Engine) -> None:
    body = request(delivery())
    end = body.rindex(b"<Signature xmlns")
    unsigned = body[:end] + body[body.rindex(b"</Signature>") + len(b"</Signature>") :]
    assert error_code(send(operator, unsigned)) == "5006"
    assert evidence(engine) == ["SIGNATURE_MISSING"]


# deliverForward: the original as it was sealed, under the name that it has there

FRIEND = "189001619809"


def forwarded(sealed: bytes) -> bytes:
    """A deliverForward with a SealedDelivery, its bytes spliced in under the name on the wire."""
    inside = sealed.removeprefix(b"<SealedDelivery").removesuffix(b"</SealedDelivery>")
    return (
        f'<v:deliverForward xmlns:v="{SERVICE_V3}" xmlns:m="{MESSAGE_V1}" xmlns:p="{SENDER}">'
        "<v:forwardMessage><v:Header>"
        f"<m:Sender><p:Id>{RECIPIENT}</p:Id><p:Name>Tolvan</p:Name></m:Sender><m:Recipient>{FRIEND}</m:Recipient>"
        "</v:Header><v:Message><m:Subject>Se här</m:Subject><m:Body><m:ContentType>text/plain</m:ContentType>"
        "<m:Body>SGVq</m:Body></m:Body></v:Message><v:OrginalDelivery"
    ).encode() + b"%s</v:OrginalDelivery></v:forwardMessage></v:deliverForward>" % inside


def original() -> bytes:
    signed = delivery()
    return sealed_document(signed, seal_for(signed, identity(DISPATCHER), date(2026, 12, 1)))


def test_a_forwarded_delivery_reaches_the_mailbox_once(operator: Application, mailboxes: MailboxService) -> None:
    mailboxes.open_mailbox(FRIEND)
    body = forwarded(original())
    first, again = send(operator, body), send(operator, body)
    validate(first)
    assert first.findtext(".//s:Delivered", namespaces=NAMES) == "true"
    assert etree.tostring(first) == etree.tostring(again)
    (line,) = mailboxes.list_messages(FRIEND)
    message = mailboxes.get_message(FRIEND, line.message_id)
    assert (line.subject, line.sender, message.attachments[0].filename) == ("Beslut", KOMMUN_A, "a.pdf")
    assert message.forwarded is not None
    assert message.forwarded.name == "Tolvan"


def test_somebody_without_a_mailbox_here_gets_nothing(operator: Application) -> None:
    answer = send(operator, forwarded(original()))
    validate(answer)
    assert answer.findtext(".//s:Delivered", namespaces=NAMES) == "false"


@pytest.mark.parametrize(
    ("old", "new", "code", "reason"),
    [
        (b"<Subject>Beslut", b"<Subject>Beslot", "5006", "SIGNATURE_INVALID"),
        (b"2026-12-01", b"2026-12-02", "5006", "SIGNATURE_INVALID"),
        (RECIPIENT.encode(), FRIEND.encode(), "5001", "REQUEST_CONTRADICTS"),
    ],
)
def test_a_changed_original_is_refused(
    operator: Application, engine: Engine, mailboxes: MailboxService, old: bytes, new: bytes, code: str, reason: str
) -> None:
    mailboxes.open_mailbox(FRIEND)
    assert error_code(send(operator, forwarded(original()).replace(old, new, 1))) == code
    assert evidence(engine) == [reason]
    assert mailboxes.list_messages(FRIEND) == []


def test_an_original_without_its_seal_signature_is_told_as_such(operator: Application, engine: Engine) -> None:
    sealed = original()
    cut = sealed[: sealed.rindex(b"<Signature xmlns")] + b"</SealedDelivery>"
    assert error_code(send(operator, forwarded(cut))) == "5006"
    assert evidence(engine) == ["SIGNATURE_MISSING"]


def test_a_notification_is_answered_for_each_recipient(operator: Application, mailboxes: MailboxService) -> None:
    one = Notification(Party(KOMMUN_A, "Kommun A"), (FRIEND, RECIPIENT), new_message("Ny post", text="Hej"))
    answer = send(operator, notify_request(etree.tostring(build_notification(one), method="c14n")))
    validate(answer)
    rows = answer.findall(".//{*}Status")
    assert [(row.findtext("{*}RecipientId"), row.findtext(".//{*}DeliveredFlag")) for row in rows] == [
        (FRIEND, "false"),
        (RECIPIENT, "true"),
    ]
    assert [line.subject for line in mailboxes.list_messages(RECIPIENT)] == ["Ny post"]


def test_a_thousand_and_one_recipients_are_too_many(operator: Application) -> None:
    one = Notification(Party(KOMMUN_A, "Kommun A"), (RECIPIENT,) * 1001, new_message("Ny post", text="Hej"))
    assert error_code(send(operator, notify_request(etree.tostring(build_notification(one), method="c14n")))) == "5005"
