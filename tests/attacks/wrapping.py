"""Wrappings: the signed element stands somewhere, and another one where it will be read.

Each place is combined with each way in which the two and the Reference may be named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

from mm_soap.conformance.xmlsig import PLAIN, Manner, with_id, with_last_child
from mm_soap.xml import DSIG
from tests.attacks.model import Expected, Variant
from tests.attacks.sites import FORGED, WRITTEN, Target, envelope

FAMILY: Final = "wrapping"
_BY_ID: Final = Manner(by_id=True)
_ID: Final = "SD-1"


@dataclass(frozen=True)
class Wrapped:
    """What a place gets.

    Args:
        target: the document.
        original: signed, as it would be accepted.
        forged: with another content, and a signature.
    """

    target: Target
    original: bytes
    forged: bytes

    @property
    def travelling(self) -> bytes:
        """The original as it travels, with its seal where there is one around it."""
        return self.on_wire(self.original)

    def on_wire(self, document: bytes) -> bytes:
        (one,) = self.target.travelling(document)
        return self.target.site.wire.renamed(one)

    @property
    def payload(self) -> bytes:
        return self.target.payload(self.forged)

    @property
    def original_payload(self) -> bytes:
        return self.target.payload(self.original)


def split(document: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the last signature of a document, the signature, and the end."""
    end = document.rindex(b"</Signature>") + len(b"</Signature>")
    start = document.rindex(b"<Signature xmlns", 0, end)
    return document[:start], document[start:end], document[end:]


def _into_signature(wrapped: Wrapped, inside: bytes) -> bytes:
    before, signature, end = split(wrapped.forged)
    return wrapped.target.request(before + signature.removesuffix(b"</Signature>") + inside + b"</Signature>" + end)


def _object(wrapped: Wrapped) -> bytes:
    return _into_signature(wrapped, b'<Object xmlns="%s">%s</Object>' % (DSIG.encode(), wrapped.original))


def _object_with_id(wrapped: Wrapped) -> bytes:
    inside = b'<Object xmlns="%s" Id="%s">%s</Object>' % (DSIG.encode(), _ID.encode(), wrapped.original)
    return _into_signature(wrapped, inside)


def _key_info(wrapped: Wrapped) -> bytes:
    return wrapped.target.request(wrapped.forged.replace(b"</KeyInfo>", wrapped.original + b"</KeyInfo>", 1))


def _manifest(wrapped: Wrapped) -> bytes:
    inside = b'<Object xmlns="%s"><Manifest>%s</Manifest></Object>' % (DSIG.encode(), wrapped.original)
    return _into_signature(wrapped, inside)


def _properties(wrapped: Wrapped) -> bytes:
    inside = b'<Object xmlns="%s"><SignatureProperties><SignatureProperty Target="#x">%s</SignatureProperty>'
    end = b"</SignatureProperties></Object>"
    return _into_signature(wrapped, inside % (DSIG.encode(), wrapped.original) + end)


def _first_child(wrapped: Wrapped) -> bytes:
    start = wrapped.forged.index(b">") + 1
    return wrapped.target.request(wrapped.forged[:start] + wrapped.original + wrapped.forged[start:])


def _before_signature(wrapped: Wrapped) -> bytes:
    before, signature, end = split(wrapped.forged)
    return wrapped.target.request(before + wrapped.original + signature + end)


def _in_message(wrapped: Wrapped) -> bytes:
    return wrapped.target.request(wrapped.forged.replace(b"</Message>", wrapped.original + b"</Message>", 1))


def _around_delivery(wrapped: Wrapped) -> bytes:
    """The forged document is a child of the original, which still has its signature last."""
    before, signature, end = split(wrapped.original)
    return wrapped.target.request(before + wrapped.forged + signature + end)


Place = Callable[[Wrapped], bytes]

