"""SOAP 1.1 envelopes: taking the one element out of a Body, and putting one in as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from mm_soap.errors import TECHNICAL_BELOW, Refusal, Refused
from mm_soap.xml import AUTHORITY, COMMON_V1, SOAP_ENVELOPE

_ENVELOPE: Final = f"{{{SOAP_ENVELOPE}}}Envelope"
_HEADER: Final = f"{{{SOAP_ENVELOPE}}}Header"
_BODY: Final = f"{{{SOAP_ENVELOPE}}}Body"
_MUST_UNDERSTAND: Final = f"{{{SOAP_ENVELOPE}}}mustUnderstand"
_ACTOR: Final = f"{{{SOAP_ENVELOPE}}}actor"
_NEXT: Final = "http://schemas.xmlsoap.org/soap/actor/next"

_START: Final = f'<soap:Envelope xmlns:soap="{SOAP_ENVELOPE}"><soap:Body>'.encode()
_END: Final = b"</soap:Body></soap:Envelope>"
_FAULT_CODES: Final = {Refusal.MUST_UNDERSTAND: "MustUnderstand", Refusal.VERSION_MISMATCH: "VersionMismatch"}


def wrap(payload: etree._Element | bytes) -> bytes:
    """Return the envelope around one element. Bytes are spliced in as they are, so a signature in them survives."""
    if not isinstance(payload, bytes):
        payload = etree.tostring(payload, encoding="UTF-8", xml_declaration=False, with_tail=False)
    return wrap_parts((payload,))


def wrap_parts(parts: Sequence[bytes]) -> bytes:
    """Return the envelope around one element that is given in parts."""
    return b"".join((_START, *parts, _END))


def payload_of(envelope: etree._Element) -> etree._Element:
    """Return the one element in the Body of a SOAP 1.1 envelope; it stays where it is.

    Elements are found by their place alone: ``id`` and ``href`` mean nothing here. A header that must be understood is
    refused, since none is known here, unless it is addressed to somebody else.

    Raises:
        Refused: ``VERSION_MISMATCH``, ``MUST_UNDERSTAND`` or ``NOT_SOAP``.
    """
    if envelope.tag != _ENVELOPE:
        is_envelope = etree.QName(envelope).localname == "Envelope"
        raise Refused(Refusal.VERSION_MISMATCH if is_envelope else Refusal.NOT_SOAP)
    parts = _elements(envelope)
    if len(parts) == 2 and parts[0].tag == _HEADER:
        for header in parts[0].iterchildren("*"):
            if header.get(_MUST_UNDERSTAND) in ("1", "true") and header.get(_ACTOR) in (None, "", _NEXT):
                raise Refused(Refusal.MUST_UNDERSTAND)
        del parts[0]
    if len(parts) != 1 or parts[0].tag != _BODY:
        raise Refused(Refusal.NOT_SOAP)
    content = _elements(parts[0])
    if len(content) != 1:
        raise Refused(Refusal.NOT_SOAP)
    return content[0]


def _elements(parent: etree._Element) -> list[etree._Element]:
    # Comments and processing instructions between elements are no content; text is.
    if _is_text(parent.text) or any(_is_text(child.tail) for child in parent):
        raise Refused(Refusal.NOT_SOAP)
    return list(parent.iterchildren("*"))


def _is_text(text: str | None) -> bool:
    return text is not None and not text.isspace() and text != ""


def fault(refused: Refused, call_id: str, element: str | None) -> bytes:
    """Return the envelope with the fault for a refusal.

    Args:
        refused: decides faultcode, ErrorCode and Description.
        call_id: 20 to 50 characters.
        element: the qualified name of the contract's fault element. None where the contract has none for this case:
            the port Authority has one for each operation alone, so a request without a known operation is answered
            without detail, and the CallId ends the faultstring.
    """
    code = _FAULT_CODES.get(refused.refusal) or ("Client" if refused.refusal.code >= TECHNICAL_BELOW else "Server")
    text = escape(refused.description)
    if element is None:
        return _fault(code, f"{text} (CallId {call_id})", "")
    namespace, _, name = element[1:].partition("}")
    inner = COMMON_V1 if namespace == AUTHORITY else namespace
    information = (
        f"<c:ErrorCode>{refused.refusal.code}</c:ErrorCode><c:Description>{text}</c:Description>"
        f"<c:CallId>{call_id}</c:CallId>"
    )
    detail = f'<f:{name} xmlns:f="{namespace}" xmlns:c="{inner}">{information}</f:{name}>'
    return _fault(code, text, f"<detail>{detail}</detail>")


def _fault(code: str, text: str, detail: str) -> bytes:
    return wrap(
        f"<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring>{detail}</soap:Fault>".encode()
    )
