"""The operator behind the SOAP shell, with deliveries that are really signed and sealed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from lxml import etree
from sqlalchemy import Engine, func, select

from mm_soap.contract import ports
from mm_soap.dispatcher.wire import deliver_secure_request
from mm_soap.dsig import Trust, VerifiedSeal, seal_for, seal_policy, sender_policy, sign_delivery, verify_sealed
from mm_soap.message import Limits, Party, SecureDelivery, build_delivery, new_message
from mm_soap.pki import Identity
from mm_soap.refusals import keep_refusals
from mm_soap.service_supplier import (
    PRECHECKS,
    ForwardingService,
    MailboxService,
    NotifyingService,
    Outbox,
    service_handlers,
)
from mm_soap.service_supplier.store import metadata
from mm_soap.soap import Call, soap_application
from mm_soap.storage import migrate, reading
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.xml import SERVICE_V1

from .wsgi import Application, call, error_code

KOMMUN_A, DISPATCHER, RECIPIENT = "162021004748", "165560000001", "192705178354"
CLOCK = FrozenClock(datetime(2026, 12, 1, 12, tzinfo=UTC))
PKI = TestPki(CLOCK)
NAMES = {"s": SERVICE_V1}


class Register:
    def sender_connected(self, organisation: str) -> bool:
        return organisation == KOMMUN_A

    def may_dispatch(self, dispatcher: str, sender: str) -> bool:
        return (dispatcher, sender) == (DISPATCHER, KOMMUN_A)


@pytest.fixture
def mailboxes(engine: Engine) -> MailboxService:
    migrate(engine, "service_supplier")
    made = MailboxService(engine, Register(), Limits(), clock=CLOCK)
    made.open_mailbox(RECIPIENT)
    return made


@pytest.fixture
def operator(mailboxes: MailboxService) -> Application:
    trust = Trust(PKI.trust_store(), sender_policy(), seal_policy(), CLOCK)

    def verify(one: Call, element: etree._Element) -> VerifiedSeal:
        return verify_sealed(one.raw, element, trust)

    same = (mailboxes.database, mailboxes.directory, mailboxes.limits)
    notifying = NotifyingService(*same, Outbox(mailboxes.database, clock=CLOCK), clock=CLOCK)
    forwarding = ForwardingService(*same, clock=CLOCK)

    return soap_application(
        ports()["service"],
        service_handlers(mailboxes, notifying, forwarding, verify),
        published=b"",
        body_limit=8_000_000,
        refused=keep_refusals(mailboxes.database),
        prechecks=PRECHECKS,
    )


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
