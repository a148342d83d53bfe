"""Whether certificates are revoked, built from settings: one object for all parties of a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache

from cryptography import x509

from mm_soap.clock import Clock
from mm_soap.config import Settings
from mm_soap.config_revocation import RevocationSettings
from mm_soap.errors import Refused
from mm_soap.pki import TrustStore, load_certificate, read_certificates
from mm_soap.pki.trust import PathStatus
from mm_soap.revocation.addresses import Addresses, IssuerSources
from mm_soap.revocation.cache import Folder
from mm_soap.revocation.keeper import Revocation
from mm_soap.revocation.model import Answer, Rules
from mm_soap.revocation.report import AGE, FAILURES, LEFT, REFRESHES, REVOKED, ages, left
from mm_soap.revocation.watched import WatchedPath
from mm_soap.soap import Metrics


def revocation_of(settings: Settings, clock: Clock) -> Revocation | None:
    """Return what knows of revocations in this process; None where the settings look at none.

    Raises:
        ConfigurationError: a certificate cannot be read, or the folder cannot be made.
    """
    return None if settings.revocation is None else _revocation(settings.revocation, clock)


@lru_cache(maxsize=8)
def _revocation(own: RevocationSettings, clock: Clock) -> Revocation:
    rules = Rules(
        hosts=frozenset(own.hosts),
        refresh=timedelta(seconds=own.refresh),
        max_age=timedelta(seconds=own.max_age),
        grace=timedelta(seconds=own.grace),
        skew=timedelta(seconds=own.clock_skew),
        accept_unknown=own.when_unknown == "accept",
        first_wait=own.first_wait,
        prefer=own.prefer,
        nonce=own.nonce,
        timeout=own.timeout,
        max_bytes=own.max_crl_bytes,
    )
    folder = Folder(own.cache)
    issuers = [
        IssuerSources(
            read_certificates(each.certificate)[0],
            each.crl_files,
            each.crl_urls,
            each.ocsp_url,
            None if not each.when_unknown else each.when_unknown == "accept",
        )
        for each in own.issuer
    ]
    return Revocation(Addresses(issuers, rules, folder, clock), rules, folder, clock)


def server_status(settings: Settings, clock: Clock) -> Callable[[Sequence[bytes]], PathStatus] | None:
    """Return what tells of the revocation of servers that are called; None where it is not looked at.

    It is looked at where the settings name the authorities of servers: what the system trusts is too much to ask for.
    """
    revocation = revocation_of(settings, clock)
    if revocation is None or settings.tls is None or not settings.tls.server_anchors:
        return None
    return lambda chain: revocation.watch([load_certificate(der) for der in chain])


def standings(settings: Settings, certificates: Sequence[x509.Certificate], clock: Clock) -> list[Answer | None]:
    """Return what is known of the revocation of certificates, asking for it now; None where it is not looked at.

    Args:
        settings: whose anchors count: all of them.
        certificates: those that the settings name, issuers among them.
        clock: the time.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    revocation = revocation_of(settings, clock)
    if revocation is None:
        return [None] * len(certificates)
    tls, far = settings.tls, settings.far
    files = (*settings.trust.anchors, *(far.e_identification_anchors if far else ()))
    files += (*tls.client_anchors, *tls.server_anchors) if tls else ()
    trust = TrustStore.load(dict.fromkeys(files), clock, revocation)
    found: list[Answer | None] = []
    for certificate in certificates:
        try:
            path = trust.watch_path(certificate, [each for each in certificates if each != certificate])
        except Refused:
            found.append(None)  # an anchor, pinned, or of an authority that is not trusted here
            continue
        with suppress(Refused):
            path.check()
        found.append(path.links[0].standing(clock()) if isinstance(path, WatchedPath) else None)
    return found


def add_metrics(metrics: Metrics, revocation: Revocation, clock: Clock) -> None:
    """Show how old what is known is, how long it counts, and how often it was asked for."""
    tally = revocation.tally
    metrics.add_gauge(
        AGE, "Seconds since a revocation status in use was confirmed.", lambda: ages(revocation.sources(), clock())
    )
    metrics.add_gauge(
        LEFT,
        "Seconds for which the last known revocation status counts, the grace included.",
        lambda: left(revocation.sources(), clock()),
    )
    metrics.add_gauge(
        REVOKED, "Uses of certificates that were refused since they are revoked.", tally.revoked, "counter"
    )
    metrics.add_gauge(REFRESHES, "Revocation statuses that came.", tally.refreshes, kind="counter")
    metrics.add_gauge(
        FAILURES, "Revocation statuses that did not come, or could not be used.", tally.failures, "counter"
    )
