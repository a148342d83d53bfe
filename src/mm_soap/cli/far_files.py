"""mm-soap far account, company and person: files that go into the register and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TextIO, cast

import typer

from mm_soap.cli.far_output import STANDARD_OUTPUT, Digested, Refusals, progress_bar, written
from mm_soap.cli.far_register import As, Config, Json, administration_of, far_settings, register_database
from mm_soap.cli.output import REFUSED, fail, print_json, print_table
from mm_soap.config import Settings, load
from mm_soap.errors import ConfigurationError
from mm_soap.far.bulk import Imported, ImportRules, import_accounts
from mm_soap.far.checking import ACCOUNT_COLUMNS
from mm_soap.far.export import count_accounts, export_accounts, exported, record_export
from mm_soap.far.register_files import COMPANIES, PERSONS, FileKind, export_file, import_file, read_rows
from mm_soap.row_files import FileForm, Source, form_of
from mm_soap.row_files_out import row_writer

InFile = Annotated[Path, typer.Argument(help="A .csv, .json or .jsonl file.", metavar="FILE")]
OutFile = Annotated[
    Path, typer.Argument(help="A .csv, .json or .jsonl file, or - for standard output.", metavar="FILE")
]
Form = Annotated[str | None, typer.Option("--format", help="csv or json, where the file's name does not say it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, store nothing.")]
Report = Annotated[Path | None, typer.Option("--report", help="A CSV file to write: each refused row's line and why.")]


def files_apps() -> Mapping[str, typer.Typer]:
    """Return the groups of commands by their names."""
    accounts = typer.Typer(no_args_is_help=True, help="The accounts of recipients.")
    accounts.command("import")(account_import)
    accounts.command("export")(account_export)
    accounts.command("count")(account_count)
    companies = typer.Typer(no_args_is_help=True, help="The file of companies that the settings name.")
    companies.command("import", help="Put the companies of a file in the place of all that are there.")(company_import)
    companies.command("export", help="Write out the companies, by number.")(company_export)
    persons = typer.Typer(no_args_is_help=True, help="The file of persons that the settings name.")
    persons.command("import", help="Put the persons of a file in the place of all that are there.")(person_import)
    persons.command("export", help="Write out the persons, by number.")(person_export)
    return {"account": accounts, "company": companies, "person": persons}


def account_import(
    file: InFile,
    config: Config,
    replace: Annotated[bool, typer.Option("--replace", help="Write accounts anew that are there already.")] = False,
    dry_run: DryRun = False,
    report: Report = None,
    format_: Form = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Add the accounts of a file to the register: all of them, or none."""
    settings = load(config)
    form = form_of(file, _form(format_))
    rules = ImportRules(settings.rules.check_digits, replace, dry_run)
    with Source(file) as source, register_database(settings, config) as engine, Refusals(report) as refusals:
        admin = administration_of(engine, settings, as_name)

        def change(counts: Mapping[str, Any]) -> Any:
            return admin.a_change("accounts imported", {**counts, "file_sha256": source.sha256})

        with progress_bar(source) as progress:
            rows = source.rows(form, ACCOUNT_COLUMNS)
            done = import_accounts(engine, rows, rules, change, refusals.put, progress)
    _report(done, refusals, "accounts", json)


def account_export(file: OutFile, config: Config, format_: Form = None, as_name: As = None, json: Json = False) -> None:
    """Write out the active accounts, by recipient. That is noted: the file holds personal numbers."""
    settings = load(config)
    form = _out_form(file, format_, json)
    with register_database(settings, config) as engine:
        admin = administration_of(engine, settings, as_name)
        with written(file) as text, progress_bar(None) as progress:
            digested = Digested(text)
            accounts = export_accounts(engine, row_writer(cast(TextIO, digested), form, ACCOUNT_COLUMNS), progress)
            record_export(engine, admin.a_change("accounts exported", exported(accounts, digested.sha256)))
    _exported(file, accounts, "accounts", json)


def account_count(config: Config, json: Json = False) -> None:
    """Count the accounts of each operator."""
    settings = load(config)
    with register_database(settings, config) as engine:
        counts = count_accounts(engine)
    if json:
        print_json([asdict(each) for each in counts])
        return
    rows = [(c.operator, c.account_type, "waits for signatures" if c.pending else "active", c.accounts) for c in counts]
    print_table(f"{sum(c.accounts for c in counts)} accounts", ("Operator", "Type", "State", "Accounts"), rows)


