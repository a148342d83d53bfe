"""The command line of the benchmark. One JSON object a line goes to standard output, progress to standard error."""

from __future__ import annotations

import argparse
import json
import logging
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.chain import Chain, Round, result
from benchmarks.floor import Floor
from benchmarks.memory import SIZE as SOAK_SIZE
from benchmarks.memory import soak
from benchmarks.messages import Signed, Writer
from benchmarks.profiling import check, profiled
from benchmarks.steady import HELD_SIZE, Plan, behind_a_queue, hold_rate
from benchmarks.suite import PARTIES, Suite, serving
from mm_soap.demonstration import KOMMUN_A
from mm_soap.errors import MmSoapError, RemoteFault
from mm_soap.pki import Identity

_SIZES = (2_000, 100_000, 1_000_000)
_ROUNDS = 12
_FLOOR_SECONDS = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the parties are stopped
    logging.disable(logging.INFO)
    console = Console(stderr=True, highlight=False)
    try:
        if options.profile:
            check()
        console.print(f"Python {platform.python_version()} of {sys.base_prefix}")
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mm-soap-bench-", dir=options.folder)))
            with console.status("Making a demonstration and starting its parties …"):
                suite = stack.enter_context(
                    serving(folder, options.profile, options.database, anywhere=options.anywhere)
                )
            _Benchmark(options, suite, folder, console).run()
    except MmSoapError as error:
        said = f" {error.description}" if isinstance(error, RemoteFault) else ""
        console.print(f"[bold red]benchmark:[/] {error}{said}", soft_wrap=True)
        return 1
    return 0


