"""An organisation's own certificate and private key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mm_soap.errors import ConfigurationError, Refused
from mm_soap.pki.certificates import organisation_number, read_certificates


@dataclass(frozen=True, eq=False)  # hashed for each message that is signed, and never compared by its parts
class Identity:
    """What an organisation signs with.

    ``organisation`` is the 12-digit number; ``chain`` holds the authorities between ``certificate`` and the root, as
    far as they are known, the nearest first.
    """

    organisation: str
    certificate: x509.Certificate
    key: RSAPrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Identity:
        """Return the identity of two PEM files: the certificate with its chain after it, and the unencrypted key.

        Raises:
            ConfigurationError: a file cannot be read, the key is not RSA or not the certificate's, or the certificate
                names no organisation.
        """
        leaf, *chain = read_certificates(certificate)
        private_key = _read_key(key)
        if leaf.public_key() != private_key.public_key():
            raise ConfigurationError(f"The key in {key} does not belong to the first certificate in {certificate}.")
        try:
            organisation = organisation_number(leaf)
        except Refused as refused:
            raise ConfigurationError(f"{certificate} cannot be used: {refused.description}") from None
        return cls(organisation, leaf, private_key, tuple(chain))


def _read_key(path: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be read: {error.strerror}.") from None
    except TypeError:
        raise ConfigurationError(f"The key in {path} is encrypted; store it unencrypted, with mode 0600.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(f"The file {path} must hold a private key in PEM form, and does not.") from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(f"The key in {path} must be an RSA key, and is not.")
    return key
