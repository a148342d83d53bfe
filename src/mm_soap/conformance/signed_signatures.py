"""Signatures and signers that must be refused, for every role that gets a signed delivery. Source: signing; errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from mm_soap.conformance.carrying import Answer
from mm_soap.conformance.model import Cases
from mm_soap.conformance.signed import SUBJECT, Bench, add, refused
from mm_soap.conformance.signed_forms import ALGORITHMS
from mm_soap.conformance.xmlsig import (
    ENVELOPED,
    EXCLUSIVE,
    HMAC,
    XPATH,
    Manner,
    signature,
    signed,
    with_last_child,
)
from mm_soap.pki import Identity

B = TypeVar("B", bound=Bench)

ERRORS: Final = "errors.md, 5006"
NOT_AUTHORISED: Final = "errors.md, 5002"
WHO_SIGNS: Final = "signing.md, Who signs what"
WRONG: Final = 5006

_LIST: Final = "Pin the accepted algorithms and transforms; never take a library's default list."
_ONE: Final = "Accept one Reference alone, to the whole signed root, and follow no other URI."
_VERIFY: Final = "Verify the digest and the signature value, and answer 5006."


@dataclass(frozen=True)
class Forbidden:
    """A manner of signing that must be refused."""

    name: str
    title: str
    remedy: str
    manner: Manner


FORBIDDEN: Final = (
    Forbidden("hmac", "with HMAC under the signer's public key", _LIST, Manner(method=HMAC)),
    Forbidden("sha1", "with SHA-1", _LIST, Manner(digest="sha1")),
    Forbidden("xpath", "with an XPath transform", _LIST, Manner(transforms=(ENVELOPED, XPATH))),
    Forbidden("no-transform", "without the enveloped-signature transform", _LIST, Manner(transforms=(EXCLUSIVE,))),
    Forbidden("two-references", "with two References", _ONE, Manner(twice=True)),
    Forbidden("external-reference", "over something on the web", _ONE, Manner(uri="http://127.0.0.1:9/document.xml")),
    Forbidden("other-id", "over an Id that is not there", _ONE, Manner(uri="#other")),
    Forbidden(
        "no-certificate",
        "with a KeyInfo that holds no certificate",
        "Refuse a signature without X509Certificate with 5006; do not look up keys by a name that was sent.",
        Manner(key_info="name"),
    ),
)
"""How a signature must not be written."""


def _changed(bench: Bench, old: bytes, new: bytes) -> Answer:
    document = bench.sign(bench.unsigned())
    assert old in document
    return bench.send(document.replace(old, new, 1))


def broken_value(document: bytes) -> bytes:
    """Return a document whose last SignatureValue was changed."""
    start = document.rindex(b"SignatureValue>", 0, document.rindex(b"</SignatureValue>")) + len(b"SignatureValue>")
    new = b"B" if document[start : start + 1] == b"A" else b"A"
    return document[:start] + new + document[start + 1 :]


def _two_signatures(bench: Bench) -> Answer:
    document = bench.unsigned()
    first = signature(document, bench.stranger)
    return bench.send(with_last_child(signed(document, bench.sender), first))


def _signature_first(bench: Bench) -> Answer:
    document = bench.unsigned()
    start = document.index(b"<Delivery")
    return bench.send(document[:start] + signature(document, bench.sender) + document[start:])


def _of_another(bench: Bench) -> Answer:
    return bench.send(with_last_child(bench.unsigned(), signature(bench.unsigned(), bench.sender)))


def _by(choose: Callable[[Bench], Identity], bench: Bench) -> Answer:
    return bench.send(bench.sign(bench.unsigned(), by=choose(bench)))


def _by_itself(bench: Bench) -> Answer:
    return bench.send(bench.sign(bench.unsigned(sender=bench.outsider), by=bench.outsider))


Send = Callable[[Bench], Answer]

_BROKEN: Final[tuple[tuple[str, str, str, tuple[int, ...], Send], ...]] = (
    ("missing", "without the sender's signature", _VERIFY, (WRONG,), lambda bench: bench.send(bench.unsigned())),
    (
        "changed-content",
        "whose content was changed after signing",
        _VERIFY,
        (WRONG,),
        lambda bench: _changed(bench, SUBJECT.encode(), SUBJECT.upper().encode()),
    ),
    (
        "changed-value",
        "whose signature value was changed",
        _VERIFY,
        (WRONG,),
        lambda bench: bench.send(broken_value(bench.sign(bench.unsigned()))),
    ),
    ("of-another", "with the signature of another delivery", _VERIFY, (WRONG,), _of_another),
    ("two-signatures", "with two signatures", "Accept one signature at each level.", (WRONG, 5001), _two_signatures),
    (
        "signature-first",
        "whose signature is not the last child",
        "Demand the signature as the last child of the signed element.",
        (WRONG, 5001),
        _signature_first,
    ),
)

_SIGNERS: Final[tuple[tuple[str, str, str, str, Send], ...]] = (
    (
        "unknown-issuer",
        "by a certificate of an unknown issuer",
        NOT_AUTHORISED,
        "Check the certificate up to a trust anchor of your own; do not trust what the message brings.",
        partial(_by, lambda bench: bench.stranger),
    ),
    (
        "expired",
        "by an expired certificate",
        NOT_AUTHORISED,
        "Check the dates of the certificate.",
        partial(_by, lambda bench: bench.expired),
    ),
    (
        "not-listed",
        "by an organisation that is neither the sender nor a dispatcher listed for it",
        WHO_SIGNS,
        "Compare the organisation in the certificate with Sender.Id, and with the register's list of dispatchers.",
        partial(_by, lambda bench: bench.outsider),
    ),
    (
        "not-connected",
        "by a sender that is not connected",
        NOT_AUTHORISED,
        "Ask the register whether Sender.Id is a connected sender.",
        _by_itself,
    ),
)


def add_signature_refusals(cases: Cases[B]) -> None:
    """Add what must be refused of the sender's signature and of its signer."""

    def tried(send: Send, codes: tuple[int, ...], bench: Bench) -> None:
        refused(send(bench), *codes)

    def sent(manner: Manner, bench: Bench) -> Answer:
        return bench.send(bench.sign(bench.unsigned(), manner))

    for name, what, remedy, codes, send in _BROKEN:
        title = f"A delivery {what} is refused with {' or '.join(map(str, codes))}."
        add(cases, f"signature.{name}", title, ERRORS, remedy, partial(tried, send, codes))
    for row in FORBIDDEN:
        title = f"A delivery that is signed {row.title} is refused with 5006."
        check = partial(tried, partial(sent, row.manner), (WRONG,))
        add(cases, f"signature.{row.name}", title, ALGORITHMS, row.remedy, check)
    for name, what, rule, remedy, send in _SIGNERS:
        title = f"A delivery that is signed {what} is refused with 5002."
        add(cases, f"signer.{name}", title, rule, remedy, partial(tried, send, (5002,)))
