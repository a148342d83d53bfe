"""Whom a batch calls, and how long it waits for one who is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from mm_soap.errors import RemoteFault, TransportError
from mm_soap.register_client import Reached
from mm_soap.sender import DistributionStatus

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0

Answer = TypeVar("Answer")


class Dispatcher(Protocol):
    """The dispatcher as a sender calls it: :class:`mm_soap.sender.SenderClient`."""

    def distribute(self, document: bytes) -> str:
        """Hand over a signed delivery and return its distribution id."""
        ...

    def status(self, sender: str, distribution_id: str) -> DistributionStatus:
        """Tell how far a delivery came."""
        ...


class Register(Protocol):
    """The register as a sender asks it: :class:`mm_soap.register_client.RegisterClient`."""

    def reachable(self, sender: str, recipients: Sequence[str]) -> list[Reached]:
        """Ask for at most 1000 recipients; the answers are in the order of the question."""
        ...


@dataclass(frozen=True)
class Patience:
    """Makes calls again after technical errors.

    Args:
        seconds: how long the other party may be away.
        stopping: set from outside to make no more calls.
    """

    seconds: float
    stopping: threading.Event

    def call(self, call: Callable[[], Answer]) -> Answer | None:
        """Make a call, again and again while only technical errors come; None if the run stops first.

        Raises:
            RemoteFault, TransportError: it was refused, or the other party was away for too long.
        """
        deadline = time.monotonic() + self.seconds
        pause = FIRST_WAIT
        while not self.stopping.is_set():
            try:
                return call()
            except (RemoteFault, TransportError) as error:
                lasting = isinstance(error, RemoteFault) and not error.technical
                if lasting or time.monotonic() >= deadline:
                    raise
            self.stopping.wait(pause)
            pause = min(LONGEST_WAIT, pause * 2)
        return None
