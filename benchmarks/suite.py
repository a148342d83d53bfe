"""The parties that are measured: a register, a dispatcher and an operator, each a process of its own on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from benchmarks import processes
from benchmarks.profiling import FILE_VARIABLE
from mm_soap.bootstrap import databases
from mm_soap.clock import system_clock
from mm_soap.config import ENVIRONMENT_PREFIX, Settings, load
from mm_soap.contract import ports
from mm_soap.demonstration import DEMO_WORLD, OPERATOR_ONE, SETTINGS_FILE, init_demo
from mm_soap.errors import MmSoapError
from mm_soap.far import Operator, Register
from mm_soap.seeding import seed
from mm_soap.storage import open_database
from mm_soap.testing.databases import fresh_schema

PARTIES = ("far", "dispatcher", "operator")
"""The parties by the names that the benchmark uses for them."""

DATABASE = "postgresql"
"""The name under which the processes of a PostgreSQL server are measured."""

_STOP_SECONDS = 45
_PROFILE = "profile"


@dataclass(frozen=True)
class Suite:
    """Parties that serve."""

    settings: Settings
    message_url: str
    """The dispatcher's Message service."""
    operator_url: str
    """Where the operator serves."""
    dispatcher_database: Path | str
    operator_database: Path | str
    pids: dict[str, int]
    """The process of each party of `PARTIES`, and of `DATABASE` where there is one; its workers are its children."""
    profile: Path
    """Where a party that is profiled writes."""


@contextmanager
def serving(
    folder: Path,
    profiled: str | None = None,
    postgresql: str | None = None,
    prepare: Callable[[Settings], None] = lambda _: None,
    *,
    anywhere: bool = False,
) -> Iterator[Suite]:
    """Make a demonstration in ``folder``, serve its parties apart, and stop them at the end.

    Args:
        folder: gets settings, keys, databases and logs.
        profiled: the party that is started for a profile, if one is.
        postgresql: the URL of a PostgreSQL database on this machine. Each party gets a schema of its own in it, which
            is gone at the end; without it, databases are SQLite.
        prepare: is called with the settings before any party starts.
        anywhere: whether the system chooses processors for the parties; else each stays on one, the dispatcher on one
            of its own, as is advised where parties share a machine.

    Raises:
        MmSoapError: a party did not start.
    """
    forget_environment()
    ports_of = dict(zip(PARTIES, free_ports(len(PARTIES)), strict=True))
    url = {party: f"http://127.0.0.1:{port}" for party, port in ports_of.items()}
    with ExitStack() as stack:
        schemas = {party: stack.enter_context(fresh_schema(postgresql)) for party in PARTIES if postgresql}
        settings = _prepare(folder, url, schemas)
        assert settings.dispatcher is not None
        prepare(settings)
        running = {}
        for party in PARTIES:
            module = "benchmarks.profiling" if party == profiled else "mm_soap"
            on = () if anywhere else _processors(party)
            running[party] = stack.enter_context(started(folder, module, party, ports_of[party], on))
        stack.callback(lambda: [process.terminate() for process in running.values()])  # so that they stop together
        for party, process in running.items():
            wait_until_ready(process, folder / f"{party}.log")
        yield Suite(
            settings,
            url["dispatcher"] + ports()["message"].path,
            url["operator"],
            settings.dispatcher.database,
            settings.operator[0].database,
            {party: process.pid for party, process in running.items()}
            | ({DATABASE: _server_of(postgresql)} if postgresql else {}),
            folder / _PROFILE,
        )


def _processors(party: str) -> Sequence[int]:
    there = sorted(os.sched_getaffinity(0))
    return there[:1] if party == "dispatcher" else there[1:2]


def forget_environment() -> None:
    """Drop settings that the caller's environment holds: what is measured is the demonstration as it is made."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]


def _server_of(postgresql: str) -> int:
    """Return the process of a PostgreSQL server on this machine: the parent of those that serve connections."""
    engine = open_database(postgresql)
    with engine.connect() as connection:
        found: int = processes.parent(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
    engine.dispose()
    return found


def _prepare(folder: Path, url: dict[str, str], schemas: dict[str, str]) -> Settings:
    init_demo(folder, system_clock)
    file = folder / SETTINGS_FILE
    written = file.read_text(encoding="utf-8")
    register = f'register_url = "{url["far"]}"\n'
    for table in ("[dispatcher]\n", "[[operator]]\n"):
        written = written.replace(table, table + register)
    for party, schema in schemas.items():
        name = f"operator-{OPERATOR_ONE.number}" if party == "operator" else party
        written = written.replace(f'"data/{name}.sqlite3"', json.dumps(schema))
    file.write_text(written, encoding="utf-8")
    settings = load(file)
    seed(settings, DEMO_WORLD)
    engines = databases(settings)
    address = url["operator"] + ports()["service"].path
    Register(engines["far"]).add_operator(Operator(OPERATOR_ONE.number, OPERATOR_ONE.name, address, address))
    for engine in engines.values():
        engine.dispose()
    return settings


@contextmanager
def started(
    folder: Path, module: str, party: str, port: int, processors: Sequence[int] = (), workers: int = 1
) -> Iterator[subprocess.Popen[str]]:
    """Start a party of the demonstration in ``folder``, on some processors or on any, and stop it at the end."""
    name = f"operator:{OPERATOR_ONE.number}" if party == "operator" else party
    command = [sys.executable, "-m", module, "serve", "--config", str(folder / SETTINGS_FILE), "--party", name]
    own = {"PORT": str(port), "PROCESSORS": json.dumps(list(processors)), "WORKERS": str(workers)}
    environment = {**os.environ, **{f"{ENVIRONMENT_PREFIX}{name}": value for name, value in own.items()}}
    environment[FILE_VARIABLE] = str(folder / _PROFILE)
    with (folder / f"{party}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_ready(process: subprocess.Popen[str], log: Path) -> None:
    """Return once a party accepts calls.

    Raises:
        MmSoapError: it ended instead.
    """
    assert process.stdout is not None
    if not process.stdout.readline().startswith("ready "):
        raise MmSoapError(f"The party {log.stem} did not start. It wrote:\n{log.read_text(errors='replace')[-2000:]}")


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on."""
    # All are taken at once, so that none is handed out twice.
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
