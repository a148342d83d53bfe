"""Requests to a register, as bytes: what a client would send, and what none should."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final
from xml.sax.saxutils import escape

from mm_soap.conformance.register_target import contract_of, port_of
from mm_soap.contract import ports
from mm_soap.user_signatures import UserSignature
from mm_soap.xml import COMMON_V1, RECIPIENT_V1, SCHEMA, SENDER

OPERATIONS: Final = (*ports()["recipient"].operations, *ports()["authority"].operations)
"""Every operation of the register."""

JUNK: Final = UserSignature(b"<signature/>", "bm8gY2VydGlmaWNhdGU=", None, "UTF-8")
"""A signature that nobody made."""

_OPEN: Final = f'xmlns:r="{RECIPIENT_V1}" xmlns:s="{SENDER}" xmlns:c="{COMMON_V1}" xmlns:a="{SCHEMA}/Authority"'


def element(operation: str, inner: str = "") -> bytes:
    """Return the request element of an operation around what is written inside it.

    Names without a prefix are the operation's own; of Authority's they are in no namespace.
    """
    namespace, _, name = contract_of(operation).input[1:].partition("}")
    if port_of(operation).name == "authority":
        return f'<o:{name} xmlns:o="{namespace}" {_OPEN}>{inner}</o:{name}>'.encode()
    return f'<{name} xmlns="{namespace}" {_OPEN}>{inner}</{name}>'.encode()


def lookup(operation: str, sender: str, ids: Iterable[str]) -> bytes:
    """Return a request of isRegistered or isReachable."""
    rows = "".join(f"<recipientId>{one}</recipientId>" for one in ids)
    return element(operation, f"{_sender(operation, sender)}{rows}")


def _sender(operation: str, sender: str) -> str:
    return f"<senderOrgNr>{sender}</senderOrgNr>" if operation == "isReachable" else ""


def identity(operation: str, recipient: str, user: str) -> bytes:
    """Return a request that names no more than a recipient and a user."""
    names = _IDENTITIES.get(operation, ("Id", "UserIdentity", ""))
    inner = f"<{names[0]}>{recipient}</{names[0]}><{names[1]}>{user}</{names[1]}>"
    return element(operation, f"<{names[2]}>{inner}</{names[2]}>" if names[2] else inner)


_IDENTITIES: Final[Mapping[str, tuple[str, str, str]]] = {
    "getPendingAccountRequest": ("recipientId", "userIdentity", ""),
    "deletePendingAccountRequest": ("recipientId", "userIdentity", ""),
    "getAccountPreferences": ("RecipientId", "UserIdentity", ""),
    "isAuthorizedSigner": ("CompanyId", "UserIdentity", ""),
    "deletePendingChangeServiceSupplier": ("Id", "UserIdentity", "organizationIdentity"),
    "deletePendingAccountPreferences": ("Id", "UserIdentity", "organizationIdentity"),
}


def account(operation: str, recipient: str, operator_name: str, text: str, *signatures: UserSignature) -> bytes:
    """Return a request of register or deregister."""
    outer, kind = ("accountRequest", "Create") if operation == "register" else ("deregisterAccount", "Delete")
    inner = (
        f"<{outer}><r:Id>{recipient}</r:Id><r:Type>{kind}</r:Type><r:AgreementText>{escape(text)}</r:AgreementText>"
        f"<r:Timestamp>{date.today().isoformat()}</r:Timestamp>"
        f"<r:ServiceSupplier>{escape(operator_name)}</r:ServiceSupplier></{outer}>"
    )
    account_type = "<accountType>Secure</accountType>" if operation == "register" else ""
    return element(operation, f"{inner}{account_type}{_signed('signature', signatures)}")


def change(recipient: str, operator_name: str, text: str, *signatures: UserSignature) -> bytes:
    """Return a request of changeServiceSupplier."""
    who = f"<Id>{recipient}</Id><UserIdentity>{recipient}</UserIdentity>"
    wanted = f"<ServiceSupplier>{escape(operator_name)}</ServiceSupplier>"
    return element("changeServiceSupplier", f"{who}{wanted}{_agreement(text)}{_signed('SignatureData', signatures)}")


def preferences(recipient: str, senders: Sequence[str], text: str, *signatures: UserSignature) -> bytes:
    """Return a request of storeAccountPreferences."""
    who = f"<Id>{recipient}</Id><UserIdentity>{recipient}</UserIdentity>"
    rows = "".join(f"<r:AcceptedSenders><s:Id>{one}</s:Id><s:Name>Namn</s:Name></r:AcceptedSenders>" for one in senders)
    wanted = f"<preferences><r:Id>{recipient}</r:Id>{rows}</preferences>"
    return element("storeAccountPreferences", f"{who}{wanted}{_agreement(text)}{_signed('SignatureData', signatures)}")


def new_signer(recipient: str, signer: str | None) -> bytes:
    """Return a request of testNewSigner, where nobody has signed yet."""
    new = f"<arg2>{signer}</arg2>" if signer else ""
    return element("testNewSigner", f"<arg0>{recipient}</arg0>{new}<arg3>Ownership</arg3>")


def verify(recipient: str, text: str, *signatures: UserSignature) -> bytes:
    """Return a request of verifyAuthorizedSignatures."""
    data = f"<arg2>{b64encode(text.encode()).decode()}</arg2>"
    inner = f"<arg0>{recipient}</arg0>{_signed('arg1', signatures)}{data}<arg3>Ownership</arg3>"
    return element("verifyAuthorizedSignatures", inner)


def argument(operation: str, number: str) -> bytes:
    """Return a request of Authority that names one organisation or person."""
    return element(operation, f"<arg0>{number}</arg0>")


def incomplete(operation: str) -> bytes:
    """Return a request that breaks the schema: without its children, or with one too many where it has none."""
    return element(operation, "<surplus/>" if operation in ("getSenders", "getDispatchers") else "")


def _agreement(text: str) -> str:
    return f"<AgreementText>{escape(text)}</AgreementText>"


def _signed(name: str, signatures: Iterable[UserSignature]) -> str:
    return "".join(
        f"<{name}><c:Signature>{b64encode(one.signature).decode()}</c:Signature>"
        f"<c:Certificate>{one.certificate}</c:Certificate>"
        f"{'' if one.nonce is None else f'<c:Nonce>{escape(one.nonce)}</c:Nonce>'}"
        f"<c:EncodingOfSignedText>{one.encoding}</c:EncodingOfSignedText></{name}>"
        for one in signatures
    )
