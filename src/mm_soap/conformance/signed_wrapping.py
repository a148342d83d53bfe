"""Messages in which what was signed is not what would be read, for every role that gets a signed delivery.

Source: signing, "What a signature does not prove". Each has a signature that some library calls valid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from mm_soap.conformance.carrying import Answer
from mm_soap.conformance.model import Cases
from mm_soap.conformance.signed import SUBJECT, Bench, add, refused
from mm_soap.conformance.xmlsig import Manner, signed, with_id
from mm_soap.xml import DSIG, SOAP_ENVELOPE

B = TypeVar("B", bound=Bench)

RULE: Final = "signing.md, What a signature does not prove"
_BY_ID: Final = Manner(by_id=True)
_START: Final = f'<soap:Envelope xmlns:soap="{SOAP_ENVELOPE}">'.encode()
_END: Final = b"</soap:Envelope>"


def _body(content: bytes) -> bytes:
    return b"<soap:Body>%s</soap:Body>" % content


def _forged(document: bytes) -> bytes:
    return document.replace(SUBJECT.encode(), b"Nagot annat")


def _plain(bench: Bench) -> bytes:
    document, signer = bench.unfinished()
    return signed(document, signer)


def _by_id(bench: Bench) -> bytes:
    """Return an outermost document that is signed by its Id."""
    document, signer = bench.unfinished()
    return signed(document, signer, _BY_ID)


def _post(bench: Bench, *parts: bytes) -> Answer:
    return bench.line.post(b"".join((_START, *parts, _END)))


def _two_payloads(bench: Bench, forged_first: bool) -> Answer:
    document = _plain(bench)
    pair = [bench.wire.carry(document), bench.wire.carry(_forged(document))]
    return _post(bench, _body(b"".join(reversed(pair) if forged_first else pair)))


def _two_bodies(bench: Bench, forged_first: bool) -> Answer:
    document = _plain(bench)
    pair = [_body(bench.wire.carry(document)), _body(bench.wire.carry(_forged(document)))]
    return _post(bench, *(reversed(pair) if forged_first else pair))


def _two_documents(bench: Bench) -> Answer:
    document = _plain(bench)
    both = bench.wire.renamed(_forged(document)) + bench.wire.renamed(document)
    return _post(bench, _body(bench.wire.around(both)))


def _split(document: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the last signature, the signature, and the end."""
    start, end = document.rindex(b"<Signature xmlns"), document.rindex(b"</Signature>") + len(b"</Signature>")
    return document[:start], document[start:end], document[end:]


def _moved_to_header(bench: Bench) -> Answer:
    """The signed document in the header; another one in the body, with the signature that refers to the first."""
    whole = _by_id(bench)
    before, signature, end = _split(whole)
    other = _forged(before.replace(b' Id="SD-1"', b' Id="SD-2"', 1)) + signature + end
    return _post(bench, b"<soap:Header>" + whole + b"</soap:Header>", _body(bench.wire.carry(other)))


def _nested(bench: Bench, new_id: str) -> Answer:
    """The signed document in an Object of the signature of another one."""
    whole = _by_id(bench)
    before, signature, end = _split(whole)
    inside = b'<Object xmlns="%s">%s</Object></Signature>' % (DSIG.encode(), whole)
    other = before.replace(b' Id="SD-1"', b"", 1)
    forged = with_id(_forged(other), new_id) + signature.removesuffix(b"</Signature>") + inside + end
    return _post(bench, _body(bench.wire.carry(forged)))


_ONE: Final = (
    "Accept one Body, one element in it, and one document in that; read nothing but the document that verified."
)
_PLACE: Final = "Find the signed element by its place, never by its Id, and accept a Reference to that element alone."

_WRAPPED: Final[tuple[tuple[str, str, str, Callable[[Bench], Answer]], ...]] = (
    ("payload-after", "A second, changed payload after the signed one", _ONE, lambda b: _two_payloads(b, False)),
    ("payload-before", "A second, changed payload before the signed one", _ONE, lambda b: _two_payloads(b, True)),
    ("body-after", "A second Body with a changed payload after the signed one", _ONE, lambda b: _two_bodies(b, False)),
    ("body-before", "A second Body with a changed payload before the signed one", _ONE, lambda b: _two_bodies(b, True)),
    ("two-documents", "A second document in the operation's element", _ONE, _two_documents),
    ("header", "A signed element that was moved to the Header, with another in its place", _PLACE, _moved_to_header),
    ("nested", "A signed element within the signature of another one", _PLACE, lambda b: _nested(b, "SD-2")),
    ("same-id", "The same, where both have one Id", _PLACE, lambda b: _nested(b, "SD-1")),
)


def add_wrapping(cases: Cases[B]) -> None:
    """Add messages in which what was signed is not what would be read."""

    def tried(send: Callable[[Bench], Answer], bench: Bench) -> None:
        refused(send(bench), 5001, 5006)

    for name, what, remedy, send in _WRAPPED:
        add(cases, f"wrapped.{name}", f"{what} is refused with 5001 or 5006.", RULE, remedy, partial(tried, send))
