"""The namespaces of the contract, and the only parser of foreign bytes."""

from __future__ import annotations

import threading
from typing import Final

from lxml import etree

from mm_soap.errors import Refusal, Refused

SCHEMA: Final = "http://minameddelanden.gov.se/schema"
COMMON_V1: Final = f"{SCHEMA}/Common"
COMMON_V3: Final = f"{SCHEMA}/Common/v3"
MESSAGE_V1: Final = f"{SCHEMA}/Message"
MESSAGE_V2: Final = f"{SCHEMA}/Message/v2"
MESSAGE_V3: Final = f"{SCHEMA}/Message/v3"
RECIPIENT_V1: Final = f"{SCHEMA}/Recipient"
RECIPIENT_V2: Final = f"{SCHEMA}/Recipient/v2"
RECIPIENT_V3: Final = f"{SCHEMA}/Recipient/v3"
SENDER: Final = f"{SCHEMA}/Sender"
DISPATCHER: Final = f"{SCHEMA}/Dispatcher"
SERVICE_V1: Final = f"{SCHEMA}/Service"
SERVICE_V3: Final = f"{SCHEMA}/Service/v3"
NOTIFICATION_V2: Final = f"{SCHEMA}/Notification/v2"
NOTIFICATION_V3: Final = f"{SCHEMA}/Notification/v3"
OFFICIAL_MATTER_V3: Final = f"{SCHEMA}/OfficialMatter/v3"
AUTHORITY: Final = "http://minameddelanden.gov.se/Authority"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
SOAP_ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

_ENCODINGS: Final = frozenset(
    {"UTF-8", "UTF8", "US-ASCII", "ASCII", "ISO-8859-1", "LATIN1", "UTF-16", "UTF-16LE", "UTF-16BE"}
)
_MOST_IN_SCOPE: Final = 200
"""Namespaces in scope of one element, and attributes of one. Canonical XML takes time in the square of their number."""
_SHORT: Final = 1 << 14
"""In so many bytes it is quicker to count a sign than to look for each."""

_local = threading.local()

# libxml2 fills its table of built-in types when it first compiles a schema, and takes no lock for it. Two threads that
# do so at once find the types half there, or end the process. So it is done here, once, before there are threads.
etree.XMLSchema(etree.XML('<schema xmlns="http://www.w3.org/2001/XMLSchema"/>'))


def hardened_parser() -> etree.XMLParser:
    """Return this thread's parser: no DTD, no entities, no network, libxml2's limits on.

    One parser for each thread, since lxml serialises the use of a shared one.
    """
    parser: etree.XMLParser | None = getattr(_local, "parser", None)
    if parser is None:
        parser = _local.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_blank_text=False,
            remove_comments=False,
            remove_pis=False,
            strip_cdata=True,
            collect_ids=False,
        )
    return parser


def parse_untrusted(raw: bytes) -> etree._Element:
    """Parse bytes that came from outside into the root element.

    Comments and processing instructions are kept, since they are part of what is signed. Nothing is fetched, no entity
    is expanded, and libxml2's own limits (10 MB in one text, a depth of 256) stay on. Bound the length of ``raw``
    before the call.

    Raises:
        Refused: ``MALFORMED_XML``, also for an encoding in which markup is not written as in ASCII, ``DOCTYPE``, or
            ``TOO_COMPLEX`` for more than 200 namespaces in one scope or attributes of one element; none names
            anything of the content.
    """
    if not raw or raw.isspace():
        raise Refused(Refusal.MALFORMED_XML)
    try:
        root = etree.fromstring(raw, hardened_parser())
    except (etree.XMLSyntaxError, ValueError, LookupError):
        raise Refused(Refusal.MALFORMED_XML) from None
    found = root.getroottree().docinfo
    if found.internalDTD is not None:
        raise Refused(Refusal.DOCTYPE)
    if found.encoding is not None and found.encoding.upper() not in _ENCODINGS:
        raise Refused(Refusal.MALFORMED_XML)
    if _may_declare_many(raw) and any(map(_declares_many, root.iter("*"))):
        raise Refused(Refusal.TOO_COMPLEX)
    return root


def _may_declare_many(raw: bytes) -> bool:
    if len(raw) <= _SHORT:
        return raw.count(b"=") >= _MOST_IN_SCOPE
    # Looked for one by one: in a large body of text that is ten times as fast as counting.
    position = -1
    for _ in range(_MOST_IN_SCOPE):
        position = raw.find(b"=", position + 1)
        if position < 0:
            return False
    return True


def _declares_many(element: etree._Element) -> bool:
    return len(element.nsmap) > _MOST_IN_SCOPE or len(element.attrib) > _MOST_IN_SCOPE


def place_of_error(raw: bytes) -> tuple[int, int] | None:
    """Return line and column, from 1 on, at which a document stops being well-formed; None where it does not."""
    try:
        etree.fromstring(raw, hardened_parser())
    except etree.XMLSyntaxError as error:
        return error.position
    except (ValueError, LookupError):
        return 1, 1
    return None


def qname(namespace: str, name: str) -> str:
    """Return ``{namespace}name``, as lxml writes a qualified name."""
    return f"{{{namespace}}}{name}"


def text_of(element: etree._Element | None) -> str:
    """Return the whole text of an element, never only up to a first comment; empty for None."""
    return "".join(str(part) for part in element.itertext()) if element is not None else ""
