"""What the commands of mm-soap conform do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from mm_soap.cli.output import REFUSED, console, plain, print_json, print_table, progress_console
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.conformance import Case, Finding, Report, Verdict, run
from mm_soap.conformance.masking import masked_text
from mm_soap.conformance.plan import read_plan
from mm_soap.conformance.reports import Files, as_document, write_reports
from mm_soap.conformance.roles import ROLES, role_of
from mm_soap.conformance.sender.plan import demonstration as sender_demonstration
from mm_soap.errors import ConfigurationError


def print_plan(config: Path) -> None:
    """Print a plan with a table for each role, for the parties that these settings serve."""
    settings = load(config.resolve())
    tables = {name: role_of(name).demonstration(settings) for name in ROLES}
    tables["sender"] = sender_demonstration(settings)
    lines = ["# What mm-soap conform is told about the parties of a demonstration.", ""]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items()), ""]
    sys.stdout.write("\n".join(lines[:-1]) + "\n")


def _toml(value: object) -> str:
    # Strings, numbers, truth values and lists of these are the same in TOML and in JSON.
    return json.dumps(value, ensure_ascii=False, default=str)


def conform(name: str, plan_file: Path, folder: Path, only: tuple[str, ...], *, unmasked: bool, as_json: bool) -> None:
    """Judge a party; exit status 1 unless it conforms.

    Raises:
        ConfigurationError: the plan is wrong, no case fits ``only``, or the folder cannot be written.
    """
    role = role_of(name)
    plan = read_plan(plan_file, role.name, role.plan)
    cases = _chosen(list(role.cases), only)
    target, lines = role.target(plan)
    made_folder(folder)
    with _progress() as progress:
        task = progress.add_task(f"Judging the {name}", total=len(cases), failed="")
        failed: list[str] = []

        def told(finding: Finding) -> None:
            failed.extend([finding.case.id] if finding.verdict is Verdict.FAILED else [])
            progress.update(task, advance=1, failed=f"[red]{len(failed)} failed" if failed else "")

        report = run(role.name, cases, target, lines, system_clock, told)
    files = write_reports(report, folder, unmasked=unmasked)
    if as_json:
        print_json(as_document(report, unmasked=unmasked))
    else:
        print_report(report, files, unmasked=unmasked)
    if not report.conforms:
        raise SystemExit(REFUSED)


def made_folder(folder: Path) -> None:
    """Make the folder for reports before the calls: whoever waits for them wants their reports.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"The folder {folder} cannot be made: {error.strerror}.") from None


def _chosen(cases: Sequence[Case[Any]], only: tuple[str, ...]) -> list[Case[Any]]:
    if not only:
        return list(cases)
    for one in only:
        if not any(_fits(case, one) for case in cases):
            raise ConfigurationError(f"No case is called {one}, and none begins so.")
    return [case for case in cases if any(_fits(case, one) for one in only)]


def _fits(case: Case[Any], wanted: str) -> bool:
    short = case.id.partition(".")[2]
    return any(name == wanted or name.startswith(f"{wanted.rstrip('.')}.") for name in (case.id, short))


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
        console=progress_console(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def print_report(report: Report, files: Files, *, unmasked: bool) -> None:
    """Print a report for people."""
    groups: dict[str, list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault(finding.case.group, []).append(finding)
    print_table(
        f"The {report.role} at {', '.join(report.endpoints)}",
        ("about", *(_word(report, verdict) for verdict in Verdict)),
        ((group, *(_count(findings, verdict) for verdict in Verdict)) for group, findings in groups.items()),
    )
    out = console()
    for finding in report.findings:
        if finding.verdict is Verdict.FAILED:
            _print_failure(finding, unmasked=unmasked)
    for reason in dict.fromkeys(each.what for each in report.findings if each.verdict is Verdict.NOT_TRIED):
        number = sum(each.what == reason and each.verdict is Verdict.NOT_TRIED for each in report.findings)
        out.print(
            Text.assemble(("· ", "yellow"), plain(f"{number} {report.untried}: {reason.removeprefix('Not seen. ')}"))
        )
    counts = ", ".join(f"{report.count(verdict)} {_word(report, verdict)}" for verdict in Verdict)
    sign, said = (("✓ ", "green"), "It conforms") if report.conforms else (("✗ ", "red"), "It does not conform")
    if report.arrivals == []:
        said = "Nothing came"
    out.print(Text.assemble(sign, plain(f"{said}: {counts}.")))
    out.print(plain(f"Report: {files.html}"), soft_wrap=True)


def _word(report: Report, verdict: Verdict) -> str:
    return report.untried if verdict is Verdict.NOT_TRIED else verdict.value


def _count(findings: Sequence[Finding], verdict: Verdict) -> str:
    return str(sum(finding.verdict is verdict for finding in findings) or "")


def _print_failure(finding: Finding, *, unmasked: bool) -> None:
    out = console()
    what, place = (text if unmasked else masked_text(text) for text in (finding.what, finding.place))
    out.print(Text.assemble(("✗ ", "red"), (finding.case.id, "bold")))
    also = ((f"{text} ({where})" if where else text) for text, where in finding.also)
    for name, text in (
        ("expected", finding.case.title),
        ("found", what),
        ("place", place),
        *(("also", text if unmasked else masked_text(text)) for text in also),
        ("rule", finding.case.rule),
        ("remedy", finding.case.remedy),
    ):
        if text:
            out.print(Text.assemble((f"  {name:<9}", "dim"), plain(text)))
