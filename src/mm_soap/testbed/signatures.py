"""What a signature says of itself, for people."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

from cryptography import x509
from lxml import etree

from mm_soap.errors import Refused
from mm_soap.pki import load_certificate, organisation_number, subject_name
from mm_soap.xml import DSIG, qname, text_of


def facts_of_signature(delivery: etree._Element) -> Iterator[tuple[str, str]]:
    """Yield what an element's signature says of itself, by name, whether it holds or not."""
    ds = {"ds": DSIG}
    signature = delivery.find(qname(DSIG, "Signature"))
    if signature is None:
        return
    for name, path in (
        ("signature method", "ds:SignedInfo/ds:SignatureMethod"),
        ("canonicalisation", "ds:SignedInfo/ds:CanonicalizationMethod"),
        ("digest method", "ds:SignedInfo/ds:Reference/ds:DigestMethod"),
    ):
        found = signature.find(path, ds)
        if found is not None:
            yield name, str(found.get("Algorithm") or "none")
    transforms = [str(one.get("Algorithm")) for one in signature.iterfind(".//ds:Transform", ds)]
    yield "transforms", " · ".join(transforms) or "none"
    for one in signature.iterfind("ds:KeyInfo/ds:X509Data/ds:X509Certificate", ds):
        yield from _facts_of_certificate(text_of(one))
        break


def organisation_of(delivery: etree._Element) -> str | None:
    """Return the organisation that the first certificate of an element's signature names, proven or not."""
    found = delivery.find("{*}Signature/{*}KeyInfo/{*}X509Data/{*}X509Certificate")
    certificate = _certificate(text_of(found))
    try:
        return organisation_number(certificate) if certificate is not None else None
    except Refused:
        return None


def _certificate(text: str) -> x509.Certificate | None:
    try:
        return load_certificate(b64decode("".join(text.split())))
    except (Refused, ValueError):
        return None


def _facts_of_certificate(text: str) -> Iterator[tuple[str, str]]:
    certificate = _certificate(text)
    if certificate is None:
        return
    yield "certificate", subject_name(certificate)
    yield "issued by", certificate.issuer.rfc4514_string()
    yield "valid until", certificate.not_valid_after_utc.strftime("%Y-%m-%d %H:%M UTC")
