"""Requests and answers of the Authority service.

Answers are written as text: every name in them is a constant, and every value is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.far.accounts.answers import Authorization
from mm_soap.far.accounts.model import Signatory
from mm_soap.far.model import Dispatcher, Sender
from mm_soap.far.rights import AccessRights, AccountAction, Problem, Right
from mm_soap.user_signatures import UserSignature
from mm_soap.xml import AUTHORITY, COMMON_V1, DISPATCHER, SCHEMA, SENDER, qname, text_of

# The elements of this service's messages are unqualified, all other schemas' are qualified.
_OPEN: Final = '<a:{0}Response xmlns:a="{1}" xmlns:s="{2}" xmlns:d="{3}">'
_OPEN_TYPES: Final = '<a:{0}Response xmlns:a="{1}" xmlns:t="{2}">'
_TYPES: Final = f"{SCHEMA}/Authority"


def read_identity(payload: etree._Element) -> str:
    """Return the id that a request asks about, its first argument."""
    return text_of(payload.find("arg0"))


def read_action(payload: etree._Element) -> AccountAction:
    """Return the action that signatures are meant for."""
    return AccountAction(text_of(payload.find("arg3")))


def read_signed(payload: etree._Element) -> Sequence[str]:
    """Return the ids of those who have signed, of testNewSigner."""
    return [text_of(one.find(qname(_TYPES, "Id"))) for one in payload.iterfind("arg1")]


def read_new_signer(payload: etree._Element) -> str | None:
    """Return the personal number of the one who would sign next, of testNewSigner; None where none is given."""
    child = payload.find("arg2")
    return None if child is None else text_of(child)


def read_signatures(payload: etree._Element) -> Sequence[UserSignature]:
    """Return the signatures of verifyAuthorizedSignatures."""
    return [_signature(one) for one in payload.iterfind("arg1")]


def read_data(payload: etree._Element) -> bytes:
    """Return the data that were signed, of verifyAuthorizedSignatures."""
    return _decoded(payload.find("arg2"))


def _signature(element: etree._Element) -> UserSignature:
    nonce = element.find(qname(COMMON_V1, "Nonce"))
    # An empty one takes the schema's default, as one that is left out.
    encoding = text_of(element.find(qname(COMMON_V1, "EncodingOfSignedText"))) or "UTF-8"
    return UserSignature(
        _decoded(element.find(qname(COMMON_V1, "Signature"))),
        text_of(element.find(qname(COMMON_V1, "Certificate"))),
        None if nonce is None else text_of(nonce),
        encoding,
    )


def _decoded(element: etree._Element | None) -> bytes:
    # The schema has seen that this is base64; white space may stand anywhere in it.
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except ValueError:
        raise Refused(Refusal.SCHEMA_VIOLATION, "base64") from None


def senders_answer(senders: Sequence[Sender]) -> bytes:
    """Return the answer of getSenders."""
    rows = "".join(
        f"<return><s:Id>{escape(one.number)}</s:Id><s:Name>{escape(one.name)}</s:Name>"
        f"{f'<s:Attention>{escape(one.attention)}</s:Attention>' if one.attention is not None else ''}</return>"
        for one in senders
    )
    return _answer("getSenders", rows)


def dispatchers_answer(dispatchers: Sequence[Dispatcher]) -> bytes:
    """Return the answer of getDispatchers."""
    rows = "".join(
        f"<return><d:Id>{escape(one.number)}</d:Id><d:Name>{escape(one.name)}</d:Name>"
        f"{''.join(f'<d:Senders>{escape(number)}</d:Senders>' for number in one.senders)}</return>"
        for one in dispatchers
    )
    return _answer("getDispatchers", rows)


def accepted_answer(accepted: bool) -> bytes:
    """Return the answer of isSenderAccepted."""
    return _answer("isSenderAccepted", f"<return>{'true' if accepted else 'false'}</return>")


def authorization_answer(operation: str, one: Authorization) -> bytes:
    """Return the answer of testNewSigner or verifyAuthorizedSignatures."""
    return _types_answer(
        operation,
        f"<return><t:Id>{escape(one.recipient)}</t:Id>{_persons('SignedBy', one.signed_by)}"
        f"<t:Status>{one.status.value}</t:Status><t:Timestamp>{one.at.isoformat()}</t:Timestamp>"
        f"<t:Text>{escape(one.text)}</t:Text>{_persons('PossibleSigners', one.possible_signers)}</return>",
    )


def rights_answer(operation: str, found: AccessRights) -> bytes:
    """Return the answer of getUserAccessRights or getUserAccessRightsNoConcent."""
    inside = "".join(map(_right, found.rights)) + "".join(map(_problem, found.problems))
    return _types_answer(operation, f"<return>{inside}</return>")


def _persons(name: str, persons: Sequence[Signatory]) -> str:
    return "".join(
        f"<t:{name}><t:Id>{escape(one.number)}</t:Id><t:Name>{escape(one.name)}</t:Name></t:{name}>" for one in persons
    )


def _right(one: Right) -> str:
    access = "".join(f"<t:GrantedAccess>{activity.value}</t:GrantedAccess>" for activity in one.access)
    return (
        f"<t:Rights><t:Id>{escape(one.recipient)}</t:Id>{_optional('OrganizationName', one.organisation_name)}"
        f"<t:UserIdentity>{escape(one.user)}</t:UserIdentity>{access}<t:GrantType>{one.grant.value}</t:GrantType>"
        f"{_optional('Role', one.role)}</t:Rights>"
    )


def _problem(one: Problem) -> str:
    return (
        f"<t:Problems><t:Source>Bolagsverket</t:Source><t:Type>{one.kind.value}</t:Type>"
        f"<t:Description>{escape(one.description)}</t:Description>{_optional('ObjectId', one.company)}</t:Problems>"
    )


def _optional(name: str, value: str | None) -> str:
    return "" if value is None else f"<t:{name}>{escape(value)}</t:{name}>"


def _types_answer(operation: str, inside: str) -> bytes:
    return f"{_OPEN_TYPES.format(operation, AUTHORITY, _TYPES)}{inside}</a:{operation}Response>".encode()


def _answer(operation: str, rows: str) -> bytes:
    opened = _OPEN.format(operation, AUTHORITY, SENDER, DISPATCHER)
    return f"{opened}{rows}</a:{operation}Response>".encode()
