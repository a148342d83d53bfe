"""What is known of a certificate's revocation, and how long it counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal, Protocol

from cryptography import x509

from mm_soap.errors import MmSoapError


class Unusable(MmSoapError):
    """A status could not be fetched, or what came cannot be used. The text is half a sentence for the log."""


class Standing(Enum):
    """What a source says of a certificate that it does not call revoked."""

    GOOD = "good"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Revoked:
    """The issuer has revoked the certificate: ``since`` is the revocationDate that it gives."""

    since: datetime


Answer = Revoked | Standing


class Known(Protocol):
    """A list or a response whose signature holds."""

    @property
    def this_update(self) -> datetime:
        """When the issuer knew it to be so."""
        ...

    @property
    def next_update(self) -> datetime | None:
        """By when the issuer says something newer; None where it does not say."""
        ...

    def answer(self, certificate: x509.Certificate) -> Answer:
        """Return what it says of a certificate of its issuer."""
        ...


@dataclass(frozen=True)
class Rules:
    """How statuses are got, and how long they count.

    Args:
        hosts: ``host`` or ``host:port`` of the addresses in certificates that may be asked.
        refresh: how often a status that is in use is asked for.
        max_age: how long a status counts since it was last confirmed, whatever its nextUpdate.
        grace: how much longer it counts while nothing newer can be had.
        skew: by how much the clocks of issuers may differ from this one.
        accept_unknown: whether a certificate is accepted of which nothing is known that counts.
        first_wait: how long a call waits for the first status of a certificate, in seconds.
        prefer: which of the addresses in a certificate are used where it has both kinds.
        nonce: whether OCSP requests have a nonce, and whether the answer must.
        timeout: how long one answer may take, in seconds.
        max_bytes: the longest list that is read.
    """

    hosts: frozenset[str] = frozenset()
    refresh: timedelta = timedelta(minutes=5)
    max_age: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(days=1)
    skew: timedelta = timedelta(minutes=1)
    accept_unknown: bool = False
    first_wait: float = 3.0
    prefer: Literal["crl", "ocsp"] = "crl"
    nonce: Literal["optional", "required", "none"] = "optional"
    timeout: float = 10.0
    max_bytes: int = 20_971_520

    @property
    def retry(self) -> timedelta:
        """How soon a source is asked again that failed."""
        return min(self.refresh, timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Held:
    """Something known, and how long it counts.

    ``confirmed`` is when its source last said so. It is fresh until ``fresh_until``, and counts until ``usable_until``.
    """

    known: Known
    confirmed: datetime
    fresh_until: datetime
    usable_until: datetime


def hold(known: Known, confirmed: datetime, rules: Rules, *, published: bool = True) -> Held:
    """Return how long something known counts.

    With a nextUpdate it is fresh until then and the clocks' difference, but no longer than ``max_age`` since it was
    confirmed. Without, the issuer may know better at any time: ``max_age`` counts from thisUpdate.

    Args:
        known: a list or a response.
        confirmed: when its source last said so.
        rules: of the installation.
        published: False for a file of this installation: to read it confirms nothing, so its nextUpdate alone counts.
    """
    fresh = (known.next_update or known.this_update + rules.max_age) + rules.skew
    if published:
        fresh = min(fresh, confirmed + rules.max_age)
    return Held(known, confirmed, fresh, fresh + rules.grace)


def check_dates(known: Known, now: datetime, before: Known | None, rules: Rules) -> None:
    """Check that what just came is not of the future, and not older than what is known already.

    What is out of date may come: it counts as long as the grace lasts, and what it calls revoked is revoked.

    Raises:
        Unusable: it is of the future, or older than what is known.
    """
    if known.this_update > now + rules.skew:
        raise Unusable("its thisUpdate lies in the future")
    if before is not None and known.this_update < before.this_update:
        raise Unusable("it is older than the one that is known already")
