"""Where the processor time of one party goes, function by function, by the profiler yappi.

The party is started by this module instead of ``mm_soap``. Its workers begin to measure at one signal, and at another
they write down what they measured. Each call and return costs time as well, so small functions look more expensive than
they are; functions in C that call no Python are shown truly.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import processes
from mm_soap.errors import MmSoapError

FILE_VARIABLE = "BENCHMARK_PROFILE"
"""The environment variable with the path of the file that a worker writes, without its process id."""

_BEGIN, _END = signal.SIGRTMIN, signal.SIGRTMIN + 1
_TOP = 25
_PATIENCE_SECONDS = 60.0


def check() -> None:
    """Check that profiles can be made.

    Raises:
        MmSoapError: yappi is missing.
    """
    if importlib.util.find_spec("yappi") is None:
        raise MmSoapError("A profile needs yappi: install it with `pip install yappi`.")


@contextmanager
def profiled(pid: int, raw: Path, output: Path) -> Iterator[list[int]]:
    """Measure a party while the block runs, and write its functions into a text file.

    Args:
        pid: the party's process, started by this module.
        raw: what `FILE_VARIABLE` was set to.
        output: gets the table.

    Yields:
        A list to which the block appends how many messages it sent; times are shown for one message.
    """
    workers = processes.tree(pid)[1:]
    for worker in workers:
        os.kill(worker, _BEGIN)
    time.sleep(1.5)  # a worker's main thread wakes at least once a second
    sent: list[int] = []
    yield sent
    lines = []
    for worker in workers:
        file = raw.with_name(f"{raw.name}.{worker}")
        os.kill(worker, _END)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not file.exists():
            if time.monotonic() > deadline:
                raise MmSoapError(f"The process {worker} did not write its profile.")
            time.sleep(0.1)
        lines += [line.split("\t") for line in file.read_text().splitlines()]
        file.unlink()
    output.write_text(table([(float(own), float(whole), int(n), name) for own, whole, n, name in lines], sum(sent)))


def table(functions: Iterable[tuple[float, float, int, str]], messages: int) -> str:
    """Return packages and functions by own time, and functions by time with what they call, as text.

    Args:
        functions: own seconds, seconds with what it calls, calls and name of each.
        messages: to divide by.
    """
    rows = [
        (own * 1e3 / messages, all_ * 1e3 / messages, calls / messages, name) for own, all_, calls, name in functions
    ]
    packages: dict[str, float] = defaultdict(float)
    for own, _, _, name in rows:
        packages[_package(name)] += own
    total = sum(row[0] for row in rows)
    lines = [f"Processor time while profiled: {total:.2f} ms a message, {messages} messages.", "", "  own ms  package"]
    lines += [f"{own:8.3f}  {name}" for name, own in sorted(packages.items(), key=lambda one: -one[1])]
    by_own = sorted(rows, key=lambda row: -row[0])[:_TOP]
    by_whole = sorted(rows, key=lambda row: -row[1])[: 3 * _TOP]
    for chosen in (by_own, by_whole):
        lines += ["", "  own ms  with what it calls   calls  function"]
        lines += [f"{own:8.3f} {whole:20.3f} {calls:7.1f}  {name}" for own, whole, calls, name in chosen]
    return "\n".join(lines) + "\n"


def _package(name: str) -> str:
    function, _, place = name.rpartition(" (")
    if not function:
        return "functions in C"
    return "Python's library" if place.startswith(("/", "<")) else place.partition("/")[0]


def _write(_number: int, _frame: Any) -> None:
    import yappi

    yappi.stop()
    rows = (f"{one.tsub}\t{one.ttot}\t{one.ncall}\t{_name(one)}" for one in yappi.get_func_stats())
    file = Path(f"{os.environ[FILE_VARIABLE]}.{os.getpid()}")
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text("\n".join(rows))
    unfinished.rename(file)
    yappi.clear_stats()


def _name(function: Any) -> str:
    if function.builtin:
        return f"{function.module}.{function.name}"
    place = function.module.partition("site-packages/")[2] or function.module.rpartition("/src/")[2]
    return f"{function.name} ({place or function.module}:{function.lineno})"


def _begin(_number: int, _frame: Any) -> None:
    import yappi

    yappi.set_clock_type("cpu")
    yappi.start(builtins=True)


def _listen() -> None:
    signal.signal(_BEGIN, _begin)
    signal.signal(_END, _write)


if __name__ == "__main__":
    from mm_soap.cli import main

    os.register_at_fork(after_in_child=_listen)
    main()
