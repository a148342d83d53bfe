"""Asking the register for what recipients decide: accounts, accepted senders, rights to mailboxes. Over the wire alone.

Where :mod:`mm_soap.register_client` is what dispatchers and operators ask for every message, this is what an operator
asks when a recipient is at its pages.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.register_client import Port
from mm_soap.user_signatures import UserSignature
from mm_soap.xml import AUTHORITY, COMMON_V1, RECIPIENT_V1, RECIPIENT_V2, RECIPIENT_V3, SENDER, qname, text_of

_UNREAD: Final = frozenset({"AuthorizedSignatory", "AuthorizedRole", "ConsentReadExtendUnread", "ConsentManage"})
"""What a right rests on that lets a person open what nobody has opened yet."""


@dataclass(frozen=True, slots=True)
class KnownSender:
    """A connected sender."""

    number: str
    name: str


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """What the register says of a recipient's account.

    Args:
        registered: whether there is an account, perhaps one that waits for signatures.
        pending: whether it waits for signatures.
        operator: the organisation number of its operator; None without an account.
        operator_name: that operator's registered name.
        service: the address of that operator's Service.
        pages: the address of that operator's pages, if it told one.
    """

    registered: bool
    pending: bool
    operator: str | None = None
    operator_name: str = ""
    service: str = ""
    pages: str = ""

    @property
    def active_at(self) -> str | None:
        """The organisation number of the operator of an account that waits for no signatures; else None."""
        return self.operator if self.registered and not self.pending else None


@dataclass(frozen=True, slots=True)
class OpenMailbox:
    """Another's mailbox that a person may open.

    Args:
        recipient: whose it is.
        name: the organisation's name, where it is known.
        reads: whether its messages may be read.
        unread: whether those may be read that nobody has read yet.
        manages: whether its settings may be changed.
        forwards: whether its messages may be forwarded.
    """

    recipient: str = field(repr=False)
    name: str = field(repr=False)
    reads: bool
    unread: bool
    manages: bool
    forwards: bool


class AccountClient:
    """The register as a recipient meets it through its operator. Safe for threads.

    Args:
        recipient: carries calls to the Recipient service.
        authority: carries calls to the Authority service.

    Every method raises ``RemoteFault`` or ``TransportError`` when the register refused, or could not be asked.
    """

    def __init__(self, recipient: Port, authority: Port) -> None:
        self._recipient = recipient
        self._authority = authority

    def senders(self) -> list[KnownSender]:
        """Return all connected senders by name."""
        answer = self._ask_authority("getSenders", "")
        found = [KnownSender(text_in(row, "Id"), text_in(row, "Name")) for row in answer]
        return sorted(found, key=lambda one: one.name.casefold())

    def accepted(self, recipient: str, user: str) -> frozenset[str]:
        """Return the numbers of the senders that a recipient accepts."""
        inner = f"<RecipientId>{escape(recipient)}</RecipientId><UserIdentity>{escape(user)}</UserIdentity>"
        answer = self._ask("getAccountPreferences", RECIPIENT_V3, inner)
        return frozenset(text_in(row, "Id") for row in answer.iter(qname(RECIPIENT_V1, "AcceptedSenders")))

    def store_accepted(
        self, recipient: str, user: str, accepted: Sequence[KnownSender], text: str, signature: UserSignature
    ) -> bool:
        """Replace the senders that a recipient accepts; False while more signatures are needed."""
        senders = "".join(
            f"<r:AcceptedSenders><s:Id>{escape(one.number)}</s:Id><s:Name>{escape(one.name)}</s:Name>"
            "</r:AcceptedSenders>"
            for one in accepted
        )
        inner = (
            f"{_who(recipient, user)}<preferences><r:Id>{escape(recipient)}</r:Id>{senders}</preferences>"
            f"<AgreementText>{escape(text)}</AgreementText>{_signature('SignatureData', signature)}"
        )
        return _complete(self._ask("storeAccountPreferences", RECIPIENT_V2, inner))

    def account(self, recipient: str) -> KnownAccount:
        """Return what the register knows of a recipient."""
        return _account(self._registered([recipient])[0])

    def accounts(self, recipients: Sequence[str]) -> dict[str, KnownAccount]:
        """Return what the register knows of at most 1000 recipients."""
        return {text_in(row, "RecipientId"): _account(row) for row in self._registered(recipients)}

    def open_to(self, person: str) -> list[OpenMailbox]:
        """Return others' mailboxes that a person may open: as signatory, by a role, or by consent."""
        answer = self._ask_authority("getUserAccessRights", f'<arg0 xmlns="">{escape(person)}</arg0>')
        found: dict[str, OpenMailbox] = {}
        companies = set()
        for row in answer.iter("{*}Rights"):
            recipient, one = text_in(row, "Id"), _mailbox_of(row)
            if recipient == person:
                continue
            if not one.reads and recipient.startswith("16"):
                companies.add(recipient)
            elif one.reads:
                found[recipient] = one if recipient not in found else _both(one, found[recipient])
        for number in sorted(companies - found.keys()):
            # Who signs with others alone has no View there; isAuthorizedSigner still lets a possible signatory in.
            name = self.company_of(number, person)
            if name is not None:
                found[number] = signatory_of(number, name)
        return sorted(found.values(), key=lambda one: one.name.casefold())

    def company_of(self, company: str, person: str) -> str | None:
        """Return a company's name if isAuthorizedSigner lets a person open its mailbox, else None."""
        inner = f"<CompanyId>{escape(company)}</CompanyId><UserIdentity>{escape(person)}</UserIdentity>"
        answer = self._ask("isAuthorizedSigner", RECIPIENT_V2, inner)
        if text_in(answer, "isAccountAuthorizedSigner") not in ("true", "1"):
            return None
        return text_in(answer, "CompanyName") or company

    def register(self, recipient: str, operator: str, text: str, signature: UserSignature, day: date) -> bool:
        """Open an account at an operator, named as in the register; False while more signatures are needed."""
        request = _request("Create", recipient, operator, text, day)
        inner = (
            f"<accountRequest>{request}</accountRequest><accountType>Secure</accountType>"
            f"{_signature('signature', signature)}"
        )
        return _complete(self._ask("register", RECIPIENT_V3, inner))

    def deregister(self, recipient: str, operator: str, text: str, signature: UserSignature, day: date) -> bool:
        """Close an account; False while more signatures are needed."""
        request = _request("Delete", recipient, operator, text, day)
        inner = f"<deregisterAccount>{request}</deregisterAccount>{_signature('signature', signature)}"
        return _complete(self._ask("deregister", RECIPIENT_V3, inner))

    def change_operator(self, recipient: str, user: str, operator: str, text: str, signature: UserSignature) -> bool:
        """Move an account to an operator, named as in the register; False while more signatures are needed."""
        inner = (
            f"{_who(recipient, user)}<ServiceSupplier>{escape(operator)}</ServiceSupplier>"
            f"<AgreementText>{escape(text)}</AgreementText>{_signature('SignatureData', signature)}"
        )
        return _complete(self._ask("changeServiceSupplier", RECIPIENT_V2, inner))

    def _registered(self, recipients: Sequence[str]) -> etree._Element:
        ids = "".join(f"<recipientId>{escape(each)}</recipientId>" for each in recipients)
        return self._ask("isRegistered", RECIPIENT_V3, ids)

    def _ask(self, operation: str, namespace: str, inner: str) -> etree._Element:
        return ask_recipient(self._recipient, operation, namespace, inner)

    def _ask_authority(self, operation: str, inner: str) -> etree._Element:
        body = f'<{operation} xmlns="{AUTHORITY}">{inner}</{operation}>'
        return self._authority.call(body.encode(), expected=qname(AUTHORITY, f"{operation}Response"))


