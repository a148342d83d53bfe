"""Why DigestValue is wrong: the common changes are undone, alone and two at a time, until the digest is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from lxml import etree

from mm_soap.dsig.diagnosis.changes import SIGNATURES, TEXTS, WHITE_SPACE, Change
from mm_soap.dsig.diagnosis.model import Canonical, Cause, Finding, place_of
from mm_soap.dsig.diagnosis.reading import DS, HASHES, SIGNATURE, Reading, digest
from mm_soap.dsig.forms import Form, candidates, prefix_free
from mm_soap.dsig.signature import take_out
from mm_soap.dsig.structure import EXCLUSIVE, INCLUSIVE, Canonicalization
from mm_soap.errors import Refused
from mm_soap.xml import MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, SERVICE_V1, SERVICE_V3, parse_untrusted, qname

_NAMES: Final = ("SignedDelivery", "SealedDelivery", "signedDelivery", "sealedDelivery", "deliverSecure")
_NAMESPACES: Final = (MESSAGE_V3, SERVICE_V3, MESSAGE_V2, MESSAGE_V1, SERVICE_V1)
_ROOTS: Final = tuple(qname(namespace, name) for namespace in _NAMESPACES for name in _NAMES)
_SMALL: Final = 64 * 1024
"""Bytes up to which two changes at once are tried."""
_DECLARATIONS: Final = tuple(
    b'<?xml version="1.0" encoding="%s"?>%s' % (name, end) for name in (b"UTF-8", b"utf-8") for end in (b"", b"\n")
)
_LOST_LETTER: Final = "�"


@dataclass(frozen=True)
class Document:
    """What may have been signed, without its signature."""

    root: etree._Element
    causes: tuple[Cause, ...] = ()
    """What was undone to get it; empty for the forms that a verifier tries."""
    form: Form | None = None
    untouched: etree._Element | None = None
    """The same before texts were changed, to find the place."""


@dataclass(frozen=True)
class _Match:
    causes: tuple[Cause, ...]
    text: bytes
    algorithm: str
    document: Document | None


def forms(raw: bytes, element: etree._Element, root: str) -> Iterator[tuple[Form, bytes, Document]]:
    """Yield each form that a verifier tries, with and without its signature."""
    for form, document in candidates(raw, element, root):
        try:
            tree = parse_untrusted(document)
        except Refused:
            continue
        signature = tree.find(SIGNATURE)
        if signature is not None:
            take_out(signature)
            yield form, document, Document(tree, (), form)


def canonical_documents(raw: bytes, element: etree._Element, root: str, reading: Reading) -> list[Canonical]:
    """Return the canonical bytes of each form that a verifier tries."""
    return [
        _canonical(form.value, reading.canonicalization.text(document.root), reading)
        for form, _, document in forms(raw, element, root)
    ]


def explain_digest(
    raw: bytes, element: etree._Element, root: str, reading: Reading
) -> tuple[list[Finding], Canonical | None]:
    """Say why no form has the digest that was signed.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: the signed element, by whatever name it travels.
        root: the qualified name that should have been signed.
        reading: its signature.

    Returns:
        The findings, and the bytes that the signer hashed if they were found. No findings if the digest is right.
    """
    documents = [document for _, _, document in forms(raw, element, root)]
    for undone in range(3 if len(raw) <= _SMALL else 2):
        for match in _matches(raw, element, root, documents, reading, undone):
            return _findings(match, element, reading)
    lost = next((one for one in element.iter("*") if one.text and _LOST_LETTER in one.text), None)
    hint = "A text holds U+FFFD: letters were lost where it was converted." if lost is not None else ""
    found = [Finding(Cause.CONTENT_CHANGED, _place(element, lost), hint)]
    value = reading.digest_value
    length = len(digest(b"", reading.digest_hash))
    if value is None or len(value) != length:
        detail = "It is not base64." if value is None else f"It has {len(value)} bytes, not {length}."
        found.insert(0, Finding(Cause.DIGEST_LENGTH, _place(element), detail))
    return found, None


def _findings(match: _Match, element: etree._Element, reading: Reading) -> tuple[list[Finding], Canonical]:
    causes = list(match.causes)
    if match.algorithm != reading.digest_hash:
        causes.append(Cause.OTHER_DIGEST)
    value = digest(match.text, match.algorithm)
    if value != reading.digest_value:
        causes.append(Cause.DIGEST_IN_HEXADECIMAL)
    changed = _changed(match.document, element)
    found = [Finding(cause, _place(element, changed), _detail(cause, match, reading)) for cause in causes]
    canonical = _canonical("as the signer hashed it", match.text, reading, match.algorithm)
    return found, canonical


def _detail(cause: Cause, match: _Match, reading: Reading) -> str:
    if cause is Cause.OTHER_DIGEST:
        return f"It was {match.algorithm.upper()}, not {reading.digest_hash.upper()}."
    if cause is Cause.ROOT_NAME and match.document is not None:
        return f"It was signed as {match.document.root.tag}."
    return ""


def _place(element: etree._Element, of: etree._Element | None = None) -> str:
    if of is None:
        of = element.find("ds:Signature/ds:SignedInfo/ds:Reference/ds:DigestValue", DS)
    return place_of(of, element) if of is not None else ""


def _changed(document: Document | None, element: etree._Element) -> etree._Element | None:
    """Return the first element of what came whose text was changed."""
    if document is None or document.untouched is None:
        return None
    pairs = zip(document.untouched.iter("*"), document.root.iter("*"), element.iter("*"), strict=False)
    for before, after, came in pairs:
        if (before.text or "") != (after.text or ""):
            return came
        if (before.tail or "") != (after.tail or "") and before is not document.untouched:
            return came
    return None


def _canonical(form: str, text: bytes, reading: Reading, algorithm: str | None = None) -> Canonical:
    name = algorithm or reading.digest_hash
    expected = reading.digest_value.hex() if reading.digest_value is not None else None
    return Canonical("document", form, text, name, digest(text, name).hex(), expected)


def _matches(
    raw: bytes, element: etree._Element, root: str, documents: list[Document], reading: Reading, undone: int
) -> Iterator[_Match]:
    """Yield what has the digest after as many changes are undone."""
    every = [*documents, *_elsewhere(raw, element, root)] if undone else documents
    nearly: list[tuple[tuple[Cause, ...], bytes, Document]] = []
    for document in _changed_documents(every, undone):
        for cause, text in _texts(document.root, reading.canonicalization):
            causes = document.causes + ((cause,) if cause is not None else ())
            if len(causes) == undone and (name := _right(text, reading)):
                yield _Match(causes, text, name, document)
            elif len(causes) == undone - 1:
                nearly.append((causes, text, document))
    # Last, since a text that is UTF-8 twice has in Latin-1 the bytes that it should have.
    for causes, text, document in nearly:
        for other, encoded in _encodings(text):
            if name := _right(encoded, reading):
                yield _Match((*causes, other), encoded, name, document)
    if undone == 1:
        for cause, text in _other_texts(raw, element, root, documents):
            if name := _right(text, reading):
                yield _Match((cause,), text, name, None)


def _right(text: bytes, reading: Reading) -> str | None:
    """Return the hash with which the text has the digest that was signed."""
    for name in (reading.digest_hash, *HASHES):
        value = digest(text, name)
        hexadecimal = value.hex().encode()
        written = reading.digest_text.strip().lower().encode()
        if value == reading.digest_value or hexadecimal in (written, (reading.digest_value or b"").lower()):
            return name
    return None


def _changed_documents(documents: list[Document], most: int) -> Iterator[Document]:
    """Yield each document with up to as many changes undone, of different kinds."""
    waiting: list[tuple[Document, tuple[tuple[Change, ...], ...]]] = [
        (document, (WHITE_SPACE, TEXTS, SIGNATURES)) for document in documents
    ]
    while waiting:
        document, kinds = waiting.pop(0)
        yield document
        if len(document.causes) >= most:
            continue
        for number, kind in enumerate(kinds):
            for change in kind:
                for tree in change.apply(document.root):
                    before = document.untouched if document.untouched is not None else document.root
                    kept = None if kind is SIGNATURES else before
                    made = Document(tree, (*document.causes, change.cause), None, kept)
                    waiting.append((made, kinds[number + 1 :]))


def _elsewhere(raw: bytes, element: etree._Element, root: str) -> Iterator[Document]:
    """Yield the document under other names, and with all that the envelope declares."""
    for name in _ROOTS:
        if name not in (element.tag, root):
            for form, _, document in forms(raw, element, name):
                if form in (Form.RENAMED, Form.PREFIX_FREE_RENAMED):
                    yield Document(document.root, (Cause.ROOT_NAME,))
            yield Document(_bare(parse_untrusted(prefix_free(element, name))), (Cause.ROOT_NAME,))
    if element.getparent() is not None:
        for name in (root, str(element.tag)):
            tree = _bare(parse_untrusted(etree.tostring(element, with_tail=False)))
            tree.tag = name
            yield Document(tree, (Cause.ENVELOPE_NAMESPACES,))


def _bare(root: etree._Element) -> etree._Element:
    signature = root.find(SIGNATURE)
    if signature is not None:
        take_out(signature)
    return root


def _texts(root: etree._Element, named: Canonicalization) -> Iterator[tuple[Cause | None, bytes]]:
    yield None, (text := named.text(root))
    for other in (EXCLUSIVE, INCLUSIVE):
        if other.method is not named.method and (written := other.text(root)) != text:
            yield Cause.OTHER_CANONICALIZATION, written
    if next(root.iter(etree.Comment), None) is not None:
        for exclusive in (True, False):
            yield Cause.COMMENTS, etree.tostring(root, method="c14n", exclusive=exclusive, with_comments=True)


def _encodings(text: bytes) -> Iterator[tuple[Cause, bytes]]:
    yield Cause.BYTE_ORDER_MARK, b"\xef\xbb\xbf" + text
    letters = text.decode()
    for name in ("utf-16", "utf-16-le", "utf-16-be"):
        yield Cause.HASHED_IN_UTF16, letters.encode(name)
    if not text.isascii():
        for name in ("latin-1", "cp1252"):
            for errors in ("replace", "xmlcharrefreplace"):
                yield Cause.HASHED_IN_LATIN1, letters.encode(name, errors)


def _other_texts(
    raw: bytes, element: etree._Element, root: str, documents: list[Document]
) -> Iterator[tuple[Cause, bytes]]:
    """Yield what is hashed by those who hash something else than the canonical form of the document."""
    for _, whole, _ in forms(raw, element, root):
        written = re.sub(rb"<([\w.-]+:)?Signature[\s>](?!.*<([\w.-]+:)?Signature[\s>]).*(?=</)", b"", whole, flags=re.S)
        for declaration in (b"", *_DECLARATIONS):
            yield Cause.NOT_CANONICALISED, declaration + written
    for document in documents:
        for part in document.root.iterchildren("*"):
            alone = parse_untrusted(etree.tostring(part, with_tail=False))
            for canonicalization in (EXCLUSIVE, INCLUSIVE):
                yield Cause.PART_SIGNED, canonicalization.text(alone)
    yield from _around(element, root)


def _around(element: etree._Element, root: str) -> Iterator[tuple[Cause, bytes]]:
    """Yield what is hashed by those who sign in place: the element as lxml writes it there, and what is around it."""
    number = next(n for n, one in enumerate(element.getroottree().iter("*")) if one is element)
    for name in (str(element.tag), root):
        top = deepcopy(element.getroottree().getroot())
        inner = next(one for n, one in enumerate(top.iter("*")) if n == number)
        signature = inner.find(SIGNATURE)
        if signature is None or inner is top:
            return
        take_out(signature)
        inner.tag = name
        for exclusive in (False, True):
            yield (
                Cause.ENVELOPE_NAMESPACES,
                etree.tostring(inner, method="c14n", exclusive=exclusive, with_comments=False, with_tail=False),
            )
        for above in inner.iterancestors():
            alone = parse_untrusted(etree.tostring(above, with_tail=False))
            for canonicalization in (EXCLUSIVE, INCLUSIVE):
                yield Cause.ENVELOPE_SIGNED, canonicalization.text(alone)
