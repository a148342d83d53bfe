"""Recipient and Authority behind the SOAP shell, over a database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from mm_soap.clock import system_clock
from mm_soap.contract import ports
from mm_soap.far import Account, Dispatcher, Operator, Register, Sender, authority_handlers
from mm_soap.far.accounts import Accounts, Signing
from mm_soap.far.callers import Callers
from mm_soap.far.rights import Rights, SignatureQuestions, cancel_consents_of
from mm_soap.far.store import metadata
from mm_soap.recipient import PRECHECKS, recipient_handlers
from mm_soap.recipient.hot import shorten
from mm_soap.refusals import keep_refusals
from mm_soap.soap import soap_application
from mm_soap.storage import migrate, reading
from mm_soap.testing.registers import FakeCompanies, FakePersons
from mm_soap.user_signatures import UserSignatureVerifier
from mm_soap.xml import AUTHORITY, RECIPIENT_V1, RECIPIENT_V3

from .wsgi import Application, call, error_code

KOMMUN_A, OPERATOR = "162021004748", "165560000019"
NAMES = {"r": RECIPIENT_V1, "v": RECIPIENT_V3}


@pytest.fixture
def register(engine: Engine) -> Register:
    migrate(engine, "far")
    made = Register(engine)
    made.add_operator(Operator(OPERATOR, "Brevlådan", "http://o/Service/v3", "http://o/Service/v3"))
    made.add_sender(Sender(KOMMUN_A, "Kommun A"))
    made.add_dispatcher(Dispatcher(KOMMUN_A, "Kommun A", (KOMMUN_A,)))
    made.add_account(Account("192705178354", OPERATOR))
    return made


@pytest.fixture
def callers(engine: Engine) -> Callers:
    return Callers(engine, unknown_allowed=True)


@pytest.fixture
def signing() -> Signing:
    verifier = UserSignatureVerifier((), system_clock)
    return Signing(verifier, FakeCompanies(), FakePersons(), system_clock, check_digits=True)


@pytest.fixture
def recipient(register: Register, engine: Engine, signing: Signing, callers: Callers) -> Application:
    return soap_application(
        ports()["recipient"],
        recipient_handlers(
            register, Accounts(engine, signing, callers, system_clock, closing=cancel_consents_of), callers
        ),
        published=b"",
        body_limit=1_000_000,
        refused=keep_refusals(engine),
        prechecks=PRECHECKS,
        shorten=shorten,
    )


@pytest.fixture
def authority(register: Register, engine: Engine, signing: Signing, callers: Callers) -> Application:
    return soap_application(
        ports()["authority"],
        authority_handlers(
            register, callers, SignatureQuestions(signing), Rights(engine, FakeCompanies(), FakePersons())
        ),
        published=b"",
        body_limit=1_000_000,
        refused=keep_refusals(engine),
    )


def ask(recipient: Application, operation: str, *ids: str, sender: str = "") -> object:
    before = f"<senderOrgNr>{sender}</senderOrgNr>" if sender else ""
    rows = "".join(f"<recipientId>{one}</recipientId>" for one in ids)
    text = f'<{operation} xmlns="{RECIPIENT_V3}">{before}{rows}</{operation}>'
    return call(recipient, "/Recipient/v3", text.encode())


def test_reachable_over_soap(recipient: Application) -> None:
    answer = ask(recipient, "isReachable", "191212121212", "192705178354", "191212121212", sender=KOMMUN_A)
    assert [row.findtext(".//r:RecipientId", namespaces=NAMES) for row in answer] == [  # type: ignore[attr-defined]
        "191212121212",
        "192705178354",
        "191212121212",
    ]
    assert [row.findtext("r:SenderAccepted", namespaces=NAMES) for row in answer] == [  # type: ignore[attr-defined]
        "false",
        "true",
        "false",
    ]


@pytest.mark.parametrize(("operation", "sender"), [("isReachable", KOMMUN_A), ("isRegistered", "")])
def test_a_thousand_ids_are_answered_and_one_more_is_refused(
    recipient: Application, engine: Engine, operation: str, sender: str
) -> None:
    assert len(ask(recipient, operation, *["192705178354"] * 1000, sender=sender)) == 1000  # type: ignore[arg-type]
    fault = ask(recipient, operation, *["192705178354"] * 1001, sender=sender)
    assert error_code(fault) == "5005"  # type: ignore[arg-type]
    with reading(engine) as connection:
        verdicts = connection.execute(select(metadata.tables["evidence"].c.verdict)).scalars().all()
    assert verdicts == ["TOO_MANY"]


def test_a_wrong_id_is_bad_input(recipient: Application) -> None:
    assert error_code(ask(recipient, "isRegistered", "123")) == "5001"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operation", "inside", "expected"),
    [
        ("getSenders", "", [KOMMUN_A, "Kommun A"]),
        ("getDispatchers", "", [KOMMUN_A, "Kommun A", KOMMUN_A]),
        ("isSenderAccepted", f"<arg0>{KOMMUN_A}</arg0>", ["true"]),
        ("isSenderAccepted", "<arg0>165560000001</arg0>", ["false"]),
    ],
)
def test_authority_over_soap(authority: Application, operation: str, inside: str, expected: list[str]) -> None:
    answer = call(authority, "/Authority", f'<a:{operation} xmlns:a="{AUTHORITY}">{inside}</a:{operation}>'.encode())
    assert list(answer.itertext()) == expected
