"""The command line: progress and a table on the terminal, the matrix into a page."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from interop.captures import all_captures
from interop.guides import run_guides
from interop.matrix import Row, write
from interop.packages import NotInstalled, install, missing
from interop.sending import NotInTime
from interop.stacks import CLIENTS, STEPS, BadStack, Stack, read_all
from interop.steps import Done, Trial
from interop.suite import NoSuite, serving

_PAGE = CLIENTS.parent / "docs" / "interop.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stacks and return the exit status: 0 if all of them work, 1 if one does not, 2 if none could be tried."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    try:
        stacks = _chosen(read_all(options.clients), options.stacks)
        lacking = missing(stacks)
        if lacking and options.install:
            with console.status(f"Installing {' '.join(lacking)} …"):
                install(lacking)
        elif lacking:
            raise NotInstalled(
                f"These Debian packages are missing: {' '.join(lacking)}. Install them, or use --install."
            )
        with tempfile.TemporaryDirectory(prefix="mm-soap-interop-") as name, serving(Path(name) / "demo") as suite:
            rows = _rows([Trial(stack, suite, Path(name) / stack.folder.name) for stack in stacks], console)
    except (BadStack, NotInstalled, NoSuite, NotInTime) as error:
        console.print(f"[bold red]interop:[/] {error}", soft_wrap=True, markup=True)
        return 2
    console.print(_table(rows))
    guided = run_guides(options.stacks, console) if options.guides else []
    if options.page and not options.stacks:
        write(options.page, rows, date.today())
    return 0 if rows and all(row.works for row in rows) and not any(guide.wrong for guide in guided) else 1


def _chosen(stacks: list[Stack], names: Sequence[str]) -> list[Stack]:
    unknown = set(names) - {stack.folder.name for stack in stacks}
    if unknown:
        raise BadStack(f"no such client: {', '.join(sorted(unknown))}")
    return [stack for stack in stacks if not names or stack.folder.name in names]


def _rows(trials: Sequence[Trial], console: Console) -> list[Row]:
    """Try all stacks; those that verify and receive get what all of them have sent."""
    tried = [(trial, [_shown(trial, each, console) for each in trial.run()]) for trial in trials]
    if any({"verify", "receive"} & set(trial.stack.steps) for trial in trials):
        captures = all_captures(trials[0].suite)
        for trial, steps in tried:
            if not steps[0].wrong:
                steps += [_shown(trial, each, console) for each in trial.judge(captures)]
    return [Row(trial.stack, "unknown" if steps[0].wrong else trial.version(), steps) for trial, steps in tried]


def _shown(trial: Trial, done: Done, console: Console) -> Done:
    mark = "[red]no[/]" if done.wrong else "[green]yes[/]"
    console.print(f"{trial.stack.name:24} {done.step:8} {mark}  {done.seconds:.1f} s")
    if done.wrong:
        console.print(done.wrong, markup=False, soft_wrap=True)
    return done


def _table(rows: Sequence[Row]) -> Table:
    table = Table("stack", "version", *STEPS)
    for row in rows:
        table.add_row(row.stack.name, row.version, *(row.cell(step) for step in STEPS))
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m interop", description="Run every client against a demonstration.")
    parser.add_argument("stacks", nargs="*", help="folders of clients/; all without it, and then the page is written")
    parser.add_argument("--no-guides", dest="guides", action="store_false", help="leave the guides for readers out")
    parser.add_argument("--install", action="store_true", help="install the Debian packages that are missing")
    parser.add_argument("--page", type=Path, default=_PAGE, help="where the matrix is written")
    parser.add_argument("--clients", type=Path, default=CLIENTS, help="where the clients' folders are")
    return parser


if __name__ == "__main__":
    sys.exit(main())
