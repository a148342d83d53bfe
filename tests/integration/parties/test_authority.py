"""The operations of Authority behind the SOAP shell: companies, real signatures, rights, and who may call."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime
from xml.sax.saxutils import escape

import pytest
from lxml import etree
from sqlalchemy import Engine

from mm_soap.companies import Away, CurrentNumbers
from mm_soap.contract import ports
from mm_soap.demonstration_registers import ANNA, BERTIL, CECILIA, CHILD, COMPANIES, DEAD, PERSONS, PROTECTED
from mm_soap.far import Account, Dispatcher, Operator, Register, Sender, authority_handlers
from mm_soap.far.accounts import Signing
from mm_soap.far.callers import Callers
from mm_soap.far.rights import ConsentKind, Consents, Rights, SignatureQuestions
from mm_soap.persons import RegisteredPerson
from mm_soap.soap import Caller, soap_application
from mm_soap.storage import migrate
from mm_soap.testing import FrozenClock
from mm_soap.testing.e_identification import EIdentificationIssuer
from mm_soap.testing.registers import FakeCompanies, FakePersons
from mm_soap.user_signatures import UserSignature, UserSignatureVerifier
from mm_soap.xml import AUTHORITY, COMMON_V1, SCHEMA

from .wsgi import Application, call, error_code

JOINT, ALONE, NAMED, UNREADABLE, FOUNDATION = (company.number for company in COMPANIES)
UNKNOWN_COMPANY = "165599999983"
SENDER, OPERATOR, DISPATCHER, STRANGER = "162021004748", "165560000019", "165560000001", "165560360793"
CLOCK = FrozenClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
ISSUER = EIdentificationIssuer(CLOCK)
T = f"{{{SCHEMA}/Authority}}"
DATA = "Jag öppnar en brevlåda åt bolaget."

Ask = Callable[..., etree._Element]


@pytest.fixture
def companies() -> FakeCompanies:
    return FakeCompanies(COMPANIES)


@pytest.fixture
def persons() -> FakePersons:
    return FakePersons(PERSONS)


@pytest.fixture
def make(engine: Engine, companies: FakeCompanies, persons: FakePersons) -> Callable[..., Application]:
    migrate(engine, "far")
    register = Register(engine)
    register.add_operator(Operator(OPERATOR, "Brevlådan", "http://o", "http://o"))
    register.add_sender(Sender(SENDER, "Kommun A"))
    register.add_dispatcher(Dispatcher(DISPATCHER, "Förmedlaren", (SENDER,)))
    register.add_account(Account(JOINT, OPERATOR))

    def made(organisation: str | None = OPERATOR, *, unknown_allowed: bool = False) -> Application:
        current = CurrentNumbers(companies, persons)
        verifier = UserSignatureVerifier(ISSUER.anchors, CLOCK)
        signing = Signing(verifier, current, persons, CLOCK, check_digits=True)
        handlers = authority_handlers(
            register,
            Callers(engine, unknown_allowed=unknown_allowed),
            SignatureQuestions(signing),
            Rights(engine, current, persons),
        )
        return soap_application(
            ports()["authority"],
            handlers,
            published=b"",
            body_limit=1_000_000,
            identify=lambda _environ: Caller(organisation, "127.0.0.1"),
        )

    return made


@pytest.fixture
def ask(make: Callable[..., Application]) -> Ask:
    application = make()

    def asked(operation: str, inside: str) -> etree._Element:
        return request(application, operation, inside)

    return asked


def request(application: Application, operation: str, inside: str) -> etree._Element:
    names = f'xmlns:a="{AUTHORITY}" xmlns:t="{SCHEMA}/Authority" xmlns:c="{COMMON_V1}"'
    return call(application, "/Authority", f"<a:{operation} {names}>{inside}</a:{operation}>".encode())


def new_signer(recipient: str, *signed: str, new: str | None = None, action: str = "Ownership") -> str:
    rows = "".join(f"<arg1><t:Id>{one}</t:Id><t:Name>N</t:Name></arg1>" for one in signed)
    then = "" if new is None else f"<arg2>{new}</arg2>"
    return f"<arg0>{recipient}</arg0>{rows}{then}<arg3>{action}</arg3>"


def signatures(recipient: str, *given: UserSignature, data: bytes = DATA.encode(), action: str = "Ownership") -> str:
    rows = "".join(
        f"<arg1><c:Signature>{b64encode(one.signature).decode()}</c:Signature>"
        f"<c:Certificate>{escape(one.certificate)}</c:Certificate>"
        f"{'' if one.nonce is None else f'<c:Nonce>{escape(one.nonce)}</c:Nonce>'}"
        f"<c:EncodingOfSignedText>{one.encoding}</c:EncodingOfSignedText></arg1>"
        for one in given
    )
    return f"<arg0>{recipient}</arg0>{rows}<arg2>{b64encode(data).decode()}</arg2><arg3>{action}</arg3>"


def signed(person: RegisteredPerson, text: str = DATA) -> UserSignature:
    return ISSUER.sign_xml(ISSUER.person(person.number, person.name), text)


def result(answer: etree._Element) -> tuple[str, list[str], list[str]]:
    """Status, the names of those who signed, the names of possible signers."""
    (returned,) = answer.findall("return")
    names = [
        [row.findtext(f"{T}Name") or "" for row in returned.iterfind(f"{T}{kind}")]
        for kind in ("SignedBy", "PossibleSigners")
    ]
    return returned.findtext(f"{T}Status") or "", names[0], names[1]


def test_new_signers_of_a_joint_rule(ask: Ask) -> None:
    answer = ask("testNewSigner", new_signer(JOINT, new=ANNA.number))
    assert result(answer) == ("Incomplete", ["Anna Demo"], ["Bertil Demo", "Cecilia Demo"])
    (returned,) = answer
    assert returned.findtext(f"{T}Id") == JOINT
    assert returned.findtext(f"{T}Timestamp") == CLOCK().isoformat()
    assert returned.findtext(f"{T}Text")
    assert result(ask("testNewSigner", new_signer(JOINT, ANNA.number, new=BERTIL.number)))[0] == "Complete"
    assert result(ask("testNewSigner", new_signer(JOINT, ANNA.number, new=ANNA.number)))[0] == "Incomplete"
    assert len(result(ask("testNewSigner", new_signer(JOINT)))[2]) == 3


@pytest.mark.parametrize("action", ["Ownership", "CancelConsent"])
def test_new_signers_of_other_recipients(ask: Ask, action: str) -> None:
    def tested(recipient: str, *given: str) -> tuple[str, list[str], list[str]]:
        return result(ask("testNewSigner", new_signer(recipient, *given, action=action)))

    assert tested(ALONE, ANNA.number) == ("Complete", ["Anna Demo"], [])
    assert tested(NAMED, ANNA.number) == ("Incomplete", ["Anna Demo"], ["Bertil Demo"])
    assert tested(UNREADABLE, ANNA.number)[0] == "RulesNotSupported"
    assert tested(CECILIA.number, CECILIA.number)[0] == "Complete"
    assert tested(CECILIA.number) == ("Incomplete", [], ["Cecilia Demo"])


def test_a_protected_identity_is_not_among_possible_signers(ask: Ask) -> None:
    assert result(ask("testNewSigner", new_signer(ALONE))) == ("Incomplete", [], ["Anna Demo"])


REFUSED = {
    "not listed": (new_signer(JOINT, "191212121212"), "6009"),
    "no person": (new_signer(JOINT, "abc"), "6009"),
    "somebody else": (new_signer(CECILIA.number, ANNA.number), "6009"),
    "protected": (new_signer(ALONE, new=PROTECTED.number), "6006"),
    "protected, for itself": (new_signer(PROTECTED.number, PROTECTED.number, action="CancelConsent"), "6006"),
    "form": (new_signer(FOUNDATION), "6004"),
    "no such company": (new_signer(UNKNOWN_COMPANY), "5003"),
    "no such day": (new_signer("189002310000"), "5001"),
    "wrong check digit": (new_signer("165599999935"), "5001"),
    "dead": (new_signer(DEAD.number), "5009"),
    "under 18": (new_signer(CHILD.number), "5009"),
}


@pytest.mark.parametrize(("inside", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(ask: Ask, inside: str, code: str) -> None:
    assert error_code(ask("testNewSigner", inside)) == code


def test_registers_that_are_away(ask: Ask, companies: FakeCompanies, persons: FakePersons) -> None:
    companies.away = Away.UNREACHABLE
    for operation, inside in {
        "testNewSigner": new_signer(JOINT),
        "verifyAuthorizedSignatures": signatures(JOINT, signed(ANNA)),
    }.items():
        fault = ask(operation, inside)
        assert error_code(fault) == "5018"
        assert fault.find(f".//{{{AUTHORITY}}}{operation}Fault") is not None
    companies.away, persons.away = None, True
    assert error_code(ask("testNewSigner", new_signer(JOINT))) == "4000"
    assert error_code(ask("getUserAccessRights", f"<arg0>{ANNA.number}</arg0>")) == "4000"


def test_real_signatures(ask: Ask) -> None:
    def verified(*given: UserSignature) -> tuple[str, list[str], list[str]]:
        return result(ask("verifyAuthorizedSignatures", signatures(JOINT, *given)))

    assert verified(signed(ANNA)) == ("Incomplete", ["Anna Demo"], ["Bertil Demo", "Cecilia Demo"])
    assert verified(signed(ANNA), signed(ANNA))[0] == "Incomplete"
    assert verified(signed(ANNA), signed(CECILIA)) == ("Complete", ["Anna Demo", "Cecilia Demo"], [])


def test_signatures_that_are_refused(ask: Ask) -> None:
    def verified(recipient: str, *given: UserSignature, data: bytes = DATA.encode()) -> str | None:
        fault = ask("verifyAuthorizedSignatures", signatures(recipient, *given, data=data))
        assert fault.find(f".//{{{AUTHORITY}}}verifyAuthorizedSignaturesFault") is not None
        return error_code(fault)

    assert verified(JOINT, signed(ANNA), data=b"Something else") == "5012"
    assert verified(JOINT, signed(ANNA), data=b"\xff\xfe\xff") == "5012"
    assert verified(JOINT, signed(ANNA), signed(BERTIL, "Another text")) == "5012"
    broken = signed(ANNA)
    assert verified(JOINT, UserSignature(b"<x/>", broken.certificate)) == "5012"
    assert verified(JOINT, UserSignature(broken.signature, broken.certificate, encoding="EBCDIC")) == "5012"
    assert verified(NAMED, signed(CECILIA)) == "6009"
    assert verified(ALONE, signed(PROTECTED)) == "6006"
    assert verified(FOUNDATION, signed(ANNA)) == "6004"


def test_rights_over_soap(ask: Ask, engine: Engine, companies: FakeCompanies) -> None:
    Consents(engine, CLOCK).give(JOINT, CECILIA.number, ConsentKind.READ)

    def asked(operation: str) -> list[tuple[str | None, ...]]:
        (returned,) = ask(operation, f"<arg0>{CECILIA.number}</arg0>")
        return [
            tuple(row.findtext(f"{T}{name}") for name in ("Id", "OrganizationName", "UserIdentity", "GrantType"))
            for row in returned.iterfind(f"{T}Rights")
        ]

    own = (JOINT, "Demobolaget AB", CECILIA.number, "AuthorizedSignatory")
    assert asked("getUserAccessRights") == [own, (*own[:3], "ConsentRead")]
    assert asked("getUserAccessRightsNoConcent") == [own]
    companies.away = Away.UNREACHABLE
    (returned,) = ask("getUserAccessRights", f"<arg0>{CECILIA.number}</arg0>")
    assert [row.findtext(f"{T}GrantType") for row in returned.iterfind(f"{T}Rights")] == ["ConsentRead"]
    (problem,) = returned.iterfind(f"{T}Problems")
    assert [child.text for child in problem][:2] == ["Bolagsverket", "SourceInaccessible"]
    assert len(ask("getUserAccessRightsNoConcent", "<arg0>no/se/12345678</arg0>")) == 1


LISTS = {"getSenders": "", "getDispatchers": "", "isSenderAccepted": f"<arg0>{SENDER}</arg0>"}
QUESTIONS = {
    "testNewSigner": new_signer(JOINT),
    "getUserAccessRights": f"<arg0>{ANNA.number}</arg0>",
    "getUserAccessRightsNoConcent": f"<arg0>{ANNA.number}</arg0>",
    "verifyAuthorizedSignatures": signatures(JOINT, UserSignature(b"<x/>", "x")),
}


@pytest.mark.parametrize(
    ("organisation", "unknown_allowed", "lists", "questions"),
    [
        (OPERATOR, False, True, True),
        (SENDER, False, True, False),
        (DISPATCHER, False, True, False),
        (STRANGER, False, False, False),
        (STRANGER, True, False, False),
        (None, True, True, True),
        (None, False, False, False),
    ],
)
def test_who_may_call(
    make: Callable[..., Application], organisation: str | None, unknown_allowed: bool, lists: bool, questions: bool
) -> None:
    application = make(organisation, unknown_allowed=unknown_allowed)
    for allowed, operations in ((lists, LISTS), (questions, QUESTIONS)):
        for operation, inside in operations.items():
            answer = request(application, operation, inside)
            assert (error_code(answer) != "5002") is allowed, operation
            if not allowed:
                assert answer.find(f".//{{{AUTHORITY}}}{operation}Fault") is not None


def test_every_operation_is_answered(make: Callable[..., Application]) -> None:
    assert set(LISTS) | set(QUESTIONS) == set(ports()["authority"].operations)
    assert date(2026, 3, 1) == CLOCK().date()
