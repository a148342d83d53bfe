"""Why SignatureValue is wrong: the key opens it, and the hash inside is sought among those of SignedInfo."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from lxml import etree

from mm_soap.dsig.diagnosis.changes import PREFIXES_OF_DSIG, WHITE_SPACE, with_prefix
from mm_soap.dsig.diagnosis.digests import forms
from mm_soap.dsig.diagnosis.model import Canonical, Cause, Finding, place_of
from mm_soap.dsig.diagnosis.reading import DS, HASHES, SIGNATURE, Reading, digest, keys_of, opened
from mm_soap.dsig.forms import Form
from mm_soap.dsig.signature import signed_info_of
from mm_soap.dsig.structure import EXCLUSIVE, INCLUSIVE
from mm_soap.xml import DSIG, parse_untrusted, text_of


@dataclass(frozen=True)
class _Text:
    """A canonical text of SignedInfo."""

    text: bytes
    tree: etree._Element
    cause: Cause | None
    """What was undone to get it; None for the texts that a verifier tries."""
    form: Form | None = None


def canonical_signed_infos(raw: bytes, element: etree._Element, root: str, reading: Reading) -> list[Canonical]:
    """Return the canonical bytes of SignedInfo in each form that a verifier tries."""
    return [
        _canonical(one.form.value, one.text, reading)
        for one in _tried(raw, element, root, reading)
        if one.form is not None
    ]


def explain_value(
    raw: bytes, element: etree._Element, root: str, reading: Reading
) -> tuple[list[Finding], Canonical | None]:
    """Say why SignatureValue holds in no form.

    Args:
        raw: the bytes that the tree of ``element`` was parsed from, UTF-8.
        element: the signed element, by whatever name it travels.
        root: the qualified name that should have been signed.
        reading: its signature.

    Returns:
        The findings, and the bytes that the signer hashed if they were found. No findings if the value is right, and
        none if there is no certificate or no SignedInfo.
    """
    key, place = reading.key, _place(element)
    if key is None or reading.signature.find("ds:SignedInfo", DS) is None:
        return [], None
    texts = list(_tried(raw, element, root, reading))
    texts += _others(texts, reading)
    found, canonical = _by_the_key(texts, place, reading, reading.opened())
    if canonical is None and not found:
        found, canonical = _otherwise(key, texts, place, reading)
    found += [Finding(Cause.KEY_VALUE, place) for n in [_modulus(reading)] if n not in (None, key.public_numbers().n)]
    return found, canonical


def _by_the_key(
    texts: list[_Text], place: str, reading: Reading, inside: tuple[str, bytes] | None
) -> tuple[list[Finding], Canonical | None]:
    """Return what follows if a key opens SignatureValue; nothing if it does not."""
    if inside is None:
        return [], None
    name, value = inside
    for one in texts:
        once = digest(one.text, name)
        if value in (once, digest(once, name)):
            causes = [one.cause] if one.cause is not None else []
            causes += [Cause.OTHER_HASH] if name != reading.value_hash else []
            causes += [Cause.HASHED_TWICE] if value != once else []
            form = one.form.value if one.form is not None and not causes else "as the signer hashed it"
            made = Canonical("SignedInfo", form, one.text, name, once.hex(), value.hex())
            return [Finding(cause, place, _detail(cause, name, reading)) for cause in causes], made
    return [Finding(Cause.SIGNED_INFO_CHANGED, place)], None


def _detail(cause: Cause, name: str, reading: Reading) -> str:
    return f"It was {name.upper()}, not {reading.value_hash.upper()}." if cause is Cause.OTHER_HASH else ""


def _otherwise(
    key: rsa.RSAPublicKey, texts: list[_Text], place: str, reading: Reading
) -> tuple[list[Finding], Canonical | None]:
    """Return what follows if the certificate's key does not open SignatureValue as it should."""
    value = reading.value
    length = key.key_size // 8
    if value is None or len(value) != length:
        detail = "It is not base64." if value is None else f"It has {len(value)} bytes, not {length}."
        cause, more = Cause.SIGNATURE_VALUE_LENGTH, detail
    elif opened(key, value[::-1]) is not None:
        cause, more = Cause.BYTE_ORDER, ""
    elif any(opened(other, value) for other in keys_of(reading.certificates[1:])):
        cause, more = Cause.OTHER_CERTIFICATE, ""
    elif _bare(key, value, texts):
        cause, more = Cause.BARE_HASH, ""
    elif any(_pss(key, value, one.text) for one in texts):
        cause, more = Cause.PSS, ""
    else:
        cause, more = Cause.OTHER_KEY, ""
    return [Finding(cause, place, more)], None