_PLACES: Final[dict[str, Place]] = {
    "in Header": lambda w: envelope(w.payload, header=w.travelling),
    "deep in Header": lambda w: envelope(w.payload, header=b'<x xmlns="urn:x"><y>%s</y></x>' % w.travelling),
    "the whole operation in Header": lambda w: envelope(w.payload, header=w.original_payload),
    "in Envelope before Body": lambda w: envelope(w.payload, before=w.travelling),
    "in Envelope after Body": lambda w: envelope(w.payload, after=w.travelling),
    "in another Body before": lambda w: envelope(w.payload, before=b"<soap:Body>%s</soap:Body>" % w.original_payload),
    "in another Body after": lambda w: envelope(w.payload, after=b"<soap:Body>%s</soap:Body>" % w.original_payload),
    "in another operation before": lambda w: envelope(w.original_payload + w.payload),
    "in another operation after": lambda w: envelope(w.payload + w.original_payload),
    "as a sibling before": lambda w: envelope(w.target.around(w.travelling, w.on_wire(w.forged))),
    "as a sibling after": lambda w: envelope(w.target.around(w.on_wire(w.forged), w.travelling)),
    "as a sibling of the delivery before": lambda w: w.target.request(w.original, w.forged),
    "as a sibling of the delivery after": lambda w: w.target.request(w.forged, w.original),
    "in ds:Object": _object,
    "in ds:Object that has the Id": _object_with_id,
    "in ds:Manifest": _manifest,
    "in ds:SignatureProperty": _properties,
    "in ds:KeyInfo": _key_info,
    "as the first child": _first_child,
    "before the signature": _before_signature,
    "in the message": _in_message,
    "around the other one": _around_delivery,
}

_NEED_SIGNATURE: Final = frozenset(one for one in _PLACES if "ds:" in one or one == "before the signature")
_NAMED: Final = ("no Id", "the same Id", "another Id", "the Id as id", "the Id as xml:id")
_SIGNED: Final = ("the signature of the original", "no signature", "a signature by another organisation")
_REFERENCES: Final = {"by Id": _BY_ID, "to the whole": PLAIN}


def _forged(target: Target, original: bytes, name: str, signed: str) -> bytes:
    before, signature, end = split(original)
    assert WRITTEN in before
    document = (before + end).replace(WRITTEN, FORGED).replace(b' Id="%s"' % _ID.encode(), b"", 1)
    if name == "the same Id":
        document = with_id(document, _ID)
    elif name == "another Id":
        document = with_id(document, "SD-2")
    elif name == "the Id as id":
        document = with_id(document, _ID).replace(b' Id="', b' id="', 1)
    elif name == "the Id as xml:id":
        document = with_id(document, _ID).replace(b' Id="', b' xml:id="', 1)
    if signed == "no signature":
        return document
    if signed == "a signature by another organisation":
        other = Target(target.site, target.cast)
        other.__dict__["unsigned"] = document
        return with_last_child(document, other.signature(by=target.cast.outsider))
    return with_last_child(document, signature)


def _make(place: Place, name: str, signed: str, manner: Manner) -> Callable[[Target], bytes]:
    def make(target: Target) -> bytes:
        original = target.signed(manner)
        return place(Wrapped(target, original, _forged(target, original, name, signed)))

    return make


def wrappings() -> Iterator[Variant]:
    """Yield all of them: what is read was never signed, and somewhere stands what was."""
    for (where, place), (how, manner), name, signed in product(_PLACES.items(), _REFERENCES.items(), _NAMED, _SIGNED):
        if signed == "no signature" and where in _NEED_SIGNATURE:
            continue
        yield Variant(
            FAMILY,
            f"{where}; Reference {how}; what is read has {name} and {signed}",
            _make(place, name, signed, manner),
        )


def _decoy(place: Callable[[bytes], dict[str, bytes]]) -> Callable[[Target], bytes]:
    def make(target: Target) -> bytes:
        forged = target.good.replace(WRITTEN, FORGED)
        return envelope(target.payload(target.good), **place(target.payload(forged)))

    return make


def decoys() -> Iterator[Variant]:
    """Yield what has the original where it is read, and another one where nobody looks."""
    yield Variant("decoy", "in Header", _decoy(lambda one: {"header": one}), Expected.SAME)
    yield Variant(
        "decoy",
        "in a header that is for somebody else",
        _decoy(
            lambda one: {
                "header": b'<h xmlns="urn:h" soap:mustUnderstand="1" soap:actor="urn:else">%s</h>' % one,
            }
        ),
        Expected.SAME,
    )
    yield Variant(
        "decoy",
        "in a comment",
        _decoy(lambda one: {"after": b"<!-- %s -->" % one.replace(b"--", b"- -")}),
        Expected.SAME,
    )
    yield Variant(
        "decoy", "in a processing instruction", _decoy(lambda one: {"before": b"<?x %s?>" % one}), Expected.SAME
    )
    yield Variant("decoy", "in Envelope before Body", _decoy(lambda one: {"before": one}))
    yield Variant("decoy", "in Envelope after Body", _decoy(lambda one: {"after": one}))
    yield Variant("decoy", "in another Body", _decoy(lambda one: {"after": b"<soap:Body>%s</soap:Body>" % one}))
    yield Variant("decoy", "in another Header", _decoy(lambda one: {"after": b"<soap:Header>%s</soap:Header>" % one}))
