"""The revocation of one certificate, and of a whole path, as it is known at the moment of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Final, Protocol

from cryptography import x509

from mm_soap.clock import Clock
from mm_soap.errors import Refusal, Refused
from mm_soap.revocation.model import Answer, Known, Revoked, Standing
from mm_soap.revocation.sources import Source

ISSUER_REVOKED: Final = "an authority that issued it"
"""What a fault says where not the certificate itself is revoked, or unknown, but one above it."""


class Link:
    """A certificate whose revocation matters.

    Args:
        certificate: the certificate.
        issuer: its issuer.
        sources: what tells of it.
        accept_unknown: whether it is accepted when nothing that counts is known of it.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        sources: Sequence[Source],
        *,
        accept_unknown: bool,
    ) -> None:
        self.certificate = certificate
        self.issuer = issuer
        self.sources = sources
        self.accept_unknown = accept_unknown
        self._answers: dict[Source, tuple[Known, Answer]] = {}

    def standing(self, now: datetime) -> Answer:
        """Return what is known now: revoked if any source says so; good if one does that still counts."""
        found: Answer = Standing.UNKNOWN
        for source in self.sources:
            held = source.held
            if held is None:
                continue
            answer = self._answer(source, held.known)
            if isinstance(answer, Revoked):
                return answer
            if answer is Standing.GOOD and now <= held.usable_until:
                found = answer
        return found

    def settled(self, now: datetime) -> bool:
        """Tell whether to ask now would tell nothing new: what is known is kept fresh, or nothing is due."""
        for source in self.sources:
            held = source.held
            told = held is not None and self._answer(source, held.known) is not Standing.UNKNOWN
            if told and (source.current(now) or source.active(now)):
                return True
        return not any(source.due(now) for source in self.sources)

    def _answer(self, source: Source, known: Known) -> Answer:
        # To search a long list takes milliseconds, so what it said is remembered while it is the same list.
        found = self._answers.get(source)
        if found is None or found[0] is not known:
            found = self._answers[source] = (known, known.answer(self.certificate))
        return found[1]


class Ask(Protocol):
    """Sees to it that sources are asked, and waits for them, for a bounded time."""

    def __call__(self, links: Sequence[Link]) -> None:
        """Ask the sources of these links that are due."""
        ...


class WatchedPath:
    """The certificates of a valid path, but for its anchor, the leaf first.

    Args:
        links: the certificates.
        clock: the time.
        ask: for those whose status is not kept fresh.
        refused: called with the issuer of a certificate that is refused since it is revoked.
        keep: whether to keep it fresh from now on.
    """

    def __init__(
        self,
        links: Sequence[Link],
        clock: Clock,
        ask: Ask,
        refused: Callable[[x509.Certificate], None],
        *,
        keep: bool,
    ) -> None:
        self.links = links
        self._clock = clock
        self._ask = ask
        self._refused = refused
        self._keep = keep

    def check(self, received: date | None = None) -> None:
        """Refuse what is revoked, and what is not known to be good unless that is accepted.

        Looks into memory, and waits only for the first status of a certificate that nothing kept fresh.

        Args:
            received: the day on which a party that is trusted got what was signed. A revocation after that day does
                not count.

        Raises:
            Refused: ``CERTIFICATE_REVOKED`` or ``CERTIFICATE_STATUS_UNKNOWN``.
        """
        now = self._clock()
        waiting = [link for link in self.links if not link.settled(now)]
        for link in self.links:
            for source in link.sources:
                source.use(now, keep=self._keep)
        if waiting:
            self._ask(waiting)
            now = self._clock()
        for position, link in enumerate(self.links):
            answer = link.standing(now)
            where = ISSUER_REVOKED if position else ""
            if isinstance(answer, Revoked) and not _later(answer, received):
                self._refused(link.issuer)
                raise Refused(Refusal.CERTIFICATE_REVOKED, where)
            if answer is Standing.UNKNOWN and not link.accept_unknown:
                raise Refused(Refusal.CERTIFICATE_STATUS_UNKNOWN, where)


def _later(revoked: Revoked, received: date | None) -> bool:
    # The day in a seal is that of UTC.
    return received is not None and received <= revoked.since.date()
