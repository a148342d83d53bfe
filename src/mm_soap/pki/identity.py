"""An organisation's own certificate and private key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mm_soap.errors import ConfigurationError, Refused
from mm_soap.pki.certificates import organisation_number, read_certificates
from mm_soap.pki.key_uri import SCHEME, KeyUri, WrongKeyUri


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
    def load(cls, certificate: Path, key: Path | str) -> Identity:
        """Return the identity of a certificate and its key.

        Args:
            certificate: PEM file: the certificate, then its chain.
            key: PEM file with the unencrypted key, or the PKCS #11 URI (RFC 7512) of one that stays in a token.

        Raises:
            ConfigurationError: a file or the token cannot be used, the key is not RSA or not the certificate's, or the
                certificate names no organisation.
        """
        leaf, *chain = read_certificates(certificate)
        private_key = _token_key(key, leaf, certificate) if is_token_key(key) else _read_key(Path(key))
        if leaf.public_key() != private_key.public_key():
            raise ConfigurationError(f"The key in {key} does not belong to the first certificate in {certificate}.")
        try:
            organisation = organisation_number(leaf)
        except Refused as refused:
            raise ConfigurationError(f"{certificate} cannot be used: {refused.description}") from None
        return cls(organisation, leaf, private_key, tuple(chain))


def is_token_key(key: Path | str) -> bool:
    """Tell whether a key is named by a PKCS #11 URI, and not a file."""
    return isinstance(key, str) and key.startswith(SCHEME)


def _token_key(uri: Path | str, leaf: x509.Certificate, certificate: Path) -> RSAPrivateKey:
    public = leaf.public_key()
    if not isinstance(public, RSAPublicKey):
        raise ConfigurationError(f"The key of {certificate} must be an RSA key, and is not.")
    try:
        from mm_soap.pki.tokens import TokenKey

        return TokenKey(KeyUri.parse(str(uri)), public, str(certificate))
    except ImportError:
        raise ConfigurationError("A key in a token needs another package: install mm-soap[pkcs11].") from None
    except WrongKeyUri as error:
        raise ConfigurationError(f"The URI of the key of {certificate} {error}.") from None


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