def company_import(
    file: InFile,
    config: Config,
    dry_run: DryRun = False,
    report: Report = None,
    format_: Form = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Put the companies of a file in the place of all that are there."""
    _import(COMPANIES, file, config, dry_run, report, format_, as_name, json, {})


def company_export(file: OutFile, config: Config, format_: Form = None, json: Json = False) -> None:
    """Write out the companies."""
    _export(COMPANIES, file, config, format_, json)


def person_import(
    file: InFile,
    config: Config,
    complete: Annotated[
        bool | None, typer.Option("--complete/--incomplete", help="Whether a person who is not in the file exists.")
    ] = None,
    dry_run: DryRun = False,
    report: Report = None,
    format_: Form = None,
    as_name: As = None,
    json: Json = False,
) -> None:
    """Put the persons of a file in the place of all that are there."""
    extra = {} if complete is None else {"complete": complete}
    _import(PERSONS, file, config, dry_run, report, format_, as_name, json, extra)


def person_export(file: OutFile, config: Config, format_: Form = None, json: Json = False) -> None:
    """Write out the persons."""
    _export(PERSONS, file, config, format_, json)


def _import(
    kind: FileKind,
    file: Path,
    config: Path,
    dry_run: bool,
    report: Path | None,
    format_: str | None,
    as_name: str | None,
    json: bool,
    extra: Mapping[str, Any],
) -> None:
    settings = load(config)
    target = _file_of(settings, config, kind)
    form = form_of(file, _form(format_))
    with Source(file) as source, register_database(settings, config) as engine, Refusals(report) as refusals:
        admin = administration_of(engine, settings, as_name)
        rows, stated = read_rows(source, form, kind)
        done = import_file(
            engine,
            target,
            kind,
            rows,
            {**stated, **extra},
            partial(admin.a_change, f"{kind.name} imported"),
            refusals.put,
            check_digits=settings.rules.check_digits,
            dry_run=dry_run,
        )
    _report(done, refusals, kind.name, json)


def _export(kind: FileKind, file: Path, config: Path, format_: str | None, json: bool) -> None:
    settings = load(config)
    source = _file_of(settings, config, kind)
    form = _out_form(file, format_, json)
    with written(file) as text:
        count = export_file(source, kind, text, form)
    _exported(file, count, kind.name, json)


def _file_of(settings: Settings, config: Path, kind: FileKind) -> Path:
    far = far_settings(settings, config)
    named: Path | str = ""
    if kind is COMPANIES and far.companies:
        named = far.companies.file
    elif kind is PERSONS and far.persons:
        named = far.persons.file
    if not named:
        raise ConfigurationError(f"{config} names no file of {kind.name}: set file in the table [far.{kind.name}].")
    return Path(named)


def _form(name: str | None) -> FileForm | None:
    if name not in (None, "csv", "json"):
        raise ConfigurationError("--format must be csv or json.")
    return cast(FileForm | None, name)


def _out_form(file: Path, format_: str | None, json: bool) -> FileForm:
    if file == STANDARD_OUTPUT and json:
        raise ConfigurationError("Standard output can hold the file or the JSON document of --json, not both.")
    return form_of(file, _form(format_))


def _report(done: Imported, refusals: Refusals, what: str, json: bool) -> None:
    if json:
        shown = [{"line": line, "reason": reason} for line, reason in refusals.first]
        print_json({**asdict(done), "refusals": shown})
    elif done.refused:
        print_table(f"{done.refused} of {done.rows} rows refused", ("Line", "Why"), refusals.first)
    else:
        replaced = f", {done.replaced} written anew" if done.replaced else ""
        would = "" if done.stored else " would be (dry run: nothing is stored)"
        typer.echo(f"{done.rows} {what}{would}: {done.added} added{replaced}.")
    if done.refused:
        more = done.refused - len(refusals.first)
        rest = f" {more} more are not shown: see them all with --report FILE." if more else ""
        fail(f"Nothing is stored, since {done.refused} of {done.rows} rows were refused.{rest}", REFUSED)


def _exported(file: Path, count: int, what: str, json: bool) -> None:
    if json:
        print_json({"file": str(file), "rows": count})
    elif file != STANDARD_OUTPUT:
        typer.echo(f"{count} {what} written to {file}.")
