"""mm-soap send --batch as an agency runs it: from a file, from a print supplier's folder, stopped, and gone on with."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mm_soap.demonstration import KOMMUN_A, RECIPIENT, RECIPIENT_AT_TWO, UNKNOWN
from mm_soap.testing.documents import one_page_pdf
from tests.e2e.suite import Begun, Demonstration, Result, Server, begun, mm_soap, until

ROWS = 600


def arguments(demonstration: Demonstration, file: Path, *more: object) -> list[object]:
    return [
        *("send", "--config", demonstration.config, "--sender", KOMMUN_A.number, "--batch", file, "--timeout", "60"),
        *more,
    ]


def send(demonstration: Demonstration, server: Server, file: Path, *more: object) -> Result:
    return mm_soap(*arguments(demonstration, file, *more), MM_SOAP_PORT=str(server.port))


def lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def report(file: Path) -> list[dict[str, str]]:
    with file.with_name(f"{file.name}.report.csv").open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_each_row_is_a_message_and_a_line_of_the_report(
    demonstration: Demonstration, served: Server, tmp_path: Path
) -> None:
    (tmp_path / "text.html").write_text("<p>Hej <b>på</b> dig.</p>", encoding="utf-8")
    (tmp_path / "beslut.pdf").write_bytes(one_page_pdf("Beslut", "Ja."))
    file = lines(
        tmp_path / "batch.jsonl",
        [
            {"recipient": RECIPIENT, "subject": "Rad ett", "body": "Hej på dig.", "message_id": "rad-ett-0001"},
            {"recipient": RECIPIENT_AT_TWO, "subject": "Rad två", "body_file": "text.html"},
            {"recipient": UNKNOWN, "subject": "Rad tre", "body": "Hej."},
            {
                "recipient": RECIPIENT,
                "subject": "Rad fyra",
                "body": "Hej.",
                "attachments": ["beslut.pdf", "beslut.pdf"],
            },
        ],
    )
    result = send(demonstration, served, file, "--json")
    assert result.returncode == 1, "one has no mailbox"
    counts = json.loads(result.stdout)
    assert (counts["rows"], counts["delivered"], counts["unreachable"], counts["waiting"]) == (4, 3, 1, 0)
    rows = report(file)
    assert [row["line"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["channel"] for row in rows] == ["digital", "digital", "none", "digital"]
    assert rows[0]["message_id"] == "rad-ett-0001"
    assert [row["state"] for row in rows] == ["ended", "ended", "unreachable", "ended"]
    here = {each.message_id: each.subject for each in demonstration.mailbox(RECIPIENT)}
    assert here[rows[0]["message_id"]] == "Rad ett"
    assert here[rows[3]["message_id"]] == "Rad fyra"
    assert demonstration.count_in_mailbox(rows[1]["message_id"], RECIPIENT_AT_TWO) == 1
    again = send(demonstration, served, file, "--json")
    assert json.loads(again.stdout) == counts
    assert report(file) == rows
    assert demonstration.count_in_mailbox(rows[0]["message_id"]) == 1


def test_a_print_suppliers_folder(demonstration: Demonstration, served: Server, tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (tmp_path / "text.txt").write_text("Se bifogad fil.", encoding="utf-8")
    with (folder / "index.csv").open("w", encoding="utf-8-sig", newline="") as text:
        rows = csv.writer(text, delimiter=";")
        rows.writerow(("recipient", "file"))
        for number in range(3):
            (folder / f"brev{number}.pdf").write_bytes(one_page_pdf(f"Brev {number}", "Hej."))
            rows.writerow((RECIPIENT, f"brev{number}.pdf"))
    result = send(demonstration, served, folder, "--subject", "Årsbesked", "--body", tmp_path / "text.txt")
    assert result.returncode == 0, result.stderr
    assert "delivered" in result.stdout
    rows_told = report(folder / "index.csv")
    found = [
        each.subject for each in demonstration.mailbox() if each.message_id in {r["message_id"] for r in rows_told}
    ]
    assert found == ["Årsbesked"] * 3


def test_nothing_is_sent_while_a_row_is_wrong(demonstration: Demonstration, served: Server, tmp_path: Path) -> None:
    (tmp_path / "secret.pdf").write_bytes(one_page_pdf("Brev", "Hej."))
    folder = tmp_path / "batch"
    folder.mkdir()
    (folder / "no.pdf").write_bytes(b"this is no PDF")
    good = {"recipient": RECIPIENT, "subject": "Hemligt ärende", "body": "Hej.", "message_id": "en-och-samma"}
    bad: list[Mapping[str, Any]] = [
        {**good, "recipient": "199001010000", "message_id": "a"},
        {**good, "recipient": ""},
        {**good, "body_file": "text.txt"},
        {**good, "body": "", "message_id": "b"},
        {**good, "attachments": "no.pdf", "message_id": "c"},
        {**good, "attachments": "../secret.pdf", "message_id": "d"},
        {**good, "attachments": "missing.pdf", "message_id": "e"},
        {**good, "sensitive": "perhaps", "message_id": "f"},
        {**good, "adress": "x", "message_id": "g"},
        {**good},
    ]
    file = lines(folder / "batch.jsonl", [good, *bad])
    before = len(demonstration.mailbox())
    result = send(demonstration, served, file)
    assert result.returncode == 1
    assert "10 rows" in result.stderr
    assert "Hemligt" not in result.stdout + result.stderr
    rows = report(file)
    assert [row["state"] for row in rows] == ["checked"] + ["invalid"] * 10
    assert all(row["reason"] for row in rows[1:])
    assert len(demonstration.mailbox()) == before
    left_out = send(demonstration, served, file, "--leave-out")
    assert left_out.returncode == 1
    assert len(demonstration.mailbox()) == before + 1
    corrected = lines(folder / "batch.jsonl", [good])
    refused = send(demonstration, served, corrected)
    assert refused.returncode == 2, "what was sent belongs to the file as it was"
    assert "journal" in refused.stderr


def test_a_file_may_be_corrected_before_anything_was_sent(
    demonstration: Demonstration, served: Server, tmp_path: Path
) -> None:
    row = {"recipient": RECIPIENT, "subject": "Beslut", "body": "Hej."}
    file = lines(tmp_path / "batch.jsonl", [{**row, "body": ""}])
    assert send(demonstration, served, file).returncode == 1
    assert send(demonstration, served, lines(file, [row])).returncode == 0


def test_a_dry_run_sends_nothing(demonstration: Demonstration, served: Server, tmp_path: Path) -> None:
    file = lines(tmp_path / "batch.jsonl", [{"recipient": RECIPIENT, "subject": "Beslut", "body": "Hej."}])
    before = len(demonstration.mailbox())
    result = send(demonstration, served, file, "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["waiting"] == 1
    assert len(demonstration.mailbox()) == before


@pytest.mark.parametrize("options", [("--recipient", RECIPIENT), ("--wait",), ("--attach", "x.pdf")])
def test_what_does_not_go_together(demonstration: Demonstration, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert mm_soap(*arguments(demonstration, tmp_path / "batch.jsonl", *options)).returncode == 2


def started(demonstration: Demonstration, server: Server, file: Path) -> Begun:
    return begun(*arguments(demonstration, file), MM_SOAP_PORT=str(server.port))


def accepted(journal: Path) -> int:
    """Return how many rows the journal has as handed over."""
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(journal, timeout=10)) as database:
        try:
            (count,) = database.execute("SELECT count(*) FROM row WHERE distribution_id IS NOT NULL").fetchone()
        except sqlite3.OperationalError:
            return 0
        return int(count)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_and_sends_nothing_twice(
    fresh: Demonstration, tmp_path: Path, how: signal.Signals
) -> None:
    server = fresh.serve()
    recipients = (RECIPIENT, RECIPIENT_AT_TWO)
    file = lines(
        tmp_path / "batch.jsonl",
        [{"recipient": recipients[n % 2], "subject": f"Beslut {n}", "body": "Hej på dig."} for n in range(ROWS)],
    )
    journal = file.with_name("batch.jsonl.journal")
    for turn in range(3):
        before = accepted(journal)
        process = started(fresh, server, file)
        until(lambda before=before: accepted(journal) > before, 60, "rows that were sent", pause=0.005)  # type: ignore[misc]
        if turn == 0:
            second = send(fresh, server, file)
            assert second.returncode == 2
            assert "in use" in second.stderr
        process.send_signal(how)
        assert process.wait(30) == (-how if how == signal.SIGKILL else 1)
        assert accepted(journal) < ROWS, "stopped too late to show anything"
    result = send(fresh, server, file, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["delivered"] == ROWS
    rows = report(file)
    assert len({row["distribution_id"] for row in rows}) == ROWS
    found = Counter(each.message_id for recipient in recipients for each in fresh.mailbox(recipient))
    assert found == Counter({row["message_id"]: 1 for row in rows})
