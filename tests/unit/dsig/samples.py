"""Deliveries and envelopes for the tests of signatures."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

from mm_soap.dsig import Trust, VerifiedDelivery, seal_policy, sender_policy, verify_delivery
from mm_soap.dsig.sign import signature_by_signxml
from mm_soap.dsig.structure import EXCLUSIVE, Canonicalization
from mm_soap.pki import Identity, TrustStore
from mm_soap.testing.clock import FrozenClock
from mm_soap.testing.pki import TestPki
from mm_soap.xml import (
    MESSAGE_V1,
    MESSAGE_V2,
    MESSAGE_V3,
    SENDER,
    SERVICE_V3,
    SOAP_ENVELOPE,
    parse_untrusted,
)

VECTORS = Path(__file__).parents[2] / "vectors"
SIGNED = sorted(path for path in VECTORS.glob("*/*.xml") if path.parent.name != "broken")
"""What other software signed."""
BUSY = (
    " ".join(f'xmlns:p{n}="urn:example:{n}"' for n in range(12)) + f' xmlns:mm="{MESSAGE_V3}" xmlns:v1="{MESSAGE_V1}"'
)

CLOCK = FrozenClock(datetime(2026, 12, 1, 12, tzinfo=UTC))
PKI = TestPki(CLOCK)
KOMMUN_A = PKI.organisation("162021004748", "Kommun A")
DISPATCHER = PKI.organisation("165560000001", "Dispatcher")


def trust(*, store: TrustStore | None = None, sha1_from: frozenset[str] = frozenset()) -> Trust:
    return Trust(store or PKI.trust_store(), sender_policy(sha1_from), seal_policy(), CLOCK)


def delivery(text: str = "SGVq", subject: str = "Beslut å", sender: str = "162021004748") -> etree._Element:
    return parse_untrusted(
        (
            f'<SignedDelivery xmlns="{MESSAGE_V3}"><Delivery><Header><Sender xmlns="{MESSAGE_V2}">'
            f'<Id xmlns="{SENDER}">{sender}</Id><Name xmlns="{SENDER}">Kommun A</Name></Sender>'
            f'<Recipient xmlns="{MESSAGE_V2}">192705178354</Recipient></Header><Message><Header><Id>m-1</Id>'
            f"<Subject>{subject}</Subject><Supportinfo><Text>t</Text></Supportinfo><Language>svSE</Language></Header>"
            f'<Body><ContentType xmlns="{MESSAGE_V1}">text/plain</ContentType><Body xmlns="{MESSAGE_V1}">{text}</Body>'
            "</Body></Message></Delivery></SignedDelivery>"
        ).encode()
    )


def signed_as_it_is(made: etree._Element, canonicalization: Canonicalization, signer: Identity = KOMMUN_A) -> bytes:
    """Sign a document that may have prefixes, over the one form or the other; its bytes stay as they are."""
    signature = parse_untrusted(signature_by_signxml(canonicalization.text(made), signer))
    if canonicalization is EXCLUSIVE:
        transforms = signature[0][2][0]
        etree.SubElement(transforms, transforms[0].tag, Algorithm=EXCLUSIVE.method.value)
        info = EXCLUSIVE.text(parse_untrusted(etree.tostring(signature[0])))
        signature[1].text = b64encode(signer.key.sign(info, PKCS1v15(), SHA256())).decode()
    raw = etree.tostring(made)
    end = raw.rindex(b"</")
    return raw[:end] + etree.tostring(signature) + raw[end:]


def distribute(document: bytes, declarations: str = "") -> bytes:
    """Carry a SignedDelivery in distributeSecure, its bytes spliced in under the name on the wire."""
    document = re.sub(rb"^\s*<\?xml.*?\?>\s*", b"", document)
    document = re.sub(rb"SignedDelivery(?=[ >])", b"signedDelivery", document)
    return (
        f'<s:Envelope xmlns:s="{SOAP_ENVELOPE}" {declarations}><s:Header/><s:Body>'
        f'<distributeSecure xmlns="{MESSAGE_V3}">'.encode()
        + document
        + b"</distributeSecure></s:Body></s:Envelope>"
    )


def deliver(sealed: bytes, declarations: str = "") -> bytes:
    """Carry a SealedDelivery in deliverSecure, as a sender of default-namespace XML writes it."""
    sealed = re.sub(rb"SealedDelivery(?=[ >])", b"deliverSecure", sealed)
    return (
        f'<s:Envelope xmlns:s="{SOAP_ENVELOPE}" {declarations}><s:Body>'.encode()
        + f'<v:deliverSecure xmlns:v="{SERVICE_V3}">'.encode()
        + sealed.replace(b"<deliverSecure", b"<v:deliverSecure").replace(b"</deliverSecure", b"</v:deliverSecure")
        + b"</v:deliverSecure></s:Body></s:Envelope>"
    )


def payload(envelope: bytes) -> etree._Element:
    return parse_untrusted(envelope)[-1][0][0]


def verify(envelope: bytes, rules: Trust | None = None) -> VerifiedDelivery:
    return verify_delivery(envelope, payload(envelope), rules or trust())
