"""mm-soap send --batch: many messages, with progress, a journal and a report."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mm_soap.batch.journal import Journal
from mm_soap.batch.letters import Letters
from mm_soap.batch.model import Counts, State
from mm_soap.batch.report import write_report
from mm_soap.batch.rows import BatchFile
from mm_soap.batch.run import Batch, Pace
from mm_soap.batch.sending import Progress as Told
from mm_soap.bootstrap_transport import register_client
from mm_soap.cli.output import REFUSED, fail, print_json, print_table, progress_console
from mm_soap.cli.sending import client_of, sender_of
from mm_soap.config import load
from mm_soap.errors import ConfigurationError, MmSoapError
from mm_soap.message import Limits, Party
from mm_soap.pki import Identity

_TIMEOUT: Final = 30.0
_SHOWN: Final = 20
"""How many rows that cannot be sent are shown; the report has all."""


@dataclass(frozen=True)
class Defaults:
    """What rows have that do not say it themselves."""

    subject: str
    body: Path | None


@dataclass(frozen=True)
class How:
    """How a batch is sent, as the command line says."""

    report: Path | None
    journal: Path | None
    connections: int
    everyone: bool
    leave_out: bool
    dry_run: bool
    timeout: float


def send_batch(config: Path, sender_id: str, path: Path, defaults: Defaults, how: How, as_json: bool) -> None:
    """Send a message for each row of a file, and write a report."""
    settings = load(config)
    sender = sender_of(settings, sender_id)
    file = BatchFile(path)
    limits = Limits(settings.rules.max_message_bytes, settings.rules.check_digits)
    party = Party(sender.organisation, sender.name)
    letters = Letters(party, file.folder, limits, defaults.subject, defaults.body)
    identity = Identity.load(sender.certificate, sender.key)
    report = how.report or _beside(file, "report.csv")
    with (
        Journal(how.journal or _beside(file, "journal"), file.sha256(), sender.organisation) as journal,
        _stopped_by_signals() as stopping,
        _progress() as progress,
    ):
        batch = Batch(
            file,
            letters,
            journal,
            identity,
            client_of(settings, sender),
            register_client(settings, sender, timeout=_TIMEOUT, max_age=60.0),
            Pace(how.connections, everyone=how.everyone),
            stopping,
            progress,
        )
        error = _carry_out(batch, how)
        counts = journal.counts()
        write_report(report, journal.outcomes())
        invalid = [(each.line, each.reason) for each in islice(journal.of(State.INVALID), _SHOWN)]
    _tell(counts, invalid, report, as_json)
    _end(counts, error, stopping.is_set(), how)


def _carry_out(batch: Batch, how: How) -> MmSoapError | None:
    """Go through all steps. Returns what stopped the run."""
    try:
        if batch.check(leave_out=how.leave_out):
            batch.wash()
            if not how.dry_run:
                batch.send()
                batch.follow(how.timeout)
    except ConfigurationError:
        raise
    except MmSoapError as error:
        return error
    return None


def _beside(file: BatchFile, what: str) -> Path:
    return file.path.with_name(f"{file.path.name}.{what}")


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Let Ctrl-C and SIGTERM end the run after what is under way."""
    stopping = threading.Event()
    kept = {each: signal.signal(each, lambda *_: stopping.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)


@contextmanager
def _progress() -> Iterator[Told]:
    """Show a bar for each step on standard error, on a terminal alone."""
    console = progress_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, of: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what.capitalize(), total=of)
            bars.update(tasks[what], completed=done, total=of)

        yield show


def _tell(counts: Counts, invalid: list[tuple[int, str | None]], report: Path, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(counts), "report": str(report)})
        return
    if invalid:
        print_table(f"{counts.invalid} rows cannot be sent", ("Line", "Why"), invalid)
    shown = [
        ("in the file", counts.rows),
        ("cannot be sent", counts.invalid),
        ("without a mailbox", counts.unreachable),
        ("delivered", counts.delivered),
        ("failed", counts.failed),
        ("refused by the dispatcher", counts.refused),
        ("on their way", counts.accepted),
        ("not sent yet", counts.waiting),
    ]
    print_table("Batch", ("", "Rows"), [row for row in shown if row[1]])
    progress_console().print(f"Report: {report}", soft_wrap=True)


def _end(counts: Counts, error: MmSoapError | None, stopped: bool, how: How) -> None:
    again = "Run the same command again to go on: nothing is sent twice."
    if error is not None:
        fail(f"The batch stopped: {error}. {again}")
    if stopped:
        fail(f"The batch was stopped. {again}")
    if counts.invalid and not how.leave_out:
        fail(f"Nothing was sent: correct the {counts.invalid} rows, or leave them out with --leave-out.")
    if counts.accepted:
        fail(f"{counts.accepted} messages are still on their way. Run the same command again to follow them.")
    if counts.refused or counts.failed or counts.unreachable or counts.invalid:
        raise SystemExit(REFUSED)
