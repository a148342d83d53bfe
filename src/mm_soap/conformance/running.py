"""Trying the cases of a role one after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from mm_soap.clock import Clock
from mm_soap.conformance.carrying import Line
from mm_soap.conformance.model import Broken, Case, Finding, NotTried, Report, Verdict
from mm_soap.unexpected import places

_log = logging.getLogger(__name__)

T = TypeVar("T")


def run(
    role: str,
    cases: Iterable[Case[T]],
    target: T,
    lines: Sequence[Line],
    clock: Clock,
    told: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Try cases and return what was found.

    Args:
        role: of the other party.
        cases: in order.
        target: what each case gets.
        lines: the calls that they make; what went and came is put to the case's finding.
        clock: the time.
        told: is told of each finding as soon as it is there.
    """
    report = Report(role, tuple(line.url for line in lines), clock())
    broken: set[str] = set()
    for case in cases:
        started = time.monotonic()
        if missing := [one for one in case.needs if one in broken]:
            verdict, what, place = Verdict.NOT_TRIED, f"{missing[0]} comes first: it did not pass.", ""
        else:
            verdict, what, place = _tried(case, target)
        if verdict is Verdict.FAILED or missing:
            broken.add(case.id)
        exchanges = tuple(sorted((one for line in lines for one in line.take()), key=lambda one: one.begun))
        finding = Finding(case, verdict, what, place, exchanges, time.monotonic() - started)  # type: ignore[arg-type]
        report.findings.append(finding)
        told(finding)
    return report


def _tried(case: Case[T], target: T) -> tuple[Verdict, str, str]:
    try:
        case.check(target)
    except Broken as broken:
        return Verdict.FAILED, broken.what, broken.place
    except NotTried as reason:
        return Verdict.NOT_TRIED, str(reason), ""
    except Exception as error:
        # An error of the kit's own: it says nothing about the other party.
        _log.error("the case %s ended in %s", case.id, places(error))
        return Verdict.NOT_TRIED, f"The kit itself failed: {type(error).__name__}.", ""
    return Verdict.PASSED, "", ""
