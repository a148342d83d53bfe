"""How deliveries are made to an operator: time limits, calls at once, waits, when to give up, and what is technical.

Values alone: no threads, no database, no clock. The engine asks them what to do; `mm_soap.dispatcher.breaker` runs the
circuit breaker that a policy describes. Source of what is technical: the contract's error codes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

_MOST_STEPS: Final = 1000
"""Attempts after which the wait grows no more: floats end there."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long a call may take.

    Args:
        connect: until the connection is there, in seconds.
        answer: from the end of the request until the whole answer is there, in seconds.
    """

    connect: float = 5.0
    answer: float = 30.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between attempts.

    Args:
        first: the longest wait before the second attempt, in seconds.
        longest: the longest wait between two attempts, in seconds.
        factor: by how much the wait grows with each attempt; at least 1.
        jitter: which part of each wait is left to chance, from 0 to 1, so that deliveries which failed together do not
            come back together.
    """

    first: float = 1.0
    longest: float = 900.0
    factor: float = 2.0
    jitter: float = 0.5

    def limit(self, attempts: int) -> float:
        """Return the longest wait after so many failed attempts, in seconds."""
        try:
            grown = self.first * self.factor ** min(max(attempts, 1) - 1, _MOST_STEPS)
        except OverflowError:
            return self.longest
        return min(self.longest, grown)

    def wait(self, attempts: int, chance: float) -> float:
        """Return how long to wait after so many failed attempts, in seconds; ``chance`` is from 0 to 1."""
        return self.limit(attempts) * (1.0 - self.jitter * (1.0 - chance))


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When an operator is left alone, and for how long.

    Args:
        failures: technical errors in a row that open the breaker.
        first_pause: how long no call is made then, in seconds. It doubles with each probe that fails.
        longest_pause: the longest pause, in seconds.
        probes: calls at once after a pause, until one of them gets an answer.
    """

    failures: int = 5
    first_pause: float = 2.0
    longest_pause: float = 60.0
    probes: int = 1

    def pause(self, failures: int) -> timedelta | None:
        """Return how long to pause after so many technical errors in a row; None for not at all."""
        if failures < self.failures:
            return None
        seconds = self.first_pause * 2.0 ** min(failures - self.failures, 64)
        return timedelta(seconds=min(self.longest_pause, seconds))


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How deliveries are made to one operator.

    Args:
        limits: how long a call may take.
        calls_at_once: calls under way at once.
        backoff: how long to wait between attempts.
        give_up_after: how long after it was accepted a delivery is given up, in seconds.
        breaker: when the operator is left alone.
        technical_codes: the ErrorCodes after which the same call is made again, as pairs of first and last. A fault
            without a code, and every answer that is no SOAP, is technical whatever stands here.
    """

    limits: TimeLimits = TimeLimits()
    calls_at_once: int = 4
    backoff: Backoff = Backoff()
    give_up_after: float = 86_400.0
    breaker: BreakerPolicy = BreakerPolicy()
    technical_codes: Sequence[tuple[int, int]] = ((0, 4999),)

    def is_technical(self, code: int | None) -> bool:
        """Tell whether a fault with this ErrorCode is tried again."""
        return code is None or any(first <= code <= last for first, last in self.technical_codes)

    def next_attempt(
        self, now: datetime, received: datetime, attempts: int, chance: Callable[[], float] = random.random
    ) -> datetime | None:
        """Return when to try again after ``attempts`` failed attempts, or None to give up.

        Args:
            now: when the last attempt ended.
            received: when the delivery was accepted.
            attempts: how many there were, at least 1.
            chance: returns a number from 0 to 1.
        """
        deadline = received + timedelta(seconds=self.give_up_after)
        if now >= deadline:
            return None
        return min(deadline, now + timedelta(seconds=self.backoff.wait(attempts, chance())))


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of each operator.

    Args:
        default: for operators without one of their own, and for questions to the register.
        own: policies by the operator's organisation number.
    """

    default: DeliveryPolicy = DeliveryPolicy()
    own: Mapping[str, DeliveryPolicy] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, operator: str) -> DeliveryPolicy:
        """Return the policy of an operator by its organisation number."""
        return self.own.get(operator, self.default)


@dataclass(frozen=True, slots=True)
class Limit:
    """How much one sender may send. 0 stands for no limit.

    Args:
        messages_per_second: messages a second, over time.
        burst: messages at once, after a time with fewer than that.
        bytes_per_day: bytes of signed messages from midnight to midnight UTC.
    """

    messages_per_second: float = 0.0
    burst: int = 100
    bytes_per_day: int = 0

    def __bool__(self) -> bool:
        """Tell whether there is any limit."""
        return bool(self.messages_per_second or self.bytes_per_day)


CLOCKS_APART: Final = timedelta(seconds=5)
"""By how much the clocks of machines on one database may differ. One that goes back by more was set back."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: a message takes one, and they come again with time.

    Args:
        tokens: how many there were.
        filled: when.
    """

    tokens: float
    filled: datetime

    def take(self, now: datetime, limit: Limit, messages: int = 1) -> Bucket | None:
        """Return the bucket after some messages, or None if they may not be sent now.

        More messages at once than the burst allows may go when the bucket is full; it owes the rest then.

        A clock that is set forward fills the bucket once. One that is set back fills nothing but one token, and the
        time counts from there on: else nothing could be sent until it is as late as it was before.
        """
        since = (now - self.filled).total_seconds()
        tokens = min(float(limit.burst), self.tokens + max(0.0, since) * limit.messages_per_second)
        set_back = self.filled - now > CLOCKS_APART
        if set_back:
            tokens = max(tokens, 1.0)
        if tokens < min(messages, limit.burst):
            return None
        return Bucket(tokens - messages, now if since >= 0 or set_back else self.filled)
