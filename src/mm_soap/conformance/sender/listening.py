"""Listening: each request is read as it comes, judged, answered, and kept for the report."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from mm_soap.clock import Clock, system_clock
from mm_soap.conformance.model import Arrival, Exchange, Finding, Report, Verdict
from mm_soap.conformance.sender.answers import Reply, refusal
from mm_soap.conformance.sender.cases import CASES
from mm_soap.conformance.sender.judging import Judge
from mm_soap.conformance.sender.ledger import First, Ledger
from mm_soap.conformance.sender.model import Mark, Request, Sheet
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.contract import Port
from mm_soap.errors import Refusal, Refused
from mm_soap.unexpected import places

_log = logging.getLogger(__name__)

_MOST_EXCHANGES: Final = 3


@dataclass
class Listener:
    """All that is known of a sender so far. Safe for threads.

    Args:
        plan: whose signatures hold.
        first: what becomes of the first delivery.
        unfinished: how many times a status is answered with 5004 before it is told.
        unmasked: whether what is said may repeat what was sent.
        clock: the time.
        told: is told of each request as soon as it is judged.
        answered: is told how many have come, when an answer is on its way.
    """

    plan: SenderPlan
    first: First = First.ANSWERED
    unfinished: int = 1
    unmasked: bool = False
    clock: Clock = system_clock
    told: Callable[[Arrival, Sheet], None] = lambda _, __: None
    answered: Callable[[int], None] = lambda _: None
    arrivals: list[Arrival] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._judge = Judge(self.plan, self.clock, self.unmasked)
        self._ledger = Ledger(self.plan, self.first, self.unfinished)
        self._marks: dict[str, list[tuple[int, Mark]]] = {}
        self._lock = threading.Lock()
        self._started = self.clock()

    def take(self, came: Came) -> Reply:
        """Judge a request and return its answer."""
        begun = time.monotonic()
        with self._lock:
            request = Request(
                len(self.arrivals) + 1,
                self.clock(),
                came.url,
                came.port,
                came.method,
                came.headers,
                came.body,
                came.broken_off,
                came.caller,
            )
            sheet, reply = self._judged(request)
            for name, marks in sheet.marks.items():
                self._marks.setdefault(name, []).extend((request.number, one) for one in marks)
            exchange = _exchange(request, reply, time.monotonic() - begun)
            arrival = Arrival(
                request.number,
                request.at,
                sheet.operation.name if sheet.operation is not None else "",
                exchange,
                tuple(CASES[name].id for name in sheet.wrong),
                len(sheet.marks),
                tuple(sheet.notes),
            )
            self.arrivals.append(arrival)
            self.told(arrival, sheet)
        return reply

    def _judged(self, request: Request) -> tuple[Sheet, Reply]:
        try:
            sheet = self._judge.judge(request)
            return sheet, self._ledger.answer(request, sheet)
        except Exception as error:
            # An error of the kit's own: it says nothing about the sender.
            _log.error("request %d ended in %s", request.number, places(error))
            sheet = Sheet(notes=[f"the kit itself failed: {type(error).__name__}"])
            return sheet, refusal(request, sheet, Refused(Refusal.UNEXPECTED))

    def report(self, endpoints: tuple[str, ...]) -> Report:
        """Return what was found, after the last request."""
        with self._lock:
            for number, name, mark in self._ledger.at_the_end():
                self._marks.setdefault(name, []).append((number, mark))
            findings = [self._finding(name) for name in CASES]
            return Report("sender", endpoints, self._started, findings, list(self.arrivals))

    def _finding(self, name: str) -> Finding:
        case: Any = CASES[name]
        marks = self._marks.get(name, [])
        wrong = [(number, mark) for number, mark in marks if not mark.kept]
        if not wrong:
            verdict = Verdict.PASSED if marks else Verdict.NOT_TRIED
            return Finding(case, verdict, "" if marks else f"Not seen. {case.attempt}")
        by_number = {one.number: one.exchange for one in self.arrivals}
        exchanges = [by_number[number] for number in dict.fromkeys(number for number, _ in wrong)]
        told = [(f"Request {number}: {mark.what}", mark.place) for number, mark in wrong]
        return Finding(
            case, Verdict.FAILED, *told[0], tuple(exchanges[:_MOST_EXCHANGES]), also=tuple(dict.fromkeys(told[1:]))
        )


@dataclass(frozen=True)
class Came:
    """What the server read of a request."""

    url: str
    port: Port | None
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    broken_off: bool
    caller: str | None


def _exchange(request: Request, reply: Reply, seconds: float) -> Exchange:
    return Exchange(
        request.url,
        request.body,
        None if reply.cut else reply.status,
        reply.body,
        seconds,
        request.method,
        request.headers,
        () if reply.cut else (("Content-Type", reply.kind), *reply.headers),
        number=request.number,
    )
