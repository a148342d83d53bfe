"""What is wrong with a request before its content: HTTP, XML, the envelope, and which operation it is."""

from __future__ import annotations

import re
import zlib
from typing import Final

from lxml import etree

from mm_soap.conformance.sender.model import Request, Sheet
from mm_soap.contract import ports
from mm_soap.errors import Refusal, Refused
from mm_soap.soap.envelope import payload_of
from mm_soap.soap.request import HttpError, check_headers, check_markup, to_utf8
from mm_soap.xml import SOAP_ENVELOPE, parse_untrusted, place_of_error

MOST_BYTES: Final = 20 * 1024 * 1024
"""The longest request that is read."""

SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"
_QUOTED: Final = re.compile(r'"[^"]*"')
_MUST_UNDERSTAND: Final = f"{{{SOAP_ENVELOPE}}}mustUnderstand"
PORTS: Final = ("message", "notification", "service")
"""What is listened for."""


def judge_http(request: Request, sheet: Sheet) -> str | None:
    """Judge what HTTP says; return the charset that it declares."""
    paths = ", ".join(ports()[name].path for name in PORTS)
    if request.port is None:
        sheet.http = HttpError(404, "There is nothing at this path.")
    sheet.judges(
        "http.path", request.port is not None, f"There is no service at this path. There are: {paths}.", "HTTP"
    )
    if request.method != "POST":
        sheet.http = sheet.http or HttpError(405, "Send a SOAP request by POST.", (("Allow", "GET, POST"),))
    sheet.judges("http.method", request.method == "POST", f"It came by {request.method[:20]}.", "HTTP")
    if request.method != "POST":
        return None
    charset = _judge_type(request, sheet)
    action = request.header("SOAPAction")
    right = action is None or not action.strip() or _QUOTED.fullmatch(action.strip()) is not None
    sheet.judges("http.soap-action", right, "SOAPAction has a value without quotation marks.", "HTTP, SOAPAction")
    _judge_length(request, sheet)
    return charset


def _judge_type(request: Request, sheet: Sheet) -> str | None:
    charset, kind = None, request.header("Content-Type")
    try:
        charset = check_headers({"CONTENT_TYPE": kind})
        sheet.keeps("http.content-type")
    except HttpError as error:
        sheet.http = sheet.http or error
        what = f"{error.text} It came as {_named(kind)}."
        if "multipart" in (kind or "").lower():
            what += " The client sends attachments beside the envelope (MTOM or SwA): switch that off."
        elif "soap+xml" in (kind or "").lower():
            what += " That is SOAP 1.2."
        sheet.breaks("http.content-type", what, "HTTP, Content-Type")
    coding = request.header("Content-Encoding")
    try:
        check_headers({"CONTENT_TYPE": "text/xml", "HTTP_CONTENT_ENCODING": coding})
        sheet.keeps("http.not-compressed")
    except HttpError as error:
        sheet.http = sheet.http or error
        sheet.breaks("http.not-compressed", f"It came as {_named(coding)}.", "HTTP, Content-Encoding")
    return charset


def _named(value: str | None) -> str:
    return value.partition(";")[0].strip()[:60] if value else "nothing"


def _judge_length(request: Request, sheet: Sheet) -> None:
    chunked = "chunked" in (request.header("Transfer-Encoding") or "").lower()
    if len(request.body) > MOST_BYTES:
        sheet.http = sheet.http or HttpError(413, "The request is too large.")
        sheet.breaks("http.length", f"It has more than {MOST_BYTES} bytes.", "HTTP")
    elif not chunked and request.header("Content-Length") is None:
        sheet.http = sheet.http or HttpError(411, "The request needs a Content-Length.")
        sheet.breaks("http.length", "It has neither Content-Length nor chunks.", "HTTP")
    elif request.broken_off:
        sheet.http = sheet.http or HttpError(400, "The request body is shorter than its Content-Length.")
        sheet.breaks("http.length", "The body ended before its length.", "HTTP, Content-Length")
    else:
        sheet.keeps("http.length")


def unpacked(body: bytes) -> bytes:
    """Return a body without gzip or deflate, as far as it can be unpacked, so that the rest can be judged too."""
    if not body.startswith((b"\x1f\x8b", b"\x78")):
        return body
    try:
        return zlib.decompressobj(wbits=47).decompress(body, MOST_BYTES)
    except zlib.error:
        return body


