"""What is fuzzed: each takes any bytes, and what it raises is a finding."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lxml import etree

from mm_soap.errors import Refusal, Refused
from mm_soap.soap.request import to_utf8
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.databases import fresh_database
from mm_soap.user_signatures import UserSignatureError
from mm_soap.user_signatures.xml_signature import read_xml
from mm_soap.xml import SOAP_ENVELOPE, parse_untrusted
from tests.attacks.parties import Party, dispatcher, operator
from tests.attacks.sites import Cast

CORPUS: Final = Path(__file__).with_name("corpus")
CLOCK: Final = FrozenClock(datetime(2026, 11, 2, 12, tzinfo=UTC))
_STATUSES: Final = ("200 ", "400 ", "405 ", "411 ", "413 ", "415 ", "500 ")
_PATHS: Final = ("/Message/v3", "/Service/v3", "/Notification/v3")
_TYPES: Final = ("text/xml", "text/xml; charset=utf-8", "text/xml; charset=utf-16", "text/xml; charset=iso-8859-1")


@cache
def cast() -> Cast:
    """Who signs."""
    return Cast(TestPki(CLOCK), CLOCK)


@cache
def parties() -> Mapping[str, Party]:
    """The parties by path, with databases that nobody looks into."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(TemporaryDirectory()))
    (folder / "dispatcher").mkdir()
    (folder / "operator").mkdir()
    sends = dispatcher(stack.enter_context(fresh_database(folder / "dispatcher", None)), cast(), keep=False)
    takes = operator(stack.enter_context(fresh_database(folder / "operator", None)), cast(), keep=False)
    return {"/Message/v3": sends, "/Notification/v3": sends, "/Service/v3": takes}


def xml(raw: bytes) -> None:
    """`parse_untrusted`: a tree or a refusal; and of a tree, what the rest relies on."""
    try:
        root = parse_untrusted(raw)
    except Refused as refused:
        if refused.refusal not in (Refusal.MALFORMED_XML, Refusal.DOCTYPE, Refusal.TOO_COMPLEX):
            raise AssertionError(refused.refusal.name) from None
        return
    assert root.getroottree().docinfo.internalDTD is None
    assert not any(isinstance(each, etree._Entity) for each in root.iter())
    assert max(len(each.nsmap) for each in root.iter("*")) <= 200


def shell(raw: bytes) -> None:
    """The shell: the first byte chooses port and Content-Type; the rest is the body.

    An answer, a typed fault that is the caller's, or an HTTP error; never a technical error.
    """
    choice, body = (raw[0], raw[1:]) if raw else (0, b"")
    path, content_type = _PATHS[choice % 3], _TYPES[choice // 3 % 4]
    told: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
    }
    answer = b"".join(parties()[path].applications[path](environ, lambda status, _: told.append(status)))
    assert told[0].startswith(_STATUSES), told
    if told[0][:3] not in ("200", "500"):
        return
    root = parse_untrusted(answer)
    assert root.tag == f"{{{SOAP_ENVELOPE}}}Envelope"
    code = root.findtext(".//{*}ErrorCode")
    assert (code is None) == (told[0][:3] == "200")
    assert code is None or int(code) >= 5000, code


def encodings(raw: bytes) -> None:
    """`to_utf8`: what it returns is read by the parser as the UTF-8 that it is."""
    try:
        text = to_utf8(raw, None)
        root = parse_untrusted(text)
    except Refused:
        return
    again = parse_untrusted(text.decode().encode())
    assert etree.tostring(root) == etree.tostring(again)


def user_signature(raw: bytes) -> None:
    """`read_xml`: a signature of the accepted shape, or a reason."""
    try:
        read_xml(raw)
    except UserSignatureError:
        return


TARGETS: Final[dict[str, tuple[Callable[[bytes], None], str]]] = {
    "xml": (xml, "xml"),
    "encodings": (encodings, "xml"),
    "shell": (shell, "shell"),
    "user_signature": (user_signature, "user_signature"),
}
"""What is fuzzed by name, and the folder of its corpus."""
