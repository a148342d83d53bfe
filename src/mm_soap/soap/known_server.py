"""Connections of which it is known whether the server's certificates are revoked."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from mm_soap.errors import Refusal

_DER: Final = 2
"""``_ssl.ENCODING_DER``, which has no public name."""

SERVER_REASONS: Final[Mapping[Refusal, str]] = {
    Refusal.CERTIFICATE_REVOKED: "its certificate is revoked",
    Refusal.CERTIFICATE_STATUS_UNKNOWN: "whether its certificate is revoked could not be found out",
}


class _Status(Protocol):
    def check(self) -> None: ...


ServerStatus = Callable[[Sequence[bytes]], _Status]
"""Returns the revocation of a chain that OpenSSL verified, in DER, the server's first and the anchor last."""


class KnownServer:
    """Goes before a connection class of urllib3: no request goes to a server whose certificate is revoked.

    Looked at before each request, since connections are kept for long.
    """

    sock: Any
    server: ServerStatus
    _status: _Status | None = None

    def connect(self) -> None:
        """Connect, and find out whose certificates these are."""
        super().connect()  # type: ignore[misc]
        self._status = self.server(verified_chain(self.sock)) if isinstance(self.sock, ssl.SSLSocket) else None

    def request(self, *args: Any, **options: Any) -> Any:
        """Send a request, unless a certificate is revoked."""
        if self.sock is None:
            self.connect()
        if self._status is not None:
            self._status.check()
        return super().request(*args, **options)  # type: ignore[misc]


def verified_chain(sock: ssl.SSLSocket) -> list[bytes]:
    """Return the chain that OpenSSL verified, in DER, the server's certificate first and the anchor last."""
    public = getattr(sock, "get_verified_chain", None)
    if public is not None:
        return [bytes(each) for each in public()]
    # Python 3.11 and 3.12 have it under this name alone.
    return [each.public_bytes(_DER) for each in sock._sslobj.get_verified_chain()]  # type: ignore[attr-defined]
