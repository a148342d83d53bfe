"""Calls a WSGI application with an operation in an envelope."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from lxml import etree

from mm_soap.xml import SOAP_ENVELOPE

Application = Callable[[dict[str, Any], Callable[..., Any]], list[bytes]]


def call(application: Application, path: str, operation: bytes) -> etree._Element:
    """Return what stands in the Body of the answer."""
    envelope = b'<e:Envelope xmlns:e="%s"><e:Body>%s</e:Body></e:Envelope>' % (SOAP_ENVELOPE.encode(), operation)
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "text/xml; charset=utf-8",
        "CONTENT_LENGTH": str(len(envelope)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(envelope),
    }
    answer = b"".join(application(environ, lambda *_: None))
    (inside,) = etree.fromstring(answer).find(f"{{{SOAP_ENVELOPE}}}Body")
    return inside


def error_code(fault: etree._Element) -> str | None:
    """Return the ErrorCode of a fault."""
    codes = fault.xpath("//*[local-name() = 'ErrorCode']/text()")
    return codes[0] if codes else None
