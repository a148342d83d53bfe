"""What mm-soap conform sender does: listen, tell what comes, and write the report at the end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.text import Text

from mm_soap.cli.conforming import made_folder, print_report
from mm_soap.cli.output import REFUSED, console, plain, print_json, progress_console
from mm_soap.conformance import Arrival
from mm_soap.conformance.masking import masked_text
from mm_soap.conformance.plan import read_plan
from mm_soap.conformance.reports import as_document, write_reports
from mm_soap.conformance.sender.cases import CASES
from mm_soap.conformance.sender.ledger import First
from mm_soap.conformance.sender.listening import Listener
from mm_soap.conformance.sender.model import Sheet
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.conformance.sender.serving import Server


@dataclass(frozen=True)
class Listening:
    """What the command line says.

    ``seconds`` and ``calls`` end the listening, whichever comes first; None for no such end.
    """

    plan: Path
    report: Path
    host: str | None = None
    port: int | None = None
    seconds: float | None = None
    calls: int | None = None
    first: First = First.ANSWERED
    unfinished: int = 1
    unmasked: bool = False
    as_json: bool = False


def listen(options: Listening) -> None:
    """Listen until the end that was asked for, or a signal; exit status 1 if a sender broke a rule, or none came.

    Raises:
        ConfigurationError: the plan is wrong, the address cannot be listened at, or the folder cannot be written.
    """
    plan = read_plan(options.plan, "sender", SenderPlan)
    plan = plan.model_copy(
        update={name: value for name in ("host", "port") if (value := getattr(options, name)) is not None}
    )
    ended = threading.Event()
    screen = _Screen(options, ended)
    listener = Listener(
        plan, options.first, options.unfinished, options.unmasked, told=screen.tell, answered=screen.answered
    )
    made_folder(options.report)
    with _ended_by_signals(ended):
        server = Server(listener)
        try:
            screen.ready(server)
            with screen.waiting():
                ended.wait(options.seconds)
        finally:
            server.close()
    report = listener.report(server.endpoints)
    files = write_reports(report, options.report, unmasked=options.unmasked)
    if options.as_json:
        print_json(as_document(report, unmasked=options.unmasked))
    else:
        print_report(report, files, unmasked=options.unmasked)
    if not report.conforms:
        raise SystemExit(REFUSED)


@contextmanager
def _ended_by_signals(ended: threading.Event) -> Iterator[None]:
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.signal(one, lambda *_: ended.set()) for one in wanted}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Screen:
    """Tells on the terminal what comes; with JSON on standard output, it does so on standard error."""

    def __init__(self, options: Listening, ended: threading.Event) -> None:
        self._options = options
        self._ended = ended
        self._out: Console = progress_console() if options.as_json else console()
        self._status: Status | None = None
        self._wrong = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Show on a terminal that it listens."""
        if not self._out.is_terminal:
            yield
            return
        with self._out.status(Text("Listening. Ctrl-C ends it and writes the report.")) as self._status:
            yield

    def ready(self, server: Server) -> None:
        """Print the addresses, and that calls are answered."""
        for address in server.endpoints:
            self._out.print(plain(f"{address}?wsdl"), soft_wrap=True)
        # For programs that wait for it: on a line of its own, whatever the terminal does.
        print(f"ready {server.url}", flush=True, file=sys.stderr if self._options.as_json else sys.stdout)

    def tell(self, arrival: Arrival, sheet: Sheet) -> None:
        """Print what was found in a request."""
        name = arrival.operation or arrival.exchange.method[:20]
        head = f"{arrival.at:%H:%M:%S}  #{arrival.number}  {name}  "
        if arrival.broken:
            self._wrong += 1
            self._line(("✗ ", "red"), f"{head}{len(sheet.wrong)} of {arrival.judged} rules broken")
            self._tell_findings(sheet)
        else:
            self._line(("✓ ", "green"), f"{head}{arrival.judged} rules kept")
        for note in arrival.notes:
            self._line(("  ", ""), note, "dim")
        if self._status is not None:
            self._status.update(
                Text(f"{arrival.number} came, {self._wrong} wrong. Ctrl-C ends it and writes the report.")
            )

    def answered(self, number: int) -> None:
        """End the listening when enough has come."""
        if self._options.calls is not None and number >= self._options.calls:
            self._ended.set()

    def _tell_findings(self, sheet: Sheet) -> None:
        hide = str if self._options.unmasked else masked_text
        for name, marks in sheet.wrong.items():
            self._line(("    ", ""), name, "bold")
            for mark in marks:
                for label, text in (("found", mark.what), ("place", mark.place)):
                    if text:
                        self._line((f"      {label:<7} ", "dim"), hide(text))
            self._line(("      rule    ", "dim"), CASES[name].rule)
            self._line(("      remedy  ", "dim"), CASES[name].remedy)

    def _line(self, start: tuple[str, str], text: str, style: str = "") -> None:
        said = plain(text)
        said.stylize(style)
        self._out.print(Text.assemble(start, said), soft_wrap=True)
