"""What the kit judges by, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    needs: tuple[str, ...] = ()
    """Ids of cases without which this one says nothing new: where one of them failed, it is not tried."""

    @property
    def group(self) -> str:
        """What the case is about: the operation, or another part of the contract."""
        return self.id.split(".")[1]


class Cases(Generic[T]):
    """The cases of one role, in the order in which they are tried.

    Args:
        role: whose they are.
        parts: cases of the same role that stand in other modules, in order.
    """

    def __init__(self, role: str, *parts: Cases[T]) -> None:
        self.role = role
        self._cases: dict[str, Case[T]] = {}
        for case in (case for part in parts for case in part):
            if case.id in self._cases or (missing := set(case.needs) - self._cases.keys()):
                raise ValueError(f"{case.id} is there twice" if case.id in self._cases else f"{case.id}: {missing}")
            self._cases[case.id] = case

    def __iter__(self) -> Iterator[Case[T]]:
        return iter(self._cases.values())

    def __len__(self) -> int:
        return len(self._cases)

    def case(
        self, name: str, *, rule: str, remedy: str, needs: Iterable[str] = ()
    ) -> Callable[[Callable[[T], None]], Callable[[T], None]]:
        """Add a function as a case; its docstring's first line is the title.

        Args:
            name: the id without the role.
            rule: where the rule comes from.
            remedy: what to do where it fails, in one sentence.
            needs: cases before this one, without the role, that must not have failed for this one to say anything new.
        """

        def add(check: Callable[[T], None]) -> Callable[[T], None]:
            title = (check.__doc__ or "").strip().split("\n")[0]
            self.add(name, title, check, rule=rule, remedy=remedy, needs=needs)
            return check

        return add

    def add(
        self, name: str, title: str, check: Callable[[T], None], *, rule: str, remedy: str, needs: Iterable[str] = ()
    ) -> None:
        """Add a case that stands in a table; the arguments are those of `case` and `Case`."""
        case_id = f"{self.role}.{name}"
        if case_id in self._cases:
            raise ValueError(f"{case_id} is there twice")
        needed = tuple(f"{self.role}.{one}" for one in needs)
        self._cases[case_id] = Case(case_id, title, rule, remedy, check, needed)


@dataclass(frozen=True)
class Exchange:
    """One request and what came back."""

    url: str
    sent: bytes
    status: int | None
    """The HTTP status; None if nothing came back."""
    received: bytes
    seconds: float
    method: str = "POST"
    sent_headers: tuple[tuple[str, str], ...] = ()
    received_headers: tuple[tuple[str, str], ...] = ()
    begun: float = 0.0
    """When, by a clock without a date: it puts the calls of several lines in order."""
    number: int = 0
    """Of a request that came while the kit listened, which several cases may name; 0 for the kit's own calls."""


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
    also: tuple[tuple[str, str], ...] = ()
    """The same rule broken elsewhere: each time what and place."""


@dataclass(frozen=True)
class Arrival:
    """One request that came while the kit listened, and what it was answered."""

    number: int
    at: datetime
    operation: str
    """Its name; empty where it is none."""
    exchange: Exchange
    broken: tuple[str, ...] = ()
    """Ids of the cases that it broke."""
    judged: int = 0
    """How many rules it was judged by."""
    notes: tuple[str, ...] = ()


@dataclass
class Report:
    """All findings of one run."""

    role: str
    endpoints: tuple[str, ...]
    started: datetime
    findings: list[Finding] = field(default_factory=list)
    arrivals: list[Arrival] | None = None
    """What came, where the kit listened; None where it called."""

    @property
    def untried(self) -> str:
        """What people call a case that was not tried: while the kit listens, it is not seen."""
        return "not seen" if self.arrivals is not None else Verdict.NOT_TRIED.value

    def count(self, verdict: Verdict) -> int:
        """Return how many cases ended so."""
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def conforms(self) -> bool:
        """Whether no case failed, and at least one was tried."""
        return self.count(Verdict.FAILED) == 0 and self.count(Verdict.PASSED) > 0