class _Benchmark:
    def __init__(self, options: argparse.Namespace, suite: Suite, folder: Path, console: Console) -> None:
        self._options = options
        self._suite = suite
        self._folder = folder
        self._console = console
        sender = next(one for one in suite.settings.sender if one.organisation == KOMMUN_A.number)
        self._writer = Writer(sender)
        self._chain = Chain(suite, options.senders)

    def run(self) -> None:
        with closing(self._chain):
            self._run()

    def _run(self) -> None:
        if self._options.queue:
            self._queue(self._options.queue)
            return
        if self._options.soak:
            self._soak(self._options.soak)
        elif self._options.rate:
            self._hold(self._options.rate)
        else:
            self._measure_sizes()
        self._chain.verify()
        self._console.print(f"All {len(self._chain.sent)} messages were delivered exactly once.")

    def _measure_sizes(self) -> None:
        dispatcher = self._suite.settings.dispatcher
        assert dispatcher is not None
        sealer = Identity.load(dispatcher.certificate, dispatcher.key)
        with closing(Floor(self._writer.identity, sealer, self._folder)) as floor, self._progress() as progress:
            self._warm_up()
            for size in self._options.sizes:
                print(json.dumps(self._measure(size, floor, progress)), flush=True)

    def _warm_up(self) -> None:
        """Let each thread compile its schema and each party fill its caches."""
        if self._options.warm_up:
            self._chain.send(self._sign(min(self._options.sizes), self._options.warm_up))

    def _measure(self, size: int, floor: Floor, progress: Progress) -> dict[str, Any]:
        number = self._options.messages or _enough(size)
        task = progress.add_task(f"{size} bytes", total=number)
        whole, floor_ms = Round(), []
        if self._options.warm_up:
            self._chain.send(self._sign(size, max(1, min(self._options.warm_up, number // 4))))
        with self._profiled(size) as sent:
            sent.append(number)
            for start in range(_ROUNDS):
                begin, end = number * start // _ROUNDS, number * (start + 1) // _ROUNDS
                messages = self._sign(size, end - begin)
                if not messages:
                    continue
                # The floor is measured while the parties are idle, and between the rounds, so that a machine that
                # becomes slower or faster changes both.
                documents = [message.document for message in messages]
                floor_ms.append(floor.measure(documents, _FLOOR_SECONDS))
                whole.add(self._chain.send(messages, partial(_show, progress, task, begin)))
            floor_ms.append(floor.measure(documents, _FLOOR_SECONDS))
        share = ", ".join(f"{party} {ms / number:.2f} ms" for party, ms in sorted(whole.cpu_ms.items()))
        progress.console.print(f"{size} bytes, processor time of a message: {share}", soft_wrap=True)
        return result(size, whole, floor_ms)

    def _sign(self, size: int, number: int) -> list[Signed]:
        return [self._writer.write(size) for _ in range(number)]

    def _profiled(self, size: int) -> AbstractContextManager[list[int]]:
        party = self._options.profile
        if party is None:
            return nullcontext([])
        output = self._options.profile_folder / f"profile-{party}-{size}.txt"
        return profiled(self._suite.pids[party], self._suite.profile, output)

    def _soak(self, number: int) -> None:
        with self._progress() as progress:
            task = progress.add_task(f"{number} messages of {SOAK_SIZE} bytes", total=number)
            for line in soak(self._suite, self._chain, self._writer, number, partial(_show, progress, task, 0)):
                print(json.dumps(line), flush=True)

    def _queue(self, number: int) -> None:
        with self._progress() as progress:
            task = progress.add_task(f"{number} messages for an operator that is away", total=number)
            moved = partial(_show, progress, task, 0)
            line = behind_a_queue(self._suite, self._chain, self._writer, number, self._options.calls, moved)
        print(json.dumps(line), flush=True)
        self._console.print(f"All {line['queued'] + line['calls']} messages are kept.")

    def _hold(self, rate: float) -> None:
        size, seconds = self._options.sizes[-1] if self._options.sizes != _SIZES else HELD_SIZE, self._options.seconds
        number = round(rate * seconds)
        with self._progress() as progress:
            task = progress.add_task(f"{rate} messages of {size} bytes a second", total=number)
            plan = Plan(rate, number, size)
            for line in hold_rate(self._suite, self._chain, self._writer, plan, partial(_show, progress, task, 0)):
                print(json.dumps(line), flush=True)

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console, refresh_per_second=4)


def _show(progress: Progress, task: TaskID, before: int, done: int) -> None:
    progress.update(task, completed=before + done)


def _enough(size: int) -> int:
    """Return how many messages take some ten seconds."""
    return 1200 if size <= 10_000 else 600 if size <= 300_000 else 120


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the chain from sender to mailbox, with each party a process of its own on loopback.",
    )
    parser.add_argument("--sizes", type=_sizes, default=_SIZES, help="decoded bodies in bytes, such as 2000,100000")
    parser.add_argument("--messages", type=_positive, help="how many of each size; by default some ten seconds' worth")
    parser.add_argument("--senders", type=_positive, default=4, help="how many send at once; 4 without it")
    parser.add_argument("--warm-up", type=int, default=50, help="messages before anything is measured; 50 without it")
    parser.add_argument(
        "--soak", type=_positive, metavar="N", help="send N messages of 2 kB and show each party's memory instead"
    )
    parser.add_argument(
        "--queue", type=_positive, metavar="N", help="let N messages wait for an operator that is away; time more calls"
    )
    parser.add_argument("--calls", type=_positive, default=2000, help="that --queue times; 2000 without it")
    parser.add_argument(
        "--rate", type=float, metavar="N", help="send N messages of 100 kB a second, steadily, and show memory and loss"
    )
    parser.add_argument("--seconds", type=_positive, default=60, help="for how long --rate sends; 60 without it")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL database on this machine, in place of SQLite")
    parser.add_argument(
        "--anywhere", action="store_true", help="let the system move the parties from processor to processor"
    )
    parser.add_argument(
        "--profile", choices=PARTIES, help="measure one party's functions with yappi; the numbers are wrong then"
    )
    parser.add_argument("--profile-folder", type=Path, default=Path(), help="gets profile-PARTY-SIZE.txt")
    parser.add_argument("--folder", type=Path, help="where the databases are made; the system's temporary folder")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
