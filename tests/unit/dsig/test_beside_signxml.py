"""Our verifier beside signxml's: what holds here holds there."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from mm_soap.dsig import sign_delivery, verify_delivery
from mm_soap.errors import Refused
from mm_soap.pki import TrustStore
from mm_soap.xml import parse_untrusted
from tests.unit.dsig import samples

CERTIFICATE = x509.load_pem_x509_certificate((samples.VECTORS / "signer-cert.pem").read_bytes())
RULES = samples.trust(
    store=TrustStore([CERTIFICATE, *samples.PKI.anchors], samples.CLOCK), sha1_from=frozenset({"162021004748"})
)
EXPECTED = SignatureConfiguration(
    signature_methods=frozenset(each for each in SignatureMethod if each.name.startswith("RSA_SHA")),
    digest_algorithms=frozenset(DigestAlgorithm),
    verification_time=samples.CLOCK(),
)
OURS = sign_delivery(samples.delivery(), samples.KOMMUN_A)
FILES = samples.SIGNED
PIECES = [b"A", b"=", b" ", b"\n", b"&#65;", b"<!-- -->", b"<?p i?>", b"<x/>", b"<![CDATA[A]]>", b"", b'"', b"#", b"1"]


class Signxml(XMLVerifier):
    """signxml's verifier, but for lxml's wrong ``xmlns=""`` in the inclusive form of an element that is no root."""

    def _c14n(self, nodes: Any, algorithm: CanonicalizationMethod, inclusive_ns_prefixes: Any = None) -> bytes:
        alone = parse_untrusted(etree.tostring(nodes, with_tail=False))
        found: bytes = super()._c14n(alone, algorithm, inclusive_ns_prefixes)
        return found


def holds_there(document: bytes, certificate: x509.Certificate) -> bool:
    try:
        Signxml().verify(document, x509_cert=certificate, expect_config=EXPECTED, validate_schema=False)
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError, Refused):
        return False
    return True


def verified_here(document: bytes) -> bytes | None:
    try:
        return verify_delivery(document, parse_untrusted(document), RULES).document
    except Refused:
        return None


def holds_here(document: bytes) -> bool:
    return verified_here(document) is not None


@cache
def documents() -> list[tuple[bytes, x509.Certificate]]:
    return [(OURS, samples.KOMMUN_A.certificate), *((path.read_bytes(), CERTIFICATE) for path in FILES)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_both_accept_what_others_signed(path: Path) -> None:
    raw = path.read_bytes()
    assert (holds_here(raw), holds_there(raw, CERTIFICATE)) == (True, True)


def test_both_accept_what_we_sign() -> None:
    assert (holds_here(OURS), holds_there(OURS, samples.KOMMUN_A.certificate)) == (True, True)


@given(st.data())
def test_nothing_that_was_changed_holds_here_alone(data: st.DataObject) -> None:
    raw, certificate = data.draw(st.sampled_from(documents()))
    start = raw.rindex(b"Signature>") - data.draw(st.integers(0, 2400))
    place = max(1, start) if data.draw(st.booleans()) else data.draw(st.integers(1, len(raw)))
    changed = raw[:place] + data.draw(st.sampled_from(PIECES)) + raw[place + data.draw(st.integers(0, 2)) :]
    # What verified, not what came: a root under the name that it has on the wire is given its own name here.
    verified = verified_here(changed)
    assert verified is None or holds_there(verified, certificate)


@pytest.mark.parametrize("name", ["DigestValue", "SignatureValue"])
@pytest.mark.parametrize("inserted", ["<!-- -->", "<?p i?>"])
def test_a_value_that_is_cut_in_two(name: str, inserted: str) -> None:
    """A comment is not signed and does not count; after a processing instruction libraries read different values."""
    start = OURS.index(f"<{name}>".encode()) + len(name) + 12
    assert holds_here(OURS[:start] + inserted.encode() + OURS[start:]) == (inserted == "<!-- -->")


@pytest.mark.parametrize("exponent", ["AQAB", "Aw=="])
def test_a_key_beside_the_certificate_must_be_its_key(exponent: str) -> None:
    numbers = samples.KOMMUN_A.certificate.public_key().public_numbers()  # type: ignore[union-attr]
    modulus = b64encode(numbers.n.to_bytes(256)).decode()  # type: ignore[union-attr]
    value = f"<KeyValue><RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent></RSAKeyValue>"
    changed = OURS.replace(b"<KeyInfo>", f"<KeyInfo>{value}</KeyValue>".encode())
    assert changed != OURS
    assert holds_here(changed) == holds_there(changed, samples.KOMMUN_A.certificate) == (exponent == "AQAB")
