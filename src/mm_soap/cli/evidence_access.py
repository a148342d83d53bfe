"""mm-soap evidence: looking at what the parties keep, handing it to others, and checking that it is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text
from sqlalchemy import Engine

from mm_soap.bootstrap import databases
from mm_soap.bootstrap_evidence import retention_of, spool_of
from mm_soap.cli.output import REFUSED, console, fail, login, new_file, plain, print_json, print_table, progress_console
from mm_soap.clock import system_clock
from mm_soap.config import Settings, load
from mm_soap.errors import ConfigurationError
from mm_soap.evidence.checking import ChainCheck, Counts, Finding, NotedHead
from mm_soap.evidence.finding import Piece, find_pieces, note_look
from mm_soap.evidence.heads import SignedHeads, sign_heads
from mm_soap.evidence.package import Package
from mm_soap.linking import link_all
from mm_soap.pki import Identity
from mm_soap.storage import Head, SpoolState, head_of, reading

_NOTHING = "No party in the settings keeps anything of this id: check it, or ask the party that gave it."

_LOGGED = re.compile(
    r"(?:^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[^\n]*)?"
    r"\bevidence party=(?P<party>\S+) head=(?P<position>\d+):(?P<hash>[0-9a-f]{64})\b",
    re.MULTILINE,
)


def show(config: Path, any_id: str, as_json: bool) -> None:
    """Print what is kept of an id, without the bytes."""
    settings = load(config)
    parties = _noted(settings, databases(settings), "show", any_id)
    pieces = find_pieces(parties, any_id)
    if not pieces:
        fail(_nothing(settings, parties))
    if as_json:
        print_json([_document(piece) for piece in pieces])
        return
    columns = ("Party", "Record", "Came", "Operation", "Verdict", "Caller", "Bytes", "CallId")
    print_table("Evidence", columns, [tuple(_document(piece).values())[:8] for piece in pieces])


def export(config: Path, any_id: str, file: Path, to_head: bool) -> None:
    """Write what is kept of an id into a ZIP file."""
    settings = load(config)
    parties = _noted(settings, databases(settings), "export", any_id)
    pieces = find_pieces(parties, any_id)
    if not pieces:
        fail(_nothing(settings, parties))
    with new_file(file) as opened:
        Package(parties, settings.trust.anchors, system_clock(), to_head).write(opened, pieces)
    console().print(plain(f"Written: {file}"))


def verify(config: Path, party: str | None, known: Sequence[Path], as_json: bool) -> None:
    """Check the chains, and print what is wrong with them; exit status 1 if anything is."""
    settings = load(config)
    heads: dict[str, list[NotedHead]] = {}
    for file in known:
        for name, noted in _read_heads(file, settings):
            heads.setdefault(name, []).append(noted)
    days = settings.evidence.record_days
    stay = timedelta(days=days) if days else None
    parties = _noted(settings, _chosen(settings, party), "verify", None)
    for name in heads:
        if name not in parties and party is None:
            raise ConfigurationError(f"A head is of {name}, which is no party of these settings.")
    found: dict[str, tuple[Counts, list[Finding]]] = {}
    spools = {name: _spooled(settings, name) for name in parties}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=progress_console(),
        transient=True,
    ) as progress:
        for name, database in parties.items():
            task = progress.add_task(name, total=None)
            check = ChainCheck(database, system_clock(), heads.get(name, ()), stay, partial(progress.advance, task))
            progress.update(task, total=check.total())
            found[name] = check.counts, list(check.findings())
    if as_json:
        print_json({
            name: {**asdict(counts), "spool": asdict(spools[name]), "findings": [asdict(one) for one in findings]}
            for name, (counts, findings) in found.items()
        })  # fmt: skip
    else:
        for name, (counts, findings) in found.items():
            _print(name, counts, findings, spools[name])
    if any(findings for _, findings in found.values()) or any(one.damaged for one in spools.values()):
        raise SystemExit(REFUSED)


def head(config: Path, party: str | None, signer: str | None) -> None:
    """Print where the chains end, signed by an organisation of the settings where one is named."""
    settings = load(config)
    identity = None if signer is None else _identity(settings, signer)
    told = {}
    for name, database in _noted(settings, _chosen(settings, party), "head", None).items():
        with reading(database) as connection:
            told[name] = {**asdict(head_of(connection)), "at": system_clock().isoformat(timespec="seconds")}
    if identity is None:
        print_json(told)
    else:
        print(sign_heads(json.dumps(told, indent=2) + "\n", identity), end="")


def _identity(settings: Settings, organisation: str) -> Identity:
    named = [one for one in (settings.dispatcher, *settings.operator, *settings.sender) if one is not None]
    for own in named:
        if own.organisation == organisation:
            return Identity.load(own.certificate, own.key)
    known = ", ".join(dict.fromkeys(own.organisation for own in named))
    raise ConfigurationError(f"The settings have no key of {organisation}: there are those of {known}.")


def _noted(settings: Settings, parties: dict[str, Engine], what: str, asked: str | None) -> dict[str, Engine]:
    # Before it is shown: whoever cannot write that it was looked at does not get to look.
    for database in parties.values():
        link_all(database)
        note_look(database, login(), what, asked, system_clock(), retention_of(settings))
    return parties


def _chosen(settings: Settings, party: str | None) -> dict[str, Engine]:
    found = databases(settings)
    if party is None:
        return found
    if party not in found:
        raise ConfigurationError(f"The settings have no party {party}: there are {', '.join(found)}.")
    return {party: found[party]}


def _read_heads(file: Path, settings: Settings) -> Iterator[tuple[str, NotedHead]]:
    """Yield the heads, with their parties, of what `head` printed, signed or not, or of a log."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from None
    if SignedHeads.is_in(text):
        signed = SignedHeads(text, file)
        heads = list(_parsed(signed.document, file))
        moments = [noted.at for _, noted in heads if noted.at is not None]
        signer = signed.check(settings.trust.anchors, max(moments, default=system_clock()))
        progress_console().print(plain(f"{file}: signed by {signer}"), soft_wrap=True)
        yield from heads
        return
    logged = list(_LOGGED.finditer(text))
    for one in logged:
        at = datetime.fromisoformat(one["at"]).astimezone() if one["at"] else None
        yield one["party"], NotedHead(Head(int(one["position"]), one["hash"]), at)
    if not logged:
        yield from _parsed(text, file)