def judge_envelope(request: Request, sheet: Sheet, charset: str | None) -> None:
    """Judge the XML, the envelope and the operation; what was found stands in the sheet."""
    root = _parsed(request, sheet, charset)
    if root is None:
        return
    payload = _payload(root, sheet)
    if payload is None or request.port is None:
        return
    sheet.operation = request.port.operation_for(str(payload.tag))
    if sheet.operation is None:
        place = f"Envelope/Body/{etree.QName(payload).localname}"
        what = _other_operation(payload, request.port.name)
        sheet.breaks("operation.known", what, place, Refused(Refusal.UNKNOWN_OPERATION))
        return
    sheet.keeps("operation.known")
    sheet.payload = payload


def _parsed(request: Request, sheet: Sheet, charset: str | None) -> etree._Element | None:
    raw = unpacked(request.body)
    malformed = Refused(Refusal.MALFORMED_XML)
    if not raw.strip():
        sheet.breaks("envelope.well-formed", "The body is empty.", "HTTP", malformed)
        return None
    try:
        sheet.raw = to_utf8(raw, charset)
        sheet.raw.decode("utf-8")
    except (Refused, UnicodeDecodeError) as error:
        refused = error if isinstance(error, Refused) else malformed
        text = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
        if text.startswith(b"<") or raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            sheet.breaks("envelope.encoding", _encoding(raw, charset), "the first line", refused)
        else:
            sheet.breaks("envelope.well-formed", "It does not begin with an element.", "line 1, column 1", refused)
        return None
    sheet.keeps("envelope.encoding")
    try:
        check_markup(sheet.raw)
        sheet.keeps("envelope.size")
        root = parse_untrusted(sheet.raw)
    except Refused as refused:
        if refused.refusal is Refusal.MALFORMED_XML:
            line, column = place_of_error(sheet.raw) or (1, 1)
            again = sheet.raw.find(b"<?xml", 6) > 0
            what = "It cannot be parsed." + (" An XML declaration stands inside it." if again else "")
            sheet.breaks("envelope.well-formed", what, f"line {line}, column {column}", refused)
        else:
            name = "envelope.doctype" if refused.refusal is Refusal.DOCTYPE else "envelope.size"
            sheet.breaks(name, refused.description, "before Envelope" if name.endswith("doctype") else "", refused)
        return None
    sheet.keeps("envelope.well-formed", "envelope.doctype")
    return root


def _encoding(raw: bytes, charset: str | None) -> str:
    declared = charset or "UTF-8, or what the XML declaration says"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"The bytes are not in the encoding that is declared ({declared}): see byte {error.start + 1}."
    return f"The encoding that is declared cannot be read ({declared})."


def _payload(root: etree._Element, sheet: Sheet) -> etree._Element | None:
    try:
        payload = payload_of(root)
        sheet.keeps("envelope.version", "envelope.body", "envelope.must-understand")
        return payload
    except Refused as refused:
        if refused.refusal is Refusal.VERSION_MISMATCH:
            named = "SOAP 1.2" if etree.QName(root).namespace == SOAP_12 else "another namespace"
            sheet.breaks("envelope.version", f"The Envelope is in {named}.", "Envelope", refused)
        elif refused.refusal is Refusal.MUST_UNDERSTAND:
            found = next(each for each in root.iter("*") if each.get(_MUST_UNDERSTAND) in ("1", "true"))
            place = f"Envelope/Header/{etree.QName(found).localname}"
            sheet.breaks("envelope.must-understand", "A header must be understood.", place, refused)
        else:
            sheet.breaks("envelope.body", _not_soap(root), "Envelope", refused)
    return _first_of_a_body(root)


def _not_soap(root: etree._Element) -> str:
    if etree.QName(root).localname != "Envelope":
        return "There is no Envelope: the element of the operation stands alone."
    bodies = [each for each in root.iterchildren("*") if etree.QName(each).localname == "Body"]
    inside = [len(list(each.iterchildren("*"))) for each in bodies]
    return f"The Envelope has {len(bodies)} Body, with {' and '.join(map(str, inside)) or 'no'} elements in it."


def _first_of_a_body(root: etree._Element) -> etree._Element | None:
    if etree.QName(root).localname != "Envelope":
        return root
    bodies = (each for each in root.iterchildren("*") if etree.QName(each).localname == "Body")
    return next((child for body in bodies for child in body.iterchildren("*")), None)


def _other_operation(payload: etree._Element, called: str) -> str:
    name = etree.QName(payload).localname
    here = [one for one in ports()[called].operations.values() if etree.QName(one.input).localname == name]
    if here:
        return f"{name} is an operation of this service, in the namespace {etree.QName(here[0].input).namespace}."
    others = [port for port in ports().values() if port.operation_for(str(payload.tag)) is not None]
    if others:
        return f"{name} is an operation of {others[0].service}, at {others[0].path}."
    known = ", ".join(ports()[called].operations)
    return f"The element is no operation of this service. It has {known}."
