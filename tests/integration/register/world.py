"""A register with two operators, two senders, some persons and companies, behind the SOAP shell."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree
from sqlalchemy import Engine, select

from mm_soap.companies import Board, Company, NotEvaluable, Person, Together
from mm_soap.contract import ports
from mm_soap.far import Dispatcher, Operator, Register, Sender
from mm_soap.far.accounts import Accounts, Signing
from mm_soap.far.callers import Callers
from mm_soap.far.rights import Rights, cancel_consents_of
from mm_soap.far.store import metadata
from mm_soap.message.identifiers import check_digit
from mm_soap.persons import RegisteredPerson
from mm_soap.recipient import PRECHECKS, recipient_handlers
from mm_soap.recipient.hot import shorten
from mm_soap.refusals import keep_refusals
from mm_soap.soap import Caller, soap_application
from mm_soap.storage import migrate, reading
from mm_soap.testing import FrozenClock
from mm_soap.testing.registers import FakeCompanies, FakePersons
from mm_soap.testing.written_signatures import WrittenSignatures
from mm_soap.xml import COMMON_V1, RECIPIENT_V1, RECIPIENT_V2, RECIPIENT_V3, SCHEMA, SENDER, SOAP_ENVELOPE

AUTHORITY = f"{SCHEMA}/Authority"
NAMES = {"r": RECIPIENT_V1, "v2": RECIPIENT_V2, "v3": RECIPIENT_V3, "s": SENDER, "a": AUTHORITY, "c": COMMON_V1}
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TEXT = "Jag vill ha digital post."


def identifier(eleven: str) -> str:
    """Return eleven digits with their check digit."""
    return eleven + str(check_digit(eleven[2:]))


ETT = Operator(
    identifier("16559999991"), "Brevlåda Ett", "http://ett/Service/v3", "http://ett/Service/v3", "http://ett"
)
TVA = Operator(identifier("16559999992"), "Brevlåda Två", "http://tva/Service/v3", "http://tva/Service/v3")
KOMMUN_A, KOMMUN_B, KOMMUN_C = "162021004748", "162021003898", identifier("16202100999")
DISPATCHER, STRANGER = identifier("16559999990"), identifier("16559999994")

ANNA, BO, CIA = identifier("18900161980"), identifier("18900261980"), identifier("18900361980")
YOUNG, DEAD, HIDDEN = identifier("20080505238"), identifier("18900461980"), identifier("18900561980")
OLD_NUMBER, NEW_NUMBER, NOBODY = identifier("18900661980"), identifier("18900761980"), identifier("18900861980")
PERSONS = (
    RegisteredPerson(ANNA, "Anna", date(1890, 1, 1)),
    RegisteredPerson(BO, "Bo", date(1890, 2, 1)),
    RegisteredPerson(CIA, "Cia", date(1890, 3, 1)),
    RegisteredPerson(YOUNG, "Ung", date(2008, 5, 5)),
    RegisteredPerson(DEAD, "Död", date(1890, 4, 1), dead=True),
    RegisteredPerson(HIDDEN, "Hemlig", date(1890, 5, 1), protected=True),
    RegisteredPerson(OLD_NUMBER, "Ny", date(1890, 7, 1), now_number=NEW_NUMBER),
    RegisteredPerson(NEW_NUMBER, "Ny", date(1890, 7, 1)),
)
NAMES_OF = {person.number: person.name for person in PERSONS}
TWO_TOGETHER, BY_BOARD, UNREADABLE = (identifier(f"1655999981{n}") for n in range(3))
FOREIGN_FORM, NO_COMPANY = identifier("16559999813"), identifier("16559999814")


def company(number: str, rule: Any, *numbers: str, form: str = "AB") -> Company:
    persons = tuple(Person(one, NAMES_OF[one], ("board",)) for one in numbers)
    return Company(number, "Bolaget <AB> & co", form, rule, persons, "Regeln i ord")


class Population(FakePersons):
    """A population register that knows everybody."""

    def find(self, number: str) -> RegisteredPerson | None:
        found = super().find(number)
        return found if number in self.persons else None


class World:
    """The register, and how to call it."""

    def __init__(self, engine: Engine, *, unknown_allowed: bool = True) -> None:
        migrate(engine, "far")
        self.engine = engine
        self.clock = FrozenClock(NOW)
        self.companies = FakeCompanies(
            [
                company(TWO_TOGETHER, Together(2), ANNA, BO, CIA),
                company(BY_BOARD, Board("all"), ANNA, BO, CIA),
                company(UNREADABLE, NotEvaluable(), ANNA, BO),
                company(FOREIGN_FORM, Together(1), ANNA, form="EEIG"),
            ]
        )
        self.persons = Population(PERSONS)
        self.verifier = WrittenSignatures()
        self.register = Register(engine, self.clock)
        for operator in (ETT, TVA):
            self.register.add_operator(operator)
        for number, name in ((KOMMUN_A, "Kommun A"), (KOMMUN_B, "Kommun B")):
            self.register.add_sender(Sender(number, name))
        self.register.add_dispatcher(Dispatcher(DISPATCHER, "Förmedlare", (KOMMUN_A,)))
        self.start(unknown_allowed=unknown_allowed)

    def start(self, *, unknown_allowed: bool = True, verifier: Any = None, once: bool = True) -> None:
        """Build the service anew, as after a restart."""
        callers = Callers(self.engine, unknown_allowed=unknown_allowed)
        signing = Signing(verifier or self.verifier, self.companies, self.persons, self.clock, check_digits=True)
        self.accounts = Accounts(self.engine, signing, callers, self.clock, closing=cancel_consents_of, once=once)
        self.rights = Rights(self.engine, self.companies, self.persons)
        self.application = soap_application(
            ports()["recipient"],
            recipient_handlers(self.register, self.accounts, callers),
            published=b"",
            body_limit=1_000_000,
            refused=keep_refusals(self.engine, self.clock),
            prechecks=PRECHECKS,
            shorten=shorten,
            identify=lambda environ: Caller(environ.get("test.organisation"), "127.0.0.1"),
        )

    def call(self, operation: str, caller: str | None = None) -> etree._Element:
        """Return what stands in the Body of the answer."""
        envelope = f'<e:Envelope xmlns:e="{SOAP_ENVELOPE}"><e:Body>{operation}</e:Body></e:Envelope>'.encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/Recipient/v3",
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "CONTENT_TYPE": "text/xml; charset=utf-8",
            "CONTENT_LENGTH": str(len(envelope)),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(envelope),
            "test.organisation": caller,
        }
        answer = b"".join(self.application(environ, lambda *_: None))
        (inside,) = etree.fromstring(answer).find(f"{{{SOAP_ENVELOPE}}}Body")
        return inside

    def ask(self, operation: str, caller: str | None = None) -> str:
        """Return the ErrorCode of a fault, else the Status of the answer, else the name of its element."""
        answer = self.call(operation, caller)
        for found in answer.xpath("//*[local-name() = 'ErrorCode']/text()"):
            return str(found)
        for found in answer.xpath("//a:Status/text()", namespaces=NAMES):
            return str(found)
        return str(etree.QName(answer).localname)

    def state(self, recipient: str) -> str:
        """Return the state of an account in the words of the contract: none, pending or active."""
        row = self.call(f'<isRegistered xmlns="{RECIPIENT_V3}"><recipientId>{recipient}</recipientId></isRegistered>')[
            0
        ]
        if row.findtext("r:Type", namespaces=NAMES) == "Not":
            return "none"
        state = "pending" if row.findtext("r:Pending", namespaces=NAMES) == "true" else "active"
        return f"{state} {row.findtext('r:ServiceSupplier/r:Name', namespaces=NAMES)}"

    def accepted(self, recipient: str, sender: str) -> tuple[str | None, bool]:
        """Return whether a recipient accepts a sender, and whether the time of the last change is told."""
        asked = f"<senderOrgNr>{sender}</senderOrgNr><recipientId>{recipient}</recipientId>"
        row = self.call(f'<isReachable xmlns="{RECIPIENT_V3}">{asked}</isReachable>')[0]
        changed = row.find("r:LastSenderAcceptChange", namespaces=NAMES) is not None
        return row.findtext("r:SenderAccepted", namespaces=NAMES), changed

    def rows(self, table: str) -> Sequence[Any]:
        """Return all rows of a table."""
        with reading(self.engine) as connection:
            return connection.execute(select(metadata.tables[table])).mappings().all()


def signature(element: str, namespace: str, signer: str, text: str) -> str:
    one = WrittenSignatures.sign(signer, NAMES_OF.get(signer, "Namn"), text)
    return (
        f'<{element} xmlns="{namespace}" xmlns:c="{COMMON_V1}"><c:Signature>{b64encode(one.signature).decode()}'
        f"</c:Signature><c:Certificate>{one.certificate}</c:Certificate></{element}>"
    )


def _account_request(kind: str, recipient: str, operator: str, text: str) -> str:
    return (
        f"<r:Id>{recipient}</r:Id><r:Type>{kind}</r:Type><r:AgreementText>{escape(text)}</r:AgreementText>"
        f"<r:Timestamp>2026-05-04</r:Timestamp><r:ServiceSupplier>{escape(operator)}</r:ServiceSupplier>"
    )


def register(
    recipient: str,
    operator: Operator | str = ETT,
    *signers: str,
    text: str = TEXT,
    signed_text: str | None = None,
    account_type: str = "Secure",
    kind: str = "Create",
) -> str:
    name = operator if isinstance(operator, str) else operator.name
    given = "".join(
        signature("signature", RECIPIENT_V3, one, text if signed_text is None else signed_text)
        for one in signers or (recipient,)
    )
    return (
        f'<register xmlns="{RECIPIENT_V3}" xmlns:r="{RECIPIENT_V1}"><accountRequest>'
        f"{_account_request(kind, recipient, name, text)}</accountRequest>"
        f"<accountType>{account_type}</accountType>{given}</register>"
    )


def deregister(
    recipient: str, operator: Operator = ETT, *signers: str, signed_text: str = TEXT, kind: str = "Delete"
) -> str:
    given = "".join(signature("signature", RECIPIENT_V3, one, signed_text) for one in signers or (recipient,))
    return (
        f'<deregister xmlns="{RECIPIENT_V3}" xmlns:r="{RECIPIENT_V1}"><deregisterAccount>'
        f"{_account_request(kind, recipient, operator.name, TEXT)}</deregisterAccount>{given}</deregister>"
    )


def change(recipient: str, operator: Operator = TVA, *signers: str, user: str = "", text: str = TEXT) -> str:
    given = "".join(signature("SignatureData", RECIPIENT_V2, one, text) for one in signers or (recipient,))
    return (
        f'<changeServiceSupplier xmlns="{RECIPIENT_V2}"><Id>{recipient}</Id>'
        f"<UserIdentity>{user or (signers or (recipient,))[0]}</UserIdentity>"
        f"<ServiceSupplier>{operator.name}</ServiceSupplier>"
        f"<AgreementText>{text}</AgreementText>{given}</changeServiceSupplier>"
    )


def preferences(recipient: str, accepted: Sequence[str], *signers: str, of: str = "") -> str:
    given = "".join(signature("SignatureData", RECIPIENT_V2, one, TEXT) for one in signers or (recipient,))
    senders = "".join(
        f"<r:AcceptedSenders><s:Id>{one}</s:Id><s:Name>Namn</s:Name></r:AcceptedSenders>" for one in accepted
    )
    return (
        f'<storeAccountPreferences xmlns="{RECIPIENT_V2}" xmlns:r="{RECIPIENT_V1}" xmlns:s="{SENDER}">'
        f"<Id>{recipient}</Id><UserIdentity>{(signers or (recipient,))[0]}</UserIdentity>"
        f"<preferences><r:Id>{of or recipient}</r:Id>{senders}</preferences>"
        f"<AgreementText>{TEXT}</AgreementText>{given}</storeAccountPreferences>"
    )


def delete_pending(recipient: str, user: str = "") -> str:
    inner = f"<recipientId>{recipient}</recipientId><userIdentity>{user or recipient}</userIdentity>"
    return f'<deletePendingAccountRequest xmlns="{RECIPIENT_V3}">{inner}</deletePendingAccountRequest>'


def get_pending(user: str, *recipients: str) -> str:
    ids = "".join(f"<recipientId>{one}</recipientId>" for one in recipients)
    inner = f"{ids}<userIdentity>{user}</userIdentity>"
    return f'<getPendingAccountRequest xmlns="{RECIPIENT_V3}">{inner}</getPendingAccountRequest>'


def get_preferences(recipient: str, user: str = "") -> str:
    inner = f"<RecipientId>{recipient}</RecipientId><UserIdentity>{user or recipient}</UserIdentity>"
    return f'<getAccountPreferences xmlns="{RECIPIENT_V3}">{inner}</getAccountPreferences>'


def pending(operation: str, recipient: str, user: str) -> str:
    """One of the get and delete operations of a change of operator or of preferences."""
    inner = f"<Id>{recipient}</Id><UserIdentity>{user}</UserIdentity>"
    if operation.startswith("delete"):
        inner = f"<organizationIdentity>{inner}</organizationIdentity>"
    return f'<{operation} xmlns="{RECIPIENT_V2}">{inner}</{operation}>'


def authorized_signer(number: str, user: str) -> str:
    inner = f"<CompanyId>{number}</CompanyId><UserIdentity>{user}</UserIdentity>"
    return f'<isAuthorizedSigner xmlns="{RECIPIENT_V2}">{inner}</isAuthorizedSigner>'
