"""One lane for each operator, so that a slow or dead one holds nobody else up.

A lane bounds how many calls are under way at once, and has the operator's circuit breaker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from mm_soap.dispatcher.breaker import Breaker
from mm_soap.dispatcher.model import Sealed
from mm_soap.dispatcher.policy import DeliveryPolicy, Policies


@dataclass
class Lane:
    """The calls to one operator. Used by one thread alone."""

    policy: DeliveryPolicy
    under_way: int = 0
    waiting: deque[Sealed] = field(default_factory=deque)
    """What goes next, in order."""
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker(self.policy.breaker)

    def paused(self, now: datetime) -> bool:
        """Tell whether no call may begin now, however few are under way."""
        return self.breaker.paused(now)

    def room(self, now: datetime) -> int:
        """Return how many calls may begin now."""
        return self.breaker.room(now, self.policy.calls_at_once, self.under_way)

    def begin(self) -> None:
        """Count a call that begins."""
        self.under_way += 1

    def end(self, technical_error: bool, now: datetime) -> bool:
        """Count a call that ended. Returns whether a pause began or ended with it."""
        self.under_way -= 1
        return self.breaker.failed(now) if technical_error else self.breaker.succeeded()


@dataclass
class Lanes:
    """The lanes by the operator's organisation number."""

    policies: Policies
    _lanes: dict[str, Lane] = field(default_factory=dict)

    def of(self, operator: str) -> Lane:
        """Return the lane of an operator."""
        lane = self._lanes.get(operator)
        if lane is None:
            lane = self._lanes[operator] = Lane(self.policies.of(operator))
        return lane

    def full(self, now: datetime, most: int) -> set[str]:
        """Return the operators for which nothing more is to be fetched: a pause, or ``most`` wait already."""
        return {operator for operator, lane in self._lanes.items() if lane.paused(now) or len(lane.waiting) >= most}

    def waiting(self) -> int:
        """Return how many deliveries wait, in all lanes."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def each(self) -> Iterator[tuple[str, Lane]]:
        """Yield every operator and its lane."""
        yield from self._lanes.items()

    def next_up(self, now: datetime, most: int) -> list[Sealed]:
        """Return at most ``most`` deliveries whose calls may begin now, one of each lane in turn; they stay waiting."""
        chosen: list[Sealed] = []
        rooms = [(lane, min(lane.room(now), len(lane.waiting))) for lane in self._lanes.values()]
        for place in range(max((room for _, room in rooms), default=0)):
            chosen += [lane.waiting[place] for lane, room in rooms if room > place]
        # Whoever went first now goes last: were there never room for all, the last would else never have a turn.
        if len(chosen) > most:
            first = next(iter(self._lanes))
            self._lanes[first] = self._lanes.pop(first)
        return chosen[:most]
