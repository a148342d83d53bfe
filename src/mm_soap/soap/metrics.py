"""Counters of calls, in the text form that Prometheus reads."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
"""Upper bounds of the durations that are counted, in seconds."""

Gauge = Callable[[], Sequence[tuple[Mapping[str, str], float]]]
"""Returns the values of a metric, each with its labels."""


class Metrics:
    """Counts the calls of one process, by port, operation and outcome. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str, str], int] = defaultdict(int)
        self._seconds: dict[tuple[str, str], list[float]] = {}
        self._gauges: list[tuple[str, str, Gauge, str]] = []

    def add_gauge(self, name: str, told: str, read: Gauge, kind: str = "gauge") -> None:
        """Show a value that is read when it is asked for.

        Args:
            name: the metric's name.
            told: what it says, as one sentence.
            read: returns the values with their labels; neither may hold a quotation mark or personal data.
            kind: ``gauge``, or ``counter`` for what only grows.
        """
        self._gauges.append((name, told, read, kind))

    def count(self, port: str, operation: str, code: str, seconds: float) -> None:
        """Count one call. ``code`` is 0, the ErrorCode, or ``http`` and a status; ``seconds`` is how long it took."""
        with self._lock:
            self._calls[port, operation, code] += 1
            row = self._seconds.setdefault((port, operation), [0.0] * (len(BUCKETS) + 2))
            for position, bound in enumerate(BUCKETS):
                if seconds <= bound:
                    row[position] += 1
            row[-2] += 1
            row[-1] += seconds

    def render(self) -> bytes:
        """Return everything counted so far in Prometheus's text format."""
        with self._lock:
            calls = sorted(self._calls.items())
            seconds = sorted((key, list(row)) for key, row in self._seconds.items())
        lines = ["# HELP mm_soap_calls_total Calls by outcome.", "# TYPE mm_soap_calls_total counter"]
        for (port, operation, code), calls_made in calls:
            lines.append(f'mm_soap_calls_total{{port="{port}",operation="{operation}",code="{code}"}} {calls_made}')
        name = "mm_soap_call_seconds"
        lines += [f"# HELP {name} Duration of calls.", f"# TYPE {name} histogram"]
        for (port, operation), row in seconds:
            labels = f'port="{port}",operation="{operation}"'
            for bound, number in zip((*map(str, BUCKETS), "+Inf"), row[:-1], strict=True):
                lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {number:.0f}')
            lines += [f"{name}_sum{{{labels}}} {row[-1]:.6f}", f"{name}_count{{{labels}}} {row[-2]:.0f}"]
        for name, told, read, kind in self._gauges:
            lines += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
            for pairs, value in read():
                labels = ",".join(f'{key}="{label}"' for key, label in pairs.items())
                lines.append(f"{name}{{{labels}}} {value:.0f}")
        return ("\n".join(lines) + "\n").encode()