def _parsed(text: str, file: Path) -> Iterator[tuple[str, NotedHead]]:
    try:
        told = {str(name): _noted_head(one) for name, one in json.loads(text).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigurationError(
            f"{file} must hold what `mm-soap evidence head` printed, or a log of `mm-soap serve`."
        ) from None
    yield from told.items()


def _noted_head(told: Mapping[str, Any]) -> NotedHead:
    at = datetime.fromisoformat(told["at"]).astimezone() if "at" in told else None
    return NotedHead(Head(int(told["position"]), str(told["hash"])), at)


def _nothing(settings: Settings, parties: Collection[str]) -> str:
    number = sum(_spooled(settings, party).waiting for party in parties)
    return f"{_NOTHING} {number} pieces of evidence wait in the spool for their database." if number else _NOTHING


def _spooled(settings: Settings, party: str) -> SpoolState:
    spool = spool_of(settings, party)
    return SpoolState(0, 0, 0) if spool is None else spool.state()


def _print(name: str, counts: Counts, findings: list[Finding], spool: SpoolState) -> None:
    out = console()
    told = f"{counts.linked} records in the chain, {counts.loose} not yet in it; {counts.without_bytes} without bytes"
    heads = f"; {counts.heads} noted heads compared" if counts.heads else ""
    heads += f"; {counts.old_heads} noted heads are of forgotten records" if counts.old_heads else ""
    forgotten = f"; the first {counts.forgotten} are forgotten" if counts.forgotten else ""
    heads += f"; {spool.waiting} wait in the spool" if spool.waiting else ""
    mark = ("✗ ", "red") if findings or spool.damaged else ("✓ ", "green")
    out.print(Text.assemble(mark, (name, "bold"), plain(f": {told}{forgotten}{heads}")))
    for one in findings:
        call = f" (CallId {one.call_id})" if one.call_id else ""
        out.print(plain(f"  {one.kind.value}: {one.text}{call}"), soft_wrap=True)
    if spool.damaged:
        out.print(plain(f"  changed: Files in the spool that are damaged: {spool.damaged}."), soft_wrap=True)


def _document(piece: Piece) -> dict[str, Any]:
    row: Mapping[str, Any] = piece.record
    return {
        "party": piece.party,
        "record": row["position"],
        "at": row["at"].isoformat(timespec="seconds"),
        "operation": row["operation"],
        "verdict": row["verdict"],
        "caller": row["caller"],
        "bytes": row["size"] if piece.content is not None else None,
        "call_id": row["call_id"],
        "direction": row["direction"],
        "digest": row["digest"],
        "hash": row["hash"],
        "keep_until": row["keep_until"].isoformat(timespec="seconds"),
        "taken_in": next((one.detail["taken_in"] for one in piece.events if "taken_in" in one.detail), None),
    }
