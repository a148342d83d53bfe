"""The mark of a signature: by it one that comes again is known, also with something around it written anew.

Only the value is marked. An RSA value cannot be written otherwise. Of an elliptic one (r, s) anybody makes the equally
valid (r, -s), so that r alone counts; each signing draws its own.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate


def mark_of(certificate: Certificate, value: bytes, *, der: bool) -> str:
    """Return the mark of a signature that verified.

    Args:
        certificate: whose key made it.
        value: the signature's value.
        der: whether an elliptic value is in DER, as in CMS; else r and s stand side by side, as in XML.

    Raises:
        ValueError: the value is not in DER.
    """
    key = certificate.public_key()
    if isinstance(key, EllipticCurvePublicKey):
        number = decode_dss_signature(value)[0] if der else int.from_bytes(value[: len(value) // 2], "big")
    else:
        number = int.from_bytes(value, "big")
    own = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(own + b"%x" % number).hexdigest()
