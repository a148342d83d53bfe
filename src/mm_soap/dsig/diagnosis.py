"""Why a signature does not verify, as far as that can be found out: for people who mend a signer, never for a decision.

A digest tells nothing of what was hashed. So the mistakes that signers are known to make are repeated one by one, until
one of them gives the digest that came. Where none does, the content was changed after signing, or in another way.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from lxml import etree

from mm_soap.dsig.forms import candidates, prefix_free
from mm_soap.dsig.signature import EXCLUSIVE, INCLUSIVE, certificates_of, signature_of, signed_info_of, take_out
from mm_soap.errors import Refused
from mm_soap.pki import load_certificate
from mm_soap.xml import DSIG, MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, SOAP_ENVELOPE, parse_untrusted, qname, text_of

_DS: Final = {"ds": DSIG}
_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_INDENTS: Final = ("  ", "    ", "\t", "")
_ROOTS: Final = tuple(
    qname(namespace, name) if namespace else name
    for name in ("SignedDelivery", "SealedDelivery", "signedDelivery", "deliverSecure", "OrginalDelivery")
    for namespace in (MESSAGE_V3, MESSAGE_V2, MESSAGE_V1, "")
)
_BODY: Final = qname(SOAP_ENVELOPE, "Body")


class Cause(Enum):
    """What the signer, or whoever wrote the message after it, did otherwise."""

    ROOT = "the root had another name when it was signed"
    WHITE_SPACE = "white space between elements was changed after signing"
    ENVELOPE = "it was signed inside its envelope"
    PART = "another part was signed"
    METHOD = "another algorithm was used than is written"
    VALUE = "SignatureValue does not belong to SignedInfo and the certificate"
    CONTENT = "the content was changed after signing, or signed in an unknown way"


@dataclass(frozen=True)
class Diagnosis:
    """Why a signature does not verify; ``what`` says it in a sentence, by the contract's names alone."""

    cause: Cause
    what: str


def diagnose(raw: bytes, element: etree._Element, root: str) -> Diagnosis:
    """Tell why a signature does not verify.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: what travelled, with one Signature of the accepted shape that does not verify.
        root: the qualified name that should have been signed.

    Raises:
        Refused: the signature is missing, ambiguous, or without a certificate that can be read.
    """
    signature = signature_of(element)
    algorithm = _hash_name(signature.find("ds:SignedInfo/ds:Reference/ds:DigestMethod", _DS))
    wanted = _decoded(signature.find("ds:SignedInfo/ds:Reference/ds:DigestValue", _DS))
    for cause, what, tree in _written_otherwise(raw, element, root):
        texts = {method: method.text(tree) for method in (INCLUSIVE, EXCLUSIVE)}
        found = _matching(texts[INCLUSIVE], algorithm, wanted) or _matching(texts[EXCLUSIVE], algorithm, wanted)
        if found and cause is not None:
            return Diagnosis(cause, what)
        if found:
            return _of_the_value(element, signature)
        if cause is None and any(_in_hexadecimal(text, algorithm, wanted) for text in texts.values()):
            return Diagnosis(Cause.METHOD, "DigestValue is made of hexadecimal digits; it must be base64 of the bytes.")
        for name in _HASHES:
            if cause is None and any(_matching(text, name, wanted) for text in texts.values()):
                return Diagnosis(Cause.METHOD, f"DigestValue is {name.upper()}, and DigestMethod says another.")
    holds = _value_holds(signature, _hash_name(_method(signature)))
    more = "SignatureValue belongs to SignedInfo." if holds else "SignatureValue does not belong to SignedInfo either."
    return Diagnosis(Cause.CONTENT, f"DigestValue is of no form of this content that is known to be signed. {more}")


def _written_otherwise(
    raw: bytes, element: etree._Element, root: str
) -> Iterator[tuple[Cause | None, str, etree._Element]]:
    """Yield documents without their signature: first those that are right, then what signers hash by mistake."""
    right = [tree for _, document in candidates(raw, element, root) if (tree := _unsigned(document)) is not None]
    for tree in right:
        yield None, "", tree
    for tree in right:
        yield Cause.WHITE_SPACE, "It verifies without the white space between elements.", _spaced(tree, None)
        for indent in _INDENTS:
            yield Cause.WHITE_SPACE, "It verifies with its elements on lines of their own.", _spaced(tree, indent)
        yield (
            Cause.WHITE_SPACE,
            "It verifies with line ends of carriage return and line feed.",
            _line_ends(tree, "\r\n"),
        )
        yield Cause.WHITE_SPACE, "It verifies without carriage returns in its line ends.", _line_ends(tree, "\n")
    for name in dict.fromkeys((str(element.tag), *_ROOTS)):
        tree = _unsigned(prefix_free(element, name))
        if tree is not None and name != root:
            yield Cause.ROOT, f"It verifies with the root {name}.", tree
            yield Cause.ROOT, f"It verifies with the root {name}, without white space.", _spaced(tree, None)
    yield from _in_the_envelope(raw, element, root)
    for child in element.iterchildren("*"):
        if child is not signature_of(element):
            part = parse_untrusted(prefix_free(child, str(child.tag)))
            yield Cause.PART, f"It verifies for {etree.QName(child).localname} alone.", part


