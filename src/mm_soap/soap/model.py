"""What passes between the SOAP shell and those who use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Union

from lxml import etree

from mm_soap.errors import Refused
from mm_soap.soap.request import HttpError


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
    the schema. ``values`` holds what a `Shorten` took out of the payload, the first one that it left there too; None
    where it took out nothing.
    """

    call_id: str
    operation: str
    caller: Caller
    raw: bytes
    payload: etree._Element
    values: Sequence[str] | None = None


@dataclass(frozen=True)
class ProvenAnswer:
    """An answer of which its maker has a proof that it follows the schema: it is sent without another look.

    Only `mm_soap.recipient.hot` makes one, and says there why it may.

    Args:
        element: the qualified name of the answer's element.
        parts: the element, serialised in UTF-8 without a declaration, in parts that follow one another. It may be half
            a megabyte, which is put together once.
    """

    element: str
    parts: Sequence[bytes]


Answer = Union["etree._Element", bytes, ProvenAnswer]
"""What a `Handler` returns."""

Handler = Callable[[Call], Answer]
"""Carries out one operation and returns the answer's element, as a tree or serialised in UTF-8 without a declaration.

It may raise `Refused`. Any other exception becomes the technical fault."""


@dataclass(frozen=True)
class Shortened:
    """A request without the repetitions in it, which its maker has checked as the schema would.

    Args:
        content: the whole envelope, with the first of the repeated elements alone.
        element: the qualified name of the operation's element for which this holds.
        values: the texts of all repeated elements.
        stands_in: tells of the operation's element in ``content``, and the values, whether the first one stands there.
    """

    content: bytes
    element: str
    values: Sequence[str]
    stands_in: Callable[[etree._Element, Sequence[str]], bool]


Shorten = Callable[[bytes], "Shortened | None"]
"""Shortens a request, given in UTF-8, where it can. `mm_soap.recipient.hot` has the only one, and says why it may."""

Precheck = Callable[[etree._Element], None]
"""Looks at an operation's element before the schema does, and may raise `Refused`."""

RefusedHook = Callable[[str, "str | None", Caller, bytes, "Refused | HttpError"], None]
"""Is told of each refusal: call id, operation or None where none is known, caller, request bytes, refusal."""

SentHook = Callable[[str, Caller, bytes], None]
"""Is told, before a call is carried out, of a request that came in another encoding than UTF-8: call id, caller, and
the bytes as they came."""

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
"""A WSGI application. Whoever calls it closes what it returns, where that can be closed."""
