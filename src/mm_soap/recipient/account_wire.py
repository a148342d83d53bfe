"""Requests and answers of the Recipient service that are about accounts.

Answers are written as text: every name in them is a constant, and every value is escaped.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.far import Sender
from mm_soap.far.accounts import (
    AccountInformation,
    Authorization,
    AuthorizedAccount,
    Kind,
    Pending,
    PendingAnswer,
    Signatory,
    Wanted,
)
from mm_soap.far.model import Operator
from mm_soap.recipient.wire import operator_element, read_ids
from mm_soap.user_signatures import UserSignature
from mm_soap.xml import COMMON_V1, RECIPIENT_V1, RECIPIENT_V2, RECIPIENT_V3, SCHEMA, SENDER, qname, text_of

_AUTHORITY: Final = f"{SCHEMA}/Authority"
_NAMES: Final = f'xmlns:r="{RECIPIENT_V1}" xmlns:s="{SENDER}" xmlns:a="{_AUTHORITY}"'
_REQUEST_TYPES: Final = {Kind.REGISTER: "Create", Kind.DEREGISTER: "Delete"}
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """What register or deregister asks: the request, the operator that it names, and the signatures."""

    wanted: Wanted
    operator_name: str
    signatures: tuple[UserSignature, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedChange:
    """What changeServiceSupplier or storeAccountPreferences asks.

    ``operator_name`` is empty for preferences, ``accepted`` for a change of operator.
    """

    recipient: str = field(repr=False)
    user: str = field(repr=False)
    text: str = field(repr=False)
    signatures: tuple[UserSignature, ...] = field(repr=False)
    operator_name: str = ""
    accepted: tuple[str, ...] = ()


def read_account_request(payload: etree._Element) -> AccountRequest:
    """Return what register or deregister asks.

    Raises:
        Refused: ``REQUEST_CONTRADICTS`` for a Type that is not the operation's, and for the account type Not;
            ``SCHEMA_VIOLATION`` for a day that is none.
    """
    kind = Kind(etree.QName(payload).localname)
    inner = payload.find(qname(RECIPIENT_V3, "accountRequest" if kind is Kind.REGISTER else "deregisterAccount"))
    if _child(inner, RECIPIENT_V1, "Type") != _REQUEST_TYPES[kind]:
        raise Refused(Refusal.REQUEST_CONTRADICTS, "AccountRequest/Type")
    account_type = _child(payload, RECIPIENT_V3, "accountType") if kind is Kind.REGISTER else None
    if account_type == "Not":
        raise Refused(Refusal.REQUEST_CONTRADICTS, "accountType")
    wanted = Wanted(
        kind,
        _child(inner, RECIPIENT_V1, "Id"),
        _child(inner, RECIPIENT_V1, "AgreementText"),
        _day(_child(inner, RECIPIENT_V1, "Timestamp")),
        account_type=account_type,
    )
    signatures = _signatures(payload.iterchildren(qname(RECIPIENT_V3, "signature")))
    return AccountRequest(wanted, _child(inner, RECIPIENT_V1, "ServiceSupplier"), signatures)


def read_signed_change(payload: etree._Element) -> SignedChange:
    """Return what changeServiceSupplier or storeAccountPreferences asks.

    Raises:
        Refused: ``REQUEST_CONTRADICTS`` for preferences of another recipient than the request's.
    """
    recipient = _child(payload, RECIPIENT_V2, "Id")
    preferences = payload.find(qname(RECIPIENT_V2, "preferences"))
    accepted: tuple[str, ...] = ()
    if preferences is not None:
        if _child(preferences, RECIPIENT_V1, "Id") != recipient:
            raise Refused(Refusal.REQUEST_CONTRADICTS, "preferences/Id")
        senders = preferences.iterchildren(qname(RECIPIENT_V1, "AcceptedSenders"))
        accepted = tuple(_child(sender, SENDER, "Id") for sender in senders)
    return SignedChange(
        recipient,
        _child(payload, RECIPIENT_V2, "UserIdentity"),
        _child(payload, RECIPIENT_V2, "AgreementText"),
        _signatures(payload.iterchildren(qname(RECIPIENT_V2, "SignatureData"))),
        _child(payload, RECIPIENT_V2, "ServiceSupplier"),
        accepted,
    )


def read_identity(payload: etree._Element) -> tuple[str, str]:
    """Return recipient, or company, and user of an operation that names no more than these."""
    of = payload.find(qname(RECIPIENT_V2, "organizationIdentity"))
    inner = payload if of is None else of
    found = {etree.QName(child).localname.lower(): text_of(child) for child in inner.iterchildren(etree.Element)}
    recipient = found.get("id") or found.get("companyid") or found.get("recipientid") or ""
    return recipient, found.get("useridentity", "")


def read_identities(payload: etree._Element) -> tuple[Sequence[str], str]:
    """Return recipients and user of getPendingAccountRequest."""
    return read_ids(payload), _child(payload, RECIPIENT_V3, "userIdentity")


def authorization_answer(operation: str, namespace: str, element: str, one: Authorization) -> bytes:
    """Return the answer of an operation that answers how far the signatures have come."""
    return _answer(operation, namespace, f"<{element}>{_authorization(one)}</{element}>")


def pending_requests_answer(answers: Iterable[PendingAnswer]) -> bytes:
    """Return the answer of getPendingAccountRequest."""
    rows = "".join(
        f"<return><r:AccountRequest>{_account_request(one.pending, one.operator.name)}</r:AccountRequest>"
        f"<r:SignatureStatus>{_authorization(one.authorization)}</r:SignatureStatus></return>"
        for one in answers
    )
    return _answer("getPendingAccountRequest", RECIPIENT_V3, rows)


def abandoned_request_answer() -> bytes:
    """Return the answer of deletePendingAccountRequest."""
    return _answer("deletePendingAccountRequest", RECIPIENT_V3, "")


def pending_change_answer(one: PendingAnswer) -> bytes:
    """Return the answer of getPendingChangeServiceSupplier."""
    signatures = f"<pendingSignatures>{_authorization(one.authorization)}</pendingSignatures>"
    operator = operator_element(one.operator, "serviceSupplier")
    return _answer("getPendingChangeServiceSupplier", RECIPIENT_V2, f"<return>{operator}{signatures}</return>")


def abandoned_change_answer(operator: Operator) -> bytes:
    """Return the answer of deletePendingChangeServiceSupplier."""
    return _answer("deletePendingChangeServiceSupplier", RECIPIENT_V2, operator_element(operator, "serviceSupplier"))


def preferences_answer(recipient: str, senders: Iterable[Sender]) -> bytes:
    """Return the answer of getAccountPreferences."""
    return _answer("getAccountPreferences", RECIPIENT_V3, f"<return>{_preferences(recipient, senders)}</return>")


def pending_preferences_answer(one: PendingAnswer) -> bytes:
    """Return the answer of getPendingAccountPreferences."""
    preferences = f"<AccountPreferences>{_preferences(one.pending.recipient, one.accepted)}</AccountPreferences>"
    signatures = f"<PendingSignatures>{_authorization(one.authorization)}</PendingSignatures>"
    return _answer("getPendingAccountPreferences", RECIPIENT_V2, f"<return>{preferences}{signatures}</return>")


def abandoned_preferences_answer(recipient: str, user: str) -> bytes:
    """Return the answer of deletePendingAccountPreferences."""
    inner = f"<Id>{_text(recipient)}</Id><UserIdentity>{_text(user)}</UserIdentity>"
    return _answer("deletePendingAccountPreferences", RECIPIENT_V2, f"<return>{inner}</return>")


def authorized_signer_answer(one: AuthorizedAccount) -> bytes:
    """Return the answer of isAuthorizedSigner."""
    inner = (
        f"<isAccountAuthorizedSigner>{'true' if one.authorized else 'false'}</isAccountAuthorizedSigner>"
        f"<UserIdentity>{_text(one.user)}</UserIdentity><CompanyId>{_text(one.company)}</CompanyId>"
        f"<CompanyName>{_text(one.company_name)}</CompanyName>"
        f"<CompanySignatureRuleText>{_text(one.rule_text)}</CompanySignatureRuleText>"
        f"{_persons('PossibleSigners', one.possible_signers)}"
        f"{_information(one.information) if one.information else ''}"
    )
    return _answer("isAuthorizedSigner", RECIPIENT_V2, f"<return>{inner}</return>")


def _answer(operation: str, namespace: str, inner: str) -> bytes:
    return f'<{operation}Response xmlns="{namespace}" {_NAMES}>{inner}</{operation}Response>'.encode()


def _information(one: AccountInformation) -> str:
    text = "" if one.agreement_text is None else f"<AgreementText>{_text(one.agreement_text)}</AgreementText>"
    return (
        f"<AccountInformation><AccountStatus>{'Active' if one.active else 'Pending'}</AccountStatus>"
        f"{_persons('SignedBy', one.signed_by)}<SignatureStatus>{one.status.value}</SignatureStatus>"
        f"<serviceSupplier>{_text(one.operator)}</serviceSupplier>{text}</AccountInformation>"
    )


def _account_request(one: Pending, operator_name: str) -> str:
    return (
        f"<r:Id>{_text(one.recipient)}</r:Id><r:Type>{_REQUEST_TYPES[one.kind]}</r:Type>"
        f"<r:AgreementText>{_text(one.agreement_text)}</r:AgreementText>"
        f"<r:Timestamp>{one.requested_on.isoformat()}</r:Timestamp>"
        f"<r:ServiceSupplier>{_text(operator_name)}</r:ServiceSupplier>"
    )


def _preferences(recipient: str, senders: Iterable[Sender]) -> str:
    rows = "".join(
        f"<r:AcceptedSenders><s:Id>{_text(one.number)}</s:Id><s:Name>{_text(one.name)}</s:Name>"
        f"{'' if one.attention is None else f'<s:Attention>{_text(one.attention)}</s:Attention>'}</r:AcceptedSenders>"
        for one in senders
    )
    return f"<r:Id>{_text(recipient)}</r:Id>{rows}"


def _authorization(one: Authorization) -> str:
    return (
        f"<a:Id>{_text(one.recipient)}</a:Id>{_persons('a:SignedBy', one.signed_by)}"
        f"<a:Status>{one.status.value}</a:Status><a:Timestamp>{one.at.isoformat()}</a:Timestamp>"
        f"<a:Text>{_text(one.text)}</a:Text>{_persons('a:PossibleSigners', one.possible_signers)}"
    )


def _persons(element: str, persons: Iterable[Signatory]) -> str:
    return "".join(
        f"<{element}><a:Id>{_text(one.number)}</a:Id><a:Name>{_text(one.name)}</a:Name></{element}>" for one in persons
    )


def _text(value: str) -> str:
    # Names come from certificates and other registers, which may hold what XML cannot; a bare CR would become LF.
    return escape(_NOT_XML.sub("\ufffd", value), {"\r": "&#13;"})


def _child(parent: etree._Element | None, namespace: str, name: str) -> str:
    return text_of(parent.find(qname(namespace, name))) if parent is not None else ""


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        # The schema's days reach further than a calendar's: 24:00 zones, years of five digits and before Christ.
        raise Refused(Refusal.SCHEMA_VIOLATION, "AccountRequest/Timestamp") from None


def _signatures(elements: Iterable[etree._Element]) -> tuple[UserSignature, ...]:
    return tuple(
        UserSignature(
            b64decode(_child(one, COMMON_V1, "Signature")),
            _child(one, COMMON_V1, "Certificate"),
            _child(one, COMMON_V1, "Nonce") if one.find(qname(COMMON_V1, "Nonce")) is not None else None,
            _child(one, COMMON_V1, "EncodingOfSignedText") or "UTF-8",
        )
        for one in elements
    )
