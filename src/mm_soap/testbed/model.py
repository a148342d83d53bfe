"""How a step of a request ended, and what was looked at in it: what any judge of requests has to say for the pages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Result(Enum):
    """How a check or a step ended."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_REACHED = "not reached"
    """A step before it failed, so that there was nothing to look at."""
    WAITING = "waiting"
    """It has not happened yet."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        title: what must hold.
        result: whether it does.
        found: what is wrong; empty where it holds.
        place: where in the request.
        rule: the section of the contract that it comes from.
        remedy: what to do, in one sentence; empty where it holds.
    """

    title: str
    result: Result
    found: str = ""
    place: str = ""
    rule: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Judged:
    """One step of the way of a request: its checks, and what is known of it beside them."""

    name: str
    checks: tuple[Check, ...]
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def result(self) -> Result:
        """Broken where a check is; not reached where none could be made."""
        results = {check.result for check in self.checks}
        for one in (Result.BROKEN, Result.HOLDS):
            if one in results:
                return one
        return Result.NOT_REACHED
