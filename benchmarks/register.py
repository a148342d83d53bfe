"""The register at the size of a country: ``python -m benchmarks.register``.

Makes accounts, imports them by the real command, serves the register, and lets four clients at once ask whom a sender
reaches, a thousand ids a call. One JSON object a line goes to standard output, each beside its floor; progress to
standard error.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine, bindparam, insert, update

from benchmarks import population, processes
from benchmarks.asking import IDS, Clients, Country
from benchmarks.register_floor import Example, Floor, examples, import_floor
from benchmarks.suite import forget_environment, free_ports, started, wait_until_ready
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.demonstration import DEMO_WORLD, KOMMUN_A, SETTINGS_FILE, init_demo
from mm_soap.errors import MmSoapError
from mm_soap.far import store
from mm_soap.seeding import seed
from mm_soap.storage import open_database, settle, writing

_ACCOUNTS = 10_000_000
_CHOICES_OF = 100
"""One recipient of so many chose something about the sender; a third of them accept it again."""

_PENDING_OF = 1000
_FLOOR_ROWS = 1_000_000
_CALLS = 40
"""Calls of a batch, of all clients together. The kernel counts processor time in steps of 10 ms."""

_EXAMPLES = 12
_MADE = "made.json"
_CSV = "accounts.csv"

_BARE = """
import sqlite3, sys
from benchmarks.processes import own_rss_mb
from mm_soap.contract import prepare
prepare()
print(own_rss_mb())
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the register is stopped
    logging.disable(logging.INFO)
    console = Console(stderr=True, highlight=False)
    try:
        forget_environment()
        with _folder(options) as folder:
            run = _Run(options, folder, console)
            for line in run.lines():
                print(json.dumps(line), flush=True)
    except MmSoapError as error:
        console.print(f"[bold red]benchmark:[/] {error}", soft_wrap=True)
        return 1
    return 0


@contextmanager
def _folder(options: argparse.Namespace) -> Iterator[Path]:
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        yield options.keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="mm-soap-register-", dir=options.folder) as made:
        yield Path(made)


