"""Certificates that are about to expire, told before they do: in the log, to probes, as metrics and by a command."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mm_soap.clock import Clock
from mm_soap.config import Settings
from mm_soap.config_signing import SigningSettings
from mm_soap.pki import OrganisationCertificate, read_certificates, subject_name
from mm_soap.unexpected import Repeated

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_ROUNDS: Final = 86_400.0
METRIC: Final = "mm_soap_certificate_expires_seconds"


@dataclass(frozen=True)
class Watched:
    """A certificate, and who relies on it.

    Args:
        party: ``dispatcher``, ``operator:NUMBER``, ``sender:NUMBER``, ``signer:NUMBER``, ``far``, ``tls`` or ``trust``.
        use: ``signing``, ``client``, ``server``, ``issuer`` or ``anchor``.
        certificate: the certificate.
    """

    party: str
    use: str
    certificate: x509.Certificate

    @property
    def expires(self) -> datetime:
        """When it expires."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal."""
        return self.certificate.fingerprint(SHA256()).hex()

    @property
    def name(self) -> str:
        """How sentences name it."""
        return f"The certificate of {self.party} ({self.use}, SHA-256 {self.fingerprint[:16]})"

    def left(self, now: datetime) -> timedelta:
        """Return how long it still holds; less than nothing once it has expired."""
        return self.expires - now

    def document(self, now: datetime) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "party": self.party,
            "use": self.use,
            "subject": subject_name(self.certificate),
            "certificate": self.fingerprint,
            "expires": self.expires.isoformat(),
            "days_left": self.left(now) // timedelta(days=1),
        }

    def sentence(self, now: datetime) -> str:
        """Return one sentence for whoever runs this installation."""
        named = self.name
        days = self.left(now) // timedelta(days=1)
        if days < 0:
            return f"{named} has expired on {self.expires:%Y-%m-%d}: replace it."
        return f"{named} expires on {self.expires:%Y-%m-%d}, in {days} days: replace it before."


def of_settings(settings: Settings) -> list[Watched]:
    """Return every certificate that the settings name, those of issuers too.

    Raises:
        ConfigurationError: a file cannot be read or holds no certificate.
    """
    found: list[Watched] = []
    for party, use, file in _files(settings):
        first, *more = read_certificates(file)
        found.append(Watched(party, use, first))
        found += [Watched(party, "anchor" if use == "anchor" else "issuer", each) for each in more]
    return found


def of_signers(seen: Iterable[OrganisationCertificate]) -> list[Watched]:
    """Return, for each organisation whose signature was accepted, the certificate that holds for longest."""
    longest: dict[str, x509.Certificate] = {}
    for one in seen:
        known = longest.get(one.organisation)
        if known is None or one.certificate.not_valid_after_utc > known.not_valid_after_utc:
            longest[one.organisation] = one.certificate
    return [Watched(f"signer:{number}", "signing", each) for number, each in sorted(longest.items())]


def _files(settings: Settings) -> Iterator[tuple[str, str, Path]]:
    signing: list[tuple[str, SigningSettings]] = [("dispatcher", settings.dispatcher)] if settings.dispatcher else []
    signing += [(f"operator:{each.organisation}", each) for each in settings.operator]
    signing += [(f"sender:{each.organisation}", each) for each in settings.sender]
    for party, own in signing:
        yield party, "signing", own.certificate
        if own.tls_certificate:
            yield party, "client", Path(own.tls_certificate)
    for anchor in settings.trust.anchors:
        yield "trust", "anchor", anchor
    if settings.tls:
        if settings.tls.certificate:
            yield "tls", "server", Path(settings.tls.certificate)
        for anchor in (*settings.tls.client_anchors, *settings.tls.server_anchors):
            yield "tls", "anchor", anchor
    if settings.far:
        for anchor in settings.far.e_identification_anchors:
            yield "far", "anchor", anchor


class ExpiryWatch:
    """Tells of certificates before they expire: in the log at the start and every day, and whenever it is asked.

    Args:
        own: the certificates that the settings name.
        seen: returns those of organisations whose signatures were accepted.
        warning: how long before it expires a certificate is told of.
        clock: the time.
    """

    def __init__(
        self,
        own: Sequence[Watched],
        seen: Callable[[], Iterable[OrganisationCertificate]],
        warning: timedelta,
        clock: Clock,
    ) -> None:
        self._own = own
        self._seen = seen
        self._warning = warning
        self._clock = clock
        self._thread = Repeated(
            "expiry", self._turn, _log, "The watch for certificates that expire", _SECONDS_BETWEEN_ROUNDS
        )

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def settle(self) -> None:
        """Return at once: no call waits for this."""

    def stop(self) -> None:
        """End."""
        self._thread.stop(wait=False)

    def all(self) -> list[Watched]:
        """Return every certificate that is known now."""
        return [*self._own, *of_signers(self._seen())]

    def warnings(self) -> list[str]:
        """Return a sentence for each certificate that expires soon, or has expired, the first to expire first."""
        now = self._clock()
        soon = [each for each in self.all() if each.left(now) <= self._warning]
        return [each.sentence(now) for each in sorted(soon, key=lambda each: each.expires)]

    def has_expired(self, parties: Iterable[str]) -> bool:
        """Tell whether a certificate has expired that one of these parties signs with."""
        now, signs = self._clock(), set(parties)
        return any(
            each.use == "signing" and each.party in signs and each.left(now) < timedelta(0) for each in self._own
        )

    def seconds_left(self) -> list[tuple[dict[str, str], float]]:
        """Return, for metrics, the labels of each certificate and its seconds until it expires."""
        now = self._clock()
        once = {(each.party, each.use, each.fingerprint[:16]): each.left(now).total_seconds() for each in self.all()}
        return [
            ({"party": party, "use": use, "certificate": certificate}, seconds)
            for (party, use, certificate), seconds in once.items()
        ]

    def log(self) -> None:
        """Write a line for each certificate that expires soon."""
        for sentence in self.warnings():
            _log.warning("%s", sentence)

    def _turn(self) -> float:
        self.log()
        return _SECONDS_BETWEEN_ROUNDS
