"""TLS as it is spoken here: 1.2 and 1.3, with certificates on both sides."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_soap.errors import ConfigurationError

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; those of 1.3 are all good, and are OpenSSL's to choose."""

_VERIFICATION: Final = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    62: "its certificate is for another name than the address",
    64: "its certificate is for another name than the address",
    **dict.fromkeys(
        (2, 18, 19, 20, 21),
        "its certificate was not issued by an authority that is trusted here, or it leaves out an issuer",
    ),
}
"""By OpenSSL's X509_V_ERR number."""
_ALERTS: Final = {
    "UNKNOWN_CA": "it does not trust the authority that issued our client certificate",
    "CERTIFICATE_EXPIRED": "it says that our client certificate has expired",
    "CERTIFICATE_REVOKED": "it says that our client certificate is revoked",
    "CERTIFICATE_REQUIRED": "it wants a client certificate",
    "CERTIFICATE": "it does not accept our client certificate",
    "PROTOCOL_VERSION": "it speaks neither TLS 1.2 nor 1.3",
    "UNSUPPORTED_PROTOCOL": "it speaks neither TLS 1.2 nor 1.3",
    "WRONG_VERSION_NUMBER": "it does not speak TLS at this address",
    "HTTP_REQUEST": "it does not speak TLS at this address",
    "EOF": "it ended the connection; perhaps it does not accept our client certificate",
    "HANDSHAKE_FAILURE": "it does not accept our client certificate, or has no cipher in common with us",
}
"""By a part of OpenSSL's name of the error; the first that fits."""


@dataclass(frozen=True)
class TlsFiles:
    """What a server is known by, and whom it lets in.

    Args:
        certificate: PEM file: the server's certificate, then those of its issuers.
        key: PEM file with its key.
        client_anchors: PEM files with the authorities whose client certificates are let in; nobody gets in without
            one. Empty asks for none.
    """

    certificate: Path
    key: Path
    client_anchors: Sequence[Path] = ()

    def context(self) -> ssl.SSLContext:
        """Return what the server speaks TLS by.

        Raises:
            ConfigurationError: a file cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _set_up(context, self.certificate, self.key)
        if self.client_anchors:
            context.verify_mode = ssl.CERT_REQUIRED
            _load_anchors(context, self.client_anchors)
        return context


def client_context(certificate: Path | None, key: Path | None, server_anchors: Sequence[Path]) -> ssl.SSLContext:
    """Return what a client speaks TLS by; the server's name is checked.

    Args:
        certificate: PEM file: the client's certificate, then those of its issuers; None to show none.
        key: PEM file with its key.
        server_anchors: PEM files with the authorities that issue servers' certificates; empty for the system's.

    Raises:
        ConfigurationError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_up(context, certificate, key)
    if server_anchors:
        _load_anchors(context, server_anchors)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return the error of TLS that stands inside what a library raised; None if it has nothing to do with TLS."""
    inner: BaseException | None = error
    for _ in range(5):
        if isinstance(inner, ssl.SSLError) or inner is None:
            break
        given = inner.args[0] if inner.args else None
        inner = given if isinstance(given, BaseException) else inner.__cause__ or inner.__context__
    return inner if isinstance(inner, ssl.SSLError) else None


def tls_reason(error: ssl.SSLError) -> str:
    """Return in words why TLS did not work. Nothing that was sent is repeated."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, f"its certificate is not valid (OpenSSL {error.verify_code})")
    name = "EOF" if isinstance(error, ssl.SSLEOFError) else str(error.reason or "")
    return next((words for part, words in _ALERTS.items() if part in name), f"TLS failed ({name or 'no reason given'})")


def _set_up(context: ssl.SSLContext, certificate: Path | None, key: Path | None) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if certificate is None:
        return
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError:
        raise ConfigurationError(
            f"The certificate {certificate} and its key cannot be used for TLS: check that they belong together."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"The certificate {certificate} or its key cannot be read: {error.strerror}."
        ) from None


def _load_anchors(context: ssl.SSLContext, files: Sequence[Path]) -> None:
    for file in files:
        try:
            context.load_verify_locations(file)
        except ssl.SSLError:
            raise ConfigurationError(f"The file {file} must hold certificates in PEM form, and does not.") from None
        except OSError as error:
            raise ConfigurationError(f"The file {file} cannot be read: {error.strerror}.") from None
