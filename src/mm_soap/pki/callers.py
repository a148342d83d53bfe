"""Whose a TLS client certificate is."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from mm_soap.clock import Clock
from mm_soap.errors import Refused
from mm_soap.pki.certificates import load_certificate, organisation_number
from mm_soap.pki.trust import PathStatus, TrustStore

KEPT: Final = timedelta(minutes=1)
"""How long a verdict is used: what expires ends a connection that is open already within this time. Revocation counts
at once: what is known of it is looked at in every call."""
_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class _Verdict:
    answer: str | Refused
    until: datetime
    status: PathStatus | None = None


class CallerCertificates:
    """Tells which organisation a client certificate identifies. Safe for threads.

    Unlike a certificate that signs, it may have any kind of key that TLS accepts: the handshake was the proof of it.

    Args:
        trust: the authorities that issue client certificates, the issuing ones among them.
        clock: the time.
    """

    def __init__(self, trust: TrustStore, clock: Clock) -> None:
        self._trust = trust
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[bytes, _Verdict] = {}

    def organisation(self, der: bytes) -> str:
        """Return the organisation number of the certificate's subject.

        Args:
            der: the certificate that the caller proved to have.

        Raises:
            Refused: ``CERTIFICATE_`` and UNKNOWN_ISSUER, PATH_INVALID, EXPIRED, NOT_YET_VALID, NO_ORGANISATION,
                REVOKED, STATUS_UNKNOWN or UNREADABLE.
        """
        now = self._clock()
        known = self._known.get(der)
        if known is None or not now < known.until <= now + KEPT:
            known = self._judge(der, now)
            with self._lock:
                while len(self._known) >= _MOST:
                    del self._known[next(iter(self._known))]
                self._known[der] = known
        if isinstance(known.answer, Refused):
            raise Refused(known.answer.refusal)
        if known.status is not None:
            known.status.check()
        return known.answer

    def _judge(self, der: bytes, now: datetime) -> _Verdict:
        try:
            certificate: x509.Certificate = load_certificate(der)
            status = self._trust.watch_path(certificate)
            expires = certificate.not_valid_after_utc + timedelta(seconds=1)
            return _Verdict(organisation_number(certificate), min(now + KEPT, expires), status)
        except Refused as refused:
            return _Verdict(refused, now + KEPT)