class _Run:
    def __init__(self, options: argparse.Namespace, folder: Path, console: Console) -> None:
        self._options = options
        self._folder = folder
        self._console = console
        self._accounts: int = options.accounts

    def lines(self) -> Iterator[dict[str, Any]]:
        """Make the register unless it was kept, and yield what is measured."""
        if not 0 < self._accounts <= population.everybody() * 9 // 10:
            raise MmSoapError(f"There can be 1 to {population.everybody() * 9 // 10} accounts.")
        if not (self._folder / _MADE).exists():
            yield from self._make()
        elif (kept := json.loads((self._folder / _MADE).read_text())) != self._made():
            raise MmSoapError(f"{self._folder} holds another register: {kept}.")
        yield from self._serve()

    def _made(self) -> dict[str, Any]:
        return {"accounts": self._accounts, "database": self._options.database or "SQLite"}

    def _database(self) -> str:
        far = load(self._folder / SETTINGS_FILE).far
        assert far is not None
        return str(far.database)

    def _make(self) -> Iterator[dict[str, Any]]:
        file = self._folder / _CSV
        with self._progress() as progress:
            task = progress.add_task("writing accounts", total=self._accounts)
            population.write_accounts(file, self._accounts, lambda done: progress.update(task, completed=done))
        init_demo(self._folder, system_clock)
        settings = self._folder / SETTINGS_FILE
        if self._options.database:
            text = settings.read_text(encoding="utf-8")
            text = text.replace('"data/far.sqlite3"', json.dumps(self._options.database))
            settings.write_text(text, encoding="utf-8")
        seed(load(settings), DEMO_WORLD)
        seconds = self._import(file)
        database = self._database()
        speed, floor_size = import_floor(file, self._folder, database, min(self._accounts, _FLOOR_ROWS))
        yield _line("import", self._accounts / seconds, "accounts/s", speed, more_is_better=True)
        if self._options.database:
            from benchmarks import postgresql

            size = sum(postgresql.size(database, table) for table in ("account", "imported_account"))
        else:
            size = Path(database).stat().st_size
        yield _line("database", size / self._accounts, "bytes/account", floor_size)
        file.unlink()
        engine = open_database(self._database())
        self._choose(engine)
        engine.dispose()
        (self._folder / _MADE).write_text(json.dumps(self._made()))

    def _import(self, file: Path) -> float:
        command = ["far", "account", "import", str(file), "--config", str(self._folder / SETTINGS_FILE), "--json"]
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "mm_soap", *command], stdout=subprocess.PIPE, check=False)
        seconds = time.perf_counter() - begun
        outcome: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        if outcome.get("added") != self._accounts:
            raise MmSoapError("The import did not add every account.")
        return seconds

    def _choose(self, engine: Engine) -> None:
        """Let some recipients have chosen, and some accounts wait for signatures."""
        now = system_clock()
        with self._console.status("Storing choices …"), writing(engine) as connection:
            chosen = [
                {"recipient": int(population.recipient(n)), "sender": KOMMUN_A.number, "accepted": n % 3 == 0}
                for n in range(self._choices)
            ]
            connection.execute(insert(store.sender_choice), [{**one, "changed": now} for one in chosen])
            waits = update(store.account).where(store.account.c.recipient == bindparam("one")).values(pending=True)
            pending = range(0, self._accounts, _PENDING_OF)
            connection.execute(waits, [{"one": int(population.recipient(n))} for n in pending])
        # Within a minute PostgreSQL would find so many changes by itself.
        for table in (store.account, store.sender_choice):
            settle(engine, table)

    @property
    def _choices(self) -> int:
        return max(1, self._accounts // _CHOICES_OF)

    def _rest(self) -> None:
        """Wait until the rows are on the disk: a country's register is not measured in the minute of its import."""
        with self._console.status("Letting the database come to rest …"):
            if self._options.database:
                from benchmarks import postgresql

                postgresql.rest(self._database())
            os.sync()

    def _serve(self) -> Iterator[dict[str, Any]]:
        self._rest()
        country = Country(self._accounts, self._choices)
        (port,) = free_ports(1)
        with started(self._folder, "mm_soap", "far", port, workers=self._options.workers) as process:
            wait_until_ready(process, self._folder / "far.log")
            with (
                closing(Floor(self._database())) as floor,
                closing(Clients(self._options.clients, port, country)) as clients,
            ):
                made = examples(port, country, _EXAMPLES)
                yield from self._measure(process.pid, clients, floor, made)

    def _measure(self, pid: int, clients: Clients, floor: Floor, made: list[Example]) -> Iterator[dict[str, Any]]:
        cpu, wall, floor_cpu, floor_wall = [], [], [], []
        each = max(1, _CALLS // self._options.clients)
        batches, warm = self._options.batches, max(1, self._options.batches // 5)
        database_cpu, floor_database_cpu = [], []
        with self._progress() as progress, self._database_cpu() as database_spent:
            task = progress.add_task(f"calls with {IDS} ids", total=(warm + batches) * each * self._options.clients)
            for batch in range(-warm, batches):
                clients.prepare(each)
                # The floor is measured while the register is idle, so that a machine that becomes slower or faster
                # changes both.
                marks = [database_spent()]
                floor_took = floor.measure(made[batch % 4 :: 4])
                marks.append(database_spent())
                before = processes.cpu_ms(pid)
                took = clients.ask()
                spent = (processes.cpu_ms(pid) - before) / len(took)
                marks.append(database_spent())
                progress.advance(task, len(took))
                if batch >= 0:
                    cpu.append(spent)
                    wall += took
                    floor_cpu += floor_took[0]
                    floor_wall += floor_took[1]
                    floor_database_cpu.append((marks[1] - marks[0]) / len(floor_took[0]))
                    database_cpu.append((marks[2] - marks[1]) / len(took))
        yield _line("isReachable cpu p50", statistics.median(cpu), "ms", statistics.median(floor_cpu))
        if self._options.database:
            by_query = statistics.median(floor_database_cpu)
            yield _line("PostgreSQL's own cpu p50", statistics.median(database_cpu), "ms", by_query)
        for percent in (50, 99):
            measure = f"isReachable wall p{percent}, {self._options.clients} clients"
            yield _line(measure, _percentile(wall, percent), "ms", _percentile(floor_wall, percent))
        served = max(processes.own_rss_mb(one) for one in processes.tree(pid))
        yield _line("memory of the serving process", served, "MB", _bare_memory())
        load = " ".join(f"{one:.1f}" for one in os.getloadavg())
        self._console.print(f"Processes that wanted a processor in the last 1, 5 and 15 minutes: {load}.")

    @contextmanager
    def _database_cpu(self) -> Iterator[Callable[[], float]]:
        """Give what tells the processor time of a database that is not in the serving process, in ms."""
        if not self._options.database:
            yield lambda: 0.0
            return
        from benchmarks import postgresql

        with closing(postgresql.Backends(self._database())) as backends:
            yield backends.cpu_ms

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        return Progress(*columns, console=self._console, refresh_per_second=4)


def _line(
    measure: str, value: float, unit: str, floor: float, *, more_is_better: bool = False
) -> dict[str, str | float]:
    """Return what is printed of a measure. The ratio says how many times the floor's cost the service has."""
    ratio = floor / value if more_is_better else value / floor
    digits = 0 if value >= 1000 else 1 if value >= 20 else 2
    return {
        "measure": measure,
        "value": round(value, digits),
        "unit": unit,
        "floor": round(floor, digits),
        "ratio": round(ratio, 2),
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]


def _bare_memory() -> float:
    """Return the memory of a process that has Python, SQLite, lxml and the compiled schema, in MB."""
    return float(subprocess.run([sys.executable, "-c", _BARE], capture_output=True, check=True, text=True).stdout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.register",
        description="Measure the register at the size of a country: import, isReachable, memory.",
    )
    parser.add_argument("--accounts", type=int, default=_ACCOUNTS, help=f"how many; {_ACCOUNTS} without it")
    parser.add_argument("--clients", type=int, default=4, help="how many ask at once; 4 without it")
    processors = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--workers", type=int, default=processors, help="processes that serve; without it one for each processor"
    )
    parser.add_argument("--batches", type=int, default=50, help=f"of {_CALLS} calls each; 50 without it")
    parser.add_argument("--database", metavar="URL", help="an empty PostgreSQL database, in place of SQLite")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the register here; use it if it is there")
    parser.add_argument("--folder", type=Path, help="where the register is made; the system's temporary folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
