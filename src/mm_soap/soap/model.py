"""What passes between the SOAP shell and those who use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from mm_soap.errors import Refused


@dataclass(frozen=True)
class Caller:
    """Who calls: the organisation that its TLS client certificate names, or None without one, and its address."""

    organisation: str | None
    address: str


@dataclass(frozen=True)
class Call:
    """One call of an operation.

    ``call_id`` is new for each call and stands in its log line and in its fault. ``raw`` is the whole request as the
    UTF-8 bytes that were parsed. ``payload`` is the operation's element, inside the tree of its envelope; it follows
    the schema.
    """

    call_id: str
    operation: str
    caller: Caller
    raw: bytes
    payload: etree._Element


Handler = Callable[[Call], "etree._Element | bytes"]
"""Carries out one operation and returns the answer's element, as a tree or serialised in UTF-8 without a declaration.

It may raise `Refused`. Any other exception becomes the technical fault."""

Precheck = Callable[[etree._Element], None]
"""Looks at an operation's element before the schema does, and may raise `Refused`."""

RefusedHook = Callable[[str, "str | None", Caller, bytes, Refused], None]
"""Is told of each refusal: call id, operation or None where none is known, caller, request bytes, refusal."""

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], "list[bytes]"]
"""A WSGI application whose answers are lists of bytes."""