def _in_the_envelope(
    raw: bytes, element: etree._Element, root: str
) -> Iterator[tuple[Cause | None, str, etree._Element]]:
    what = "It verifies with the namespaces that the envelope declares in scope."
    for tag in dict.fromkeys((str(element.tag), root)):
        tree = _unsigned(etree.tostring(_scoped(element, tag, element.nsmap)))
        if tree is not None:
            yield Cause.ENVELOPE, what, tree
    if element.getparent() is None:
        return
    whole = parse_untrusted(raw)
    take_out(signature_of(_same_place(whole, element)))
    yield Cause.PART, "It verifies for the whole Envelope.", whole
    for body in whole.iter(_BODY):
        yield Cause.PART, "It verifies for the Body of the envelope.", parse_untrusted(etree.tostring(body))
        for operation in body.iterchildren("*"):
            part = parse_untrusted(etree.tostring(operation, with_tail=False))
            yield Cause.PART, "It verifies for the element of the operation.", part


def _scoped(element: etree._Element, tag: str, scope: Mapping[str | None, str]) -> etree._Element:
    """Return a copy by this name, with namespaces declared at its root that need not be used in it."""
    declared = dict(scope)
    declared[None] = scope.get(None) or str(etree.QName(tag).namespace or "")
    if not declared[None]:
        del declared[None]
    made = etree.Element(tag, nsmap=declared)  # type: ignore[arg-type]
    made.attrib.update(element.attrib)
    made.text = element.text
    made.extend(deepcopy(list(element)))
    return made


def _same_place(whole: etree._Element, element: etree._Element) -> etree._Element:
    number = next(n for n, each in enumerate(element.getroottree().iter("*")) if each is element)
    return next(each for n, each in enumerate(whole.iter("*")) if n == number)


def _unsigned(document: bytes) -> etree._Element | None:
    try:
        tree = parse_untrusted(document)
        etree.strip_tags(tree, etree.Comment)
        take_out(signature_of(tree))
    except Refused:
        return None
    return tree


def _spaced(tree: etree._Element, indent: str | None) -> etree._Element:
    """Return a copy with no white space between elements, or with the indent that many programs write."""
    copied = deepcopy(tree)
    for each in copied.iter("*"):
        if len(each) and not (each.text or "").strip():
            each.text = None
        if not (each.tail or "").strip():
            each.tail = None
    if indent is not None:
        etree.indent(copied, indent)
    return copied


def _line_ends(tree: etree._Element, end: str) -> etree._Element:
    copied = deepcopy(tree)
    for each in copied.iter():
        if each.text:
            each.text = each.text.replace("\r\n", "\n").replace("\n", end)
        if each.tail:
            each.tail = each.tail.replace("\r\n", "\n").replace("\n", end)
    return copied


def _of_the_value(element: etree._Element, signature: etree._Element) -> Diagnosis:
    """Tell why SignatureValue does not hold where the digest does."""
    written = _hash_name(_method(signature))
    for name in _HASHES:
        if name != written and _value_holds(signature, name):
            return Diagnosis(Cause.METHOD, f"SignatureValue is of {name.upper()}, and SignatureMethod says another.")
    if _value_holds(signature, written, lambda info: _spaced(info, None)):
        return Diagnosis(Cause.WHITE_SPACE, "SignatureValue holds for SignedInfo without white space.")
    if _value_holds(signature, written, lambda info: _standing_alone(info, {**element.nsmap, None: DSIG})):
        return Diagnosis(Cause.ENVELOPE, "SignatureValue holds with the namespaces of the envelope in scope.")
    return Diagnosis(
        Cause.VALUE, "DigestValue is right; SignatureValue is not the certificate's signature of SignedInfo."
    )


def _value_holds(
    signature: etree._Element, hash_name: str | None, change: Callable[[etree._Element], etree._Element] | None = None
) -> bool:
    """Whether SignatureValue holds for SignedInfo, changed so, in one of the two canonical forms."""
    key = load_certificate(certificates_of(signature)[0]).public_key()
    value = _decoded(signature.find("ds:SignatureValue", _DS))
    if hash_name is None or not isinstance(key, RSAPublicKey):
        return False
    info = signed_info_of(signature)
    shapes = [info, parse_untrusted(prefix_free(info, str(info.tag)))]
    if change is not None:
        shapes = [change(one) for one in shapes]
    for text in {method.text(one) for one in shapes for method in (INCLUSIVE, EXCLUSIVE)}:
        try:
            key.verify(value, text, PKCS1v15(), _HASHES[hash_name]())
        except InvalidSignature:
            continue
        return True
    return False


def _standing_alone(info: etree._Element, scope: Mapping[str | None, str]) -> etree._Element:
    return parse_untrusted(etree.tostring(_scoped(info, str(info.tag), scope)))


def _method(signature: etree._Element) -> etree._Element | None:
    return signature.find("ds:SignedInfo/ds:SignatureMethod", _DS)


def _hash_name(method: etree._Element | None) -> str | None:
    written = str(method.get("Algorithm")) if method is not None else ""
    return next((name for name in _HASHES if written.endswith(name)), None)


def _decoded(element: etree._Element | None) -> bytes:
    try:
        return b64decode("".join(text_of(element).split()), validate=True)
    except ValueError:
        return b""


def _matching(text: bytes, hash_name: str | None, wanted: bytes) -> bool:
    return hash_name is not None and hashlib.new(hash_name, text, usedforsecurity=False).digest() == wanted


def _in_hexadecimal(text: bytes, hash_name: str | None, wanted: bytes) -> bool:
    digits = hashlib.new(hash_name, text, usedforsecurity=False).hexdigest() if hash_name else ""
    return wanted.lower() == digits.encode() or (digits != "" and wanted == b64decode(digits))
