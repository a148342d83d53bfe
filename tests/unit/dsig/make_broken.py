"""Writes tests/vectors/broken: `python -m tests.unit.dsig.make_broken`, from the folder of the checkout.

Keys are made anew each time and kept nowhere, so the files are made once, and again only where a case is added.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from mm_soap.pki import Identity
from mm_soap.testing.certificates import SIGNING, distinguished_name, pem, sign
from tests.unit.dsig import samples

FOLDER: Final = samples.VECTORS / "broken"
_LASTS: Final = timedelta(days=365 * 30)


def file_name(case: str) -> str:
    """Return the name of the file of a case."""
    return f"{case.replace(' ', '-').lower()}.xml"


def _lasting(number: str, name: str) -> Identity:
    key = rsa.generate_private_key(65537, 2048)
    subject = distinguished_name(("SE", name, f"{name}, examples"), number)
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    made = sign(subject, key.public_key(), subject, key, begin, begin + _LASTS, [(SIGNING, True)])
    return Identity(number, made, key)


def main() -> None:
    """Write the files and the certificate that they are signed by."""
    samples.KOMMUN_A = _lasting("162021004748", "Kommun A")
    samples.DISPATCHER = _lasting("165560000001", "Dispatcher")
    from tests.unit.dsig import broken  # signs when it is imported

    FOLDER.mkdir(exist_ok=True)
    for case, (make, _) in broken.CASES.items():
        (FOLDER / file_name(case)).write_bytes(make())
    for seal, made in broken.SEALS.items():
        (FOLDER / file_name(seal)).write_bytes(made())
    (FOLDER / "latin-1.xml").write_bytes(broken.VALID.decode().encode("latin-1"))
    (FOLDER / "mixed-forms.xml").write_bytes(broken.mixed_forms())
    (FOLDER / "signer-cert.pem").write_bytes(pem([samples.KOMMUN_A.certificate]))
    (FOLDER / "dispatcher-cert.pem").write_bytes(pem([samples.DISPATCHER.certificate]))


if __name__ == "__main__":
    main()