def ask_recipient(recipient: Port, operation: str, namespace: str, inner: str) -> etree._Element:
    """Ask the Recipient service.

    Args:
        recipient: carries the call.
        operation: its name.
        namespace: of the operation's element and its children.
        inner: the children, written.

    Raises:
        RemoteFault, TransportError: the register refused, or could not be asked.
    """
    body = f'<{operation} xmlns="{namespace}" xmlns:r="{RECIPIENT_V1}" xmlns:s="{SENDER}">{inner}</{operation}>'
    return recipient.call(body.encode(), expected=qname(namespace, f"{operation}Response"))


def signatory_of(number: str, name: str) -> OpenMailbox:
    """Return what isAuthorizedSigner lets a possible signatory of a company do."""
    return OpenMailbox(number, name, reads=True, unread=True, manages=True, forwards=False)


def _account(row: etree._Element) -> KnownAccount:
    operator = row.find(qname(RECIPIENT_V1, "ServiceSupplier"))
    if text_in(row, "Type") == "Not" or operator is None:
        return KnownAccount(registered=False, pending=False)
    pending = text_in(row, "Pending") in ("true", "1")
    told = (text_in(operator, name) for name in ("Id", "Name", "ServiceAdress", "UIAdress"))
    return KnownAccount(True, pending, *told)


def _mailbox_of(row: etree._Element) -> OpenMailbox:
    access = {text_of(each).strip() for each in row.iter("{*}GrantedAccess")}
    return OpenMailbox(
        text_in(row, "Id"),
        text_in(row, "OrganizationName"),
        reads="View" in access,
        unread=text_in(row, "GrantType") in _UNREAD,
        manages="EditSettings" in access,
        forwards="ForwardMessage" in access,
    )


def _both(one: OpenMailbox, other: OpenMailbox) -> OpenMailbox:
    return OpenMailbox(
        one.recipient,
        one.name or other.name,
        reads=True,
        unread=one.unread or other.unread,
        manages=one.manages or other.manages,
        forwards=one.forwards or other.forwards,
    )


def _who(recipient: str, user: str) -> str:
    return f"<Id>{escape(recipient)}</Id><UserIdentity>{escape(user)}</UserIdentity>"


def _request(kind: str, recipient: str, operator: str, text: str, day: date) -> str:
    return (
        f"<r:Id>{escape(recipient)}</r:Id><r:Type>{kind}</r:Type><r:AgreementText>{escape(text)}</r:AgreementText>"
        f"<r:Timestamp>{day.isoformat()}</r:Timestamp><r:ServiceSupplier>{escape(operator)}</r:ServiceSupplier>"
    )


def _signature(element: str, one: UserSignature) -> str:
    return (
        f'<{element} xmlns:c="{COMMON_V1}"><c:Signature>{b64encode(one.signature).decode()}</c:Signature>'
        f"<c:Certificate>{escape(one.certificate)}</c:Certificate></{element}>"
    )


def _complete(answer: etree._Element) -> bool:
    return text_in(answer, "Status") == "Complete"


def text_in(element: etree._Element, name: str) -> str:
    """Return the text of the first element of a local name: the answer follows the schema, where each is once."""
    found = next(element.iter(f"{{*}}{name}"), None)
    return text_of(found).strip() if found is not None else ""
