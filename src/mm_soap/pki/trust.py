"""Whose certificates are trusted here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mm_soap.clock import Clock
from mm_soap.errors import Refusal, Refused
from mm_soap.pki.certificates import organisation_number, read_certificates, within_dates
from mm_soap.pki.paths import validate_path

_log = logging.getLogger(__name__)

MIN_RSA_BITS: Final = 2048
"""The shortest RSA key that is accepted, in bits."""

MAX_INTERMEDIATES: Final = 8
"""How many of the certificates that come with a leaf are looked at."""

REFUSAL_KEPT: Final = timedelta(minutes=1)
"""How long a refusal is remembered: what was missing may be put right meanwhile."""

CACHE_SIZE: Final = 1024
"""How many accepted, and how many refused, certificates are remembered."""


@dataclass(frozen=True)
class OrganisationCertificate:
    """A certificate that a `TrustStore` accepted, and the 12-digit number of the organisation it names."""

    organisation: str
    certificate: x509.Certificate


class PathStatus(Protocol):
    """The revocation of the certificates of one path: :class:`mm_soap.revocation.WatchedPath`."""

    def check(self, received: date | None = None) -> None:
        """Raise ``Refused`` if one is revoked, or not known to be good."""
        ...


class Statuses(Protocol):
    """What is known of revocations: :class:`mm_soap.revocation.Revocation`."""

    def watch(self, path: Sequence[x509.Certificate], *, keep: bool = True) -> PathStatus:
        """Return the revocation of a valid path, the leaf first and the anchor last."""
        ...


class NotChecked:
    """The status of a path where no revocation is looked at."""

    def check(self, received: date | None = None) -> None:
        """Accept."""


@dataclass(frozen=True)
class _Verdict:
    answer: OrganisationCertificate | Refusal
    begin: datetime
    end: datetime
    status: PathStatus


_NOT_CHECKED: Final = NotChecked()
_E = TypeVar("_E", bound=x509.ExtensionType)
_Key = tuple[x509.Certificate, tuple[x509.Certificate, ...]]


class TrustStore:
    """Decides whether a certificate identifies an organisation. May be used by many threads.

    Verdicts are remembered by certificate: an acceptance while every certificate of its path is within its dates, a
    refusal for a minute.

    Args:
        anchors: what is trusted. An authority here (basicConstraints CA; keyUsage keyCertSign) is trusted to issue,
            unless its issuer is here too: then it is known, and stands or falls with its issuer. Any other
            certificate here is pinned: trusted as it stands, within its dates, and not to issue. So is a self-signed
            authority that names an organisation and has no keyUsage.
        clock: decides what has expired.
        statuses: what is known of revocations; None to look at none. Of a pinned certificate none is looked at.
    """

    def __init__(self, anchors: Sequence[x509.Certificate], clock: Clock, statuses: Statuses | None = None) -> None:
        authorities = [a for a in anchors if _may_issue(a)]
        self._known = tuple(a for a in authorities if _issued_by_one_of(a, authorities))
        self._anchors = tuple(a for a in authorities if a not in self._known)
        self._pinned = frozenset(a for a in anchors if a.subject == a.issuer or a not in authorities)
        self._clock = clock
        self._statuses = statuses
        self._lock = threading.Lock()
        self._accepted: dict[_Key, _Verdict] = {}
        self._refused: dict[_Key, _Verdict] = {}

    @classmethod
    def load(cls, files: Iterable[Path], clock: Clock, statuses: Statuses | None = None) -> TrustStore:
        """Return the store whose anchors are all certificates of these PEM files.

        Raises:
            ConfigurationError: a file cannot be read or holds no certificate.
        """
        return cls([certificate for file in files for certificate in read_certificates(file)], clock, statuses)

    def check(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate] = (),
        received: date | None = None,
    ) -> OrganisationCertificate:
        """Return the organisation that the certificate identifies.

        Whether that organisation may do what it asks for is the caller's to decide.

        Args:
            certificate: the leaf.
            intermediates: authorities that came with it; at most `MAX_INTERMEDIATES` are looked at, in any order.
            received: the day on which a party that is trusted got what was signed; a revocation after it does not
                count.

        Raises:
            Refused: ``CERTIFICATE_`` and UNKNOWN_ISSUER, PATH_INVALID, EXPIRED, NOT_YET_VALID, WRONG_USAGE, KEY_TYPE,
                WEAK_KEY, NO_ORGANISATION, UNREADABLE, REVOKED or STATUS_UNKNOWN.
        """
        key = (certificate, tuple(intermediates))
        now = self._clock()
        verdict = self._accepted.get(key) or self._refused.get(key)
        if verdict is None or not verdict.begin <= now <= verdict.end:
            verdict = self._judge(certificate, key[1], now)
            self._remember(key, verdict)
        if isinstance(verdict.answer, Refusal):
            raise Refused(verdict.answer)
        verdict.status.check(received)
        return verdict.answer

    def check_path(self, certificate: x509.Certificate, intermediates: Sequence[x509.Certificate] = ()) -> None:
        """Check that a valid path leads from a certificate to one of the authorities, and that none of it is revoked.

        For certificates that name no organisation, such as those of persons: whom it names and what its key may do is
        the caller's to decide. Pinned certificates do not count, and nothing is remembered.

        Args:
            certificate: the leaf.
            intermediates: as for `check`.

        Raises:
            Refused: ``CERTIFICATE_`` and UNKNOWN_ISSUER, PATH_INVALID, EXPIRED, NOT_YET_VALID, UNREADABLE, REVOKED or
                STATUS_UNKNOWN.
        """
        self.watch_path(certificate, intermediates, keep=False).check()

    def watch_path(
        self, certificate: x509.Certificate, intermediates: Sequence[x509.Certificate] = (), *, keep: bool = True
    ) -> PathStatus:
        """Check that a valid path leads from a certificate to one of the authorities, and return its revocation.

        Args:
            certificate: the leaf.
            intermediates: as for `check`.
            keep: whether it will be asked for again, so that its status is kept fresh.

        Raises:
            Refused: as `check_path`, but for revocation, which is not looked at yet.
        """
        try:
            return self._validate(certificate, tuple(intermediates), self._clock(), keep=keep)[2]
        except Refused:
            raise
        except Exception as error:  # as in _judge
            _log.warning("a certificate could not be validated: %s", type(error).__name__)
            raise Refused(Refusal.CERTIFICATE_UNREADABLE) from None

    def accepted(self) -> list[OrganisationCertificate]:
        """Return the organisations and certificates that were accepted and are remembered."""
        with self._lock:
            answers = [verdict.answer for verdict in self._accepted.values()]
        return [answer for answer in answers if isinstance(answer, OrganisationCertificate)]

    def _judge(self, leaf: x509.Certificate, given: tuple[x509.Certificate, ...], now: datetime) -> _Verdict:
        try:
            if leaf in self._pinned:
                status: PathStatus = _NOT_CHECKED
                begin, end = within_dates(leaf, now)
            else:
                begin, end, status = self._validate(leaf, given, now)
            _check_key(leaf)
            return _Verdict(OrganisationCertificate(organisation_number(leaf), leaf), begin, end, status)
        except Refused as refused:
            return _Verdict(refused.refusal, now, now + REFUSAL_KEPT, _NOT_CHECKED)
        except Exception as error:  # two libraries read lazily here; what was sent must never decide what escapes
            _log.warning("a certificate could not be validated: %s", type(error).__name__)
            return _Verdict(Refusal.CERTIFICATE_UNREADABLE, now, now + REFUSAL_KEPT, _NOT_CHECKED)

    def _validate(
        self, leaf: x509.Certificate, given: tuple[x509.Certificate, ...], now: datetime, *, keep: bool = True
    ) -> tuple[datetime, datetime, PathStatus]:
        authorities = self._genuine(given)
        if not _issued_by_one_of(leaf, [*authorities, *self._anchors]):
            # Also for a trusted name with another key: to whoever reads the reason, that is a stranger.
            raise Refused(Refusal.CERTIFICATE_UNKNOWN_ISSUER)
        begin, end, path = validate_path(leaf, authorities, self._anchors, now)
        return begin, end, self._statuses.watch(path, keep=keep) if self._statuses else _NOT_CHECKED

    def _genuine(self, given: tuple[x509.Certificate, ...]) -> list[x509.Certificate]:
        # Only what a trusted authority issued goes into path building. Forged authorities that name each other would
        # make it try every order of them.
        found = list(self._known)
        waiting = [c for c in given[:MAX_INTERMEDIATES] if c not in found and _may_issue(c)]
        for _ in range(len(waiting)):
            genuine = [c for c in waiting if _issued_by_one_of(c, [*self._anchors, *found])]
            if not genuine:
                break
            found += genuine
            waiting = [c for c in waiting if c not in genuine]
        return found

    def _remember(self, key: _Key, verdict: _Verdict) -> None:
        with self._lock:
            self._accepted.pop(key, None)
            self._refused.pop(key, None)
            cache = self._refused if isinstance(verdict.answer, Refusal) else self._accepted
            while len(cache) >= CACHE_SIZE:
                del cache[next(iter(cache))]
            cache[key] = verdict


def _check_key(leaf: x509.Certificate) -> None:
    try:
        key = leaf.public_key()
    except UnsupportedAlgorithm:
        raise Refused(Refusal.CERTIFICATE_KEY_TYPE) from None
    if not isinstance(key, RSAPublicKey):
        raise Refused(Refusal.CERTIFICATE_KEY_TYPE)
    if key.key_size < MIN_RSA_BITS:
        raise Refused(Refusal.CERTIFICATE_WEAK_KEY)
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise Refused(Refusal.CERTIFICATE_WRONG_USAGE)


def _may_issue(certificate: x509.Certificate) -> bool:
    """Whether a certificate is an authority's.

    Without keyUsage an authority may sign certificates, as RFC 5280 says. But common tools make a self-signed
    organisation certificate just so: CA true and no keyUsage. To pin one must not let it speak for others.
    """
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        return False
    return usage.key_cert_sign if usage is not None else not _names_organisation(certificate)


def _names_organisation(certificate: x509.Certificate) -> bool:
    try:
        organisation_number(certificate)
    except Refused:
        return False
    return True


def _issued_by_one_of(certificate: x509.Certificate, issuers: Iterable[x509.Certificate]) -> bool:
    return any(_issued_by(certificate, issuer) for issuer in issuers if issuer != certificate)


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject or certificate.subject == issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # wrong signature, or one that the library cannot check
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
