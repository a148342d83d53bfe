"""What the kit judges by, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Verdict(Enum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The other party broke the rule."""
    NOT_TRIED = "not tried"
    """Something that the case needs was not given, or a case before it failed."""


class Broken(Exception):
    """The other party broke the rule of the case.

    Args:
        what: what was expected and what came, in one or two sentences without anything personal.
        place: where in the message, by the contract's names; empty if nowhere in particular.
    """

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what, place)
        self.what = what
        self.place = place


class NotTried(Exception):
    """The case could not be tried; the text says what is missing."""


@dataclass(frozen=True)
class Case(Generic[T]):
    """One thing that is judged.

    Args:
        id: stable over versions, such as ``register.isReachable.order``.
        title: what is expected, in one sentence.
        rule: where it comes from, such as ``services, isReachable``.
        remedy: what to do where it fails, in one sentence.
        check: makes the calls and raises `Broken` or `NotTried`.
    """

    id: str
    title: str
    rule: str
    remedy: str
    check: Callable[[T], None]


class Cases(Generic[T]):
    """The cases of one role, in the order in which they are tried."""

    def __init__(self, role: str) -> None:
        self.role = role
        self._cases: dict[str, Case[T]] = {}

    def __iter__(self) -> Iterator[Case[T]]:
        return iter(self._cases.values())

    def __len__(self) -> int:
        return len(self._cases)

    def case(self, name: str, *, rule: str, remedy: str) -> Callable[[Callable[[T], None]], Callable[[T], None]]:
        """Add a function as a case; its docstring's first line is the title.

        Args:
            name: the id without the role.
            rule: where the rule comes from.
            remedy: what to do where it fails, in one sentence.
        """

        def add(check: Callable[[T], None]) -> Callable[[T], None]:
            case_id = f"{self.role}.{name}"
            if case_id in self._cases:
                raise ValueError(f"{case_id} is there twice")
            title = (check.__doc__ or "").strip().split("\n")[0]
            self._cases[case_id] = Case(case_id, title, rule, remedy, check)
            return check

        return add


@dataclass(frozen=True)
class Exchange:
    """One request and what came back."""

    url: str
    sent: bytes
    status: int | None
    """The HTTP status; None if nothing came back."""
    received: bytes
    seconds: float


@dataclass(frozen=True)
class Finding:
    """How one case ended."""

    case: Case[object]
    verdict: Verdict
    what: str = ""
    """What was wrong, or why it was not tried."""
    place: str = ""
    exchanges: tuple[Exchange, ...] = ()
    seconds: float = 0.0


@dataclass
class Report:
    """All findings of one run."""

    role: str
    endpoints: tuple[str, ...]
    started: datetime
    findings: list[Finding] = field(default_factory=list)

    def count(self, verdict: Verdict) -> int:
        """Return how many cases ended so."""
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def conforms(self) -> bool:
        """Whether no case failed, and at least one was tried."""
        return self.count(Verdict.FAILED) == 0 and self.count(Verdict.PASSED) > 0