def _bare(key: rsa.RSAPublicKey, value: bytes, texts: list[_Text]) -> bool:
    try:
        inside = key.recover_data_from_signature(value, PKCS1v15(), None)
    except (InvalidSignature, ValueError):
        return False
    return any(inside == digest(one.text, name) for one in texts for name in HASHES)


def _pss(key: rsa.RSAPublicKey, value: bytes, text: bytes) -> bool:
    for algorithm in (made() for made in HASHES.values()):
        try:
            key.verify(value, text, PSS(MGF1(algorithm), PSS.AUTO), algorithm)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def _modulus(reading: Reading) -> int | None:
    text = text_of(reading.signature.find("ds:KeyInfo/ds:KeyValue/ds:RSAKeyValue/ds:Modulus", DS))
    try:
        return int.from_bytes(b64decode("".join(text.split()))) if text else None
    except ValueError:
        return 0


def _canonical(form: str, text: bytes, reading: Reading) -> Canonical:
    inside = reading.opened()
    name = inside[0] if inside is not None else reading.value_hash
    expected = inside[1].hex() if inside is not None else None
    return Canonical("SignedInfo", form, text, name, digest(text, name).hex(), expected)


def _tried(raw: bytes, element: etree._Element, root: str, reading: Reading) -> Iterator[_Text]:
    for form, document, _ in forms(raw, element, root):
        tree = parse_untrusted(document)
        etree.strip_tags(tree, etree.Comment)
        signature = tree.find(SIGNATURE)
        if signature is not None and signature.find("ds:SignedInfo", DS) is not None:
            info = signed_info_of(signature)
            yield _Text(reading.of_signed_info.text(info), info, None, form)


def _others(tried: list[_Text], reading: Reading) -> Iterator[_Text]:
    """Yield the texts that signers are known to hash by mistake, or that were changed afterwards."""
    known = {one.text for one in tried}
    for cause, tree in _changed(tried, reading):
        for canonicalization in (reading.of_signed_info, EXCLUSIVE, INCLUSIVE):
            if (text := canonicalization.text(tree)) not in known:
                known.add(text)
                yield _Text(text, tree, cause)


def _changed(tried: list[_Text], reading: Reading) -> Iterator[tuple[Cause, etree._Element]]:
    trees = [one.tree for one in tried]
    yield from ((Cause.SIGNED_INFO_CANONICALIZATION, tree) for tree in trees)
    # As it stands in the whole file, with all that is declared around it.
    yield Cause.SIGNED_INFO_NAMESPACES, signed_info_of(reading.signature)
    for tree in trees:
        for change in WHITE_SPACE:
            yield from ((Cause.SIGNED_INFO_WHITE_SPACE, changed) for changed in change.apply(tree))
        # Without the declarations around it, which inclusive canonicalisation takes along.
        yield Cause.SIGNED_INFO_NAMESPACES, with_prefix(tree, DSIG, tree.prefix)
        yield from ((Cause.SIGNED_INFO_PREFIX, with_prefix(tree, DSIG, prefix)) for prefix in PREFIXES_OF_DSIG)


def _place(element: etree._Element) -> str:
    found = element.find("ds:Signature/ds:SignatureValue", DS)
    return place_of(found, element) if found is not None else ""
