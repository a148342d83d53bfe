"""mm-soap evidence, as whoever runs the parties uses it, and as somebody checks an export who has not got mm-soap."""

from __future__ import annotations

import getpass
import json
import re
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mm_soap.bootstrap import databases
from mm_soap.config import load
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, RECIPIENT
from mm_soap.storage import evidence_of, reading
from mm_soap.xml import MESSAGE_V3
from tests.e2e.suite import (
    Demonstration,
    Fault,
    Result,
    a_message,
    call,
    distribute,
    enveloped,
    final_status,
    get,
    letter,
    mm_soap,
    post,
    until,
)
from tests.unit.dsig.samples import distribute as carry_signed


class Command:
    """`mm-soap evidence` on a demonstration."""

    def __init__(self, demonstration: Demonstration) -> None:
        self.demonstration = demonstration

    def run(self, *arguments: object) -> Result:
        return mm_soap("evidence", *arguments, "--config", self.demonstration.config)

    def json(self, *arguments: object, status: int = 0) -> Any:
        result = self.run(*arguments, "--json")
        assert result.returncode == status, result.stderr
        return json.loads(result.stdout)

    def export(self, any_id: str, folder: Path, *options: str) -> list[Path]:
        """Export, unpack, and return the folders in the file."""
        file = folder / "evidence.zip"
        result = self.run("export", any_id, file, *options)
        assert result.returncode == 0, result.stderr
        assert file.stat().st_mode & 0o777 == 0o600
        with zipfile.ZipFile(file) as archive:
            archive.extractall(folder)
        assert (folder / "README.txt").exists()
        return sorted(path.parent for path in folder.glob("*/INSTRUCTIONS.txt"))


class Kept(Command):
    """`mm-soap evidence` on a demonstration in which something has happened."""

    def __init__(self, demonstration: Demonstration) -> None:
        super().__init__(demonstration)
        self.url = demonstration.serve().url
        delivery = letter(RECIPIENT, a_message())
        self.document = demonstration.signed(delivery)
        self.delivered = distribute(self.url, self.document)
        final_status(self.url, self.delivered)
        self.refused = refused(
            distribute, self.url, demonstration.signed(replace(delivery, reference="x")).replace(b"Beslut", b"Beslux")
        ).call_id

    def tamper(self, statement: str, party: str = "dispatcher") -> None:
        self.demonstration.stop()
        database = load(self.demonstration.config).dispatcher
        assert database is not None
        with closing(sqlite3.connect(database.database)) as connection, connection:
            connection.execute(statement)


def refused(send: Callable[[str, bytes], object], url: str, sent: bytes) -> Fault:
    """What something is answered with that is refused."""
    with pytest.raises(Fault) as raised:
        send(url, sent)
    return raised.value


@pytest.fixture(scope="module")
def kept(fresh_for_module: Demonstration) -> Kept:
    return Kept(fresh_for_module)


def follow(instructions: Path) -> int:
    """Run each command of some instructions, see that it prints what stands below it, and return how many ran."""
    lines = instructions.read_text().splitlines()
    number = 0
    for place, line in enumerate(lines):
        if not line.startswith("   $ "):
            continue
        number += 1
        expected = []
        for after in lines[place + 1 :]:
            if not after.startswith("   ") or after.startswith("   $ "):
                break
            expected.append(after.strip())
        ran = subprocess.run(
            ["sh", "-c", line[5:]], cwd=instructions.parent, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, (line, ran.stdout, ran.stderr)
        assert ran.stderr == ""
        if "xmlsec1" in line:
            assert re.search(r"\bOK\b", ran.stdout)
        else:
            assert [each.strip() for each in ran.stdout.splitlines()] == expected, line
    return number


def fails(instructions: Path) -> bool:
    try:
        follow(instructions)
    except AssertionError:
        return True
    return False


@pytest.mark.needs_program("xmlsec1")
def test_somebody_without_mm_soap_can_check_an_export(kept: Kept, tmp_path: Path) -> None:
    mine, theirs = kept.export(kept.delivered, tmp_path)
    assert (mine.name, theirs.name[:20]) == ("1-dispatcher-distributeSecure", "2-operator-165599999")
    assert (mine / "signed.xml").read_bytes() == kept.document
    assert sorted(path.name for path in theirs.iterdir()) == [
        *("INSTRUCTIONS.txt", "certificates", "chain.jsonl", "record.json"),
        *("request.xml", "sealed.xml", "signed.xml"),
    ]
    # Digest, signatures, and five of the chain.
    assert [follow(folder / "INSTRUCTIONS.txt") for folder in (mine, theirs)] == [1 + 1 + 6, 1 + 2 + 6]
    told = json.loads((mine / "record.json").read_text())
    assert (told["party"], told["record"]["verdict"]) == ("dispatcher", "accepted")
    assert told["events"][0]["distribution_id"] == kept.delivered

    signed = mine / "signed.xml"
    signed.write_bytes(signed.read_bytes().replace(b"Beslut", b"Beslux"))
    assert fails(mine / "INSTRUCTIONS.txt")
    records = theirs / "chain.jsonl"
    records.write_bytes(records.read_bytes().replace(b"accepted", b"refused!", 1))
    assert fails(theirs / "INSTRUCTIONS.txt")


@pytest.mark.needs_program("xmlsec1")
def test_what_was_refused_is_exported_with_its_verdict(kept: Kept, tmp_path: Path) -> None:
    (folder,) = kept.export(kept.refused, tmp_path, "--to-head")
    assert follow(folder / "INSTRUCTIONS.txt") == 1 + 6
    assert "SIGNATURE_INVALID" in (folder / "INSTRUCTIONS.txt").read_text()
    assert b"Beslux" in (folder / "request.xml").read_bytes()
    assert not (folder / "signed.xml").exists()


def test_every_request_that_was_refused_is_kept_with_its_verdict(kept: Kept) -> None:
    good = carry_signed(kept.document)
    sent: list[tuple[bytes, dict[str, str], str]] = [
        (b"<not XML", {}, "MALFORMED_XML"),
        (good.replace(b"</s:Body>", b"</s:Body><s:Body/>"), {}, "NOT_SOAP"),
        (enveloped(f'<distributeSecure xmlns="{MESSAGE_V3}"/>'), {}, ""),
        (good, {"content_type": "application/xml"}, "HTTP 415"),
        (b"--x\r\n\r\n" + good, {"content_type": 'multipart/related; boundary="x"'}, "HTTP 415"),
    ]
    for body, headers, _ in sent:
        post(f"{kept.url}/Message/v3", body, **headers)
    own = load(kept.demonstration.config).dispatcher
    assert own is not None
    with closing(sqlite3.connect(own.database)) as connection:
        rows = connection.execute("SELECT content, verdict FROM evidence ORDER BY id").fetchall()[-len(sent) :]
    for (body, _, verdict), (content, found) in zip(sent, rows, strict=True):
        assert content == body
        assert verdict in found
    assert kept.run("verify").returncode == 0


def test_a_document_that_came_twice_is_kept_twice(kept: Kept) -> None:
    assert distribute(kept.url, kept.document) == kept.delivered
    own = [one for one in kept.json("show", kept.delivered) if one["party"] == "dispatcher"]
    assert [one["verdict"] for one in own] == ["accepted", "answered as the first time"]


def test_a_request_in_another_encoding_is_kept_as_it_came(kept: Kept) -> None:
    body = carry_signed(kept.demonstration.signed(letter(RECIPIENT, a_message("Öl"))))
    sent = b"\xff\xfe" + body.decode().encode("utf-16-le")
    assert post(f"{kept.url}/Message/v3", sent, content_type="text/xml")[0] == 200
    own = load(kept.demonstration.config).dispatcher
    assert own is not None
    with closing(sqlite3.connect(own.database)) as connection:
        rows = connection.execute("SELECT content, verdict, call_id FROM evidence ORDER BY id").fetchall()[-2:]
    assert [(row[0], row[1]) for row in rows] == [(sent, "converted to UTF-8"), (body, "accepted")]
    assert rows[0][2] == rows[1][2]


def test_verify_names_what_was_done_to_the_evidence(fresh: Demonstration, tmp_path: Path) -> None:
    kept = Kept(fresh)
    noted = tmp_path / "heads.json"
    head = kept.run("head")
    assert head.returncode == 0, head.stderr
    noted.write_text(head.stdout)
    signed = tmp_path / "heads.pem"
    signed.write_text(kept.run("head", "--sign", DISPATCHER.number).stdout)
    for file in (noted, signed):
        whole = kept.json("verify", "--head", file)
        assert {name: (one["findings"], one["heads"]) for name, one in whole.items()} == dict.fromkeys(whole, ([], 1))
    assert f"signed by {DISPATCHER.number}" in kept.run("verify", "--head", signed).stderr
    kept.tamper(f"UPDATE evidence SET content = x'00' WHERE call_id = '{kept.refused}'")
    result = kept.run("verify")
    assert result.returncode == 1
    assert re.search(rf"changed: Record \d+: its bytes were changed. \(CallId {kept.refused}\)", result.stdout)
    kept.tamper("DELETE FROM evidence_record WHERE position = 2")
    (one, *_) = kept.json("verify", "--party", "dispatcher", status=1)["dispatcher"]["findings"]
    assert (one["kind"], one["position"]) == ("missing", 2)
    # Cut off, and the end of the chain written anew: only what was noted elsewhere tells.
    kept.tamper("DELETE FROM evidence")
    kept.tamper("DELETE FROM evidence_record")
    kept.tamper(f"UPDATE evidence_chain SET position = 0, hash = '{'0' * 64}'")
    assert kept.json("verify", "--party", "dispatcher")["dispatcher"]["findings"] == []
    for file in (noted, signed):
        assert kept.json("verify", "--party", "dispatcher", "--head", file, status=1)["dispatcher"]["findings"]


@pytest.mark.timeout(300)
def test_what_a_hostile_administrator_does_is_found_by_heads_noted_elsewhere(
    fresh: Demonstration, tmp_path: Path
) -> None:
    """Who may write to the database links all of it anew, so that nothing in it tells."""
    kept = Kept(fresh)
    noted, log = tmp_path / "heads.json", tmp_path / "serve.log"
    noted.write_text(kept.run("head").stdout)
    kept.demonstration.stop()
    log.write_text(kept.demonstration.servers[0].output())
    settings = load(kept.demonstration.config).dispatcher
    assert settings is not None
    own = Path(settings.database)
    with closing(sqlite3.connect(own)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    untouched = own.read_bytes()

    def verified(*options: object) -> list[str]:
        result = kept.run("verify", "--party", "dispatcher", *options, "--json")
        return [one["kind"] for one in json.loads(result.stdout)["dispatcher"]["findings"]]

    def after(*statements: str) -> tuple[list[str], list[str], list[str]]:
        for beside in own.parent.glob(f"{own.name}-*"):
            beside.unlink()
        own.write_bytes(untouched)
        with closing(sqlite3.connect(own)) as connection:
            with connection:
                for statement in statements:
                    connection.execute(statement)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return verified(), verified("--head", noted), verified("--head", log)

    anew = "UPDATE evidence_record SET position = NULL, previous = NULL, hash = NULL"
    start = f"UPDATE evidence_chain SET position = 0, hash = '{'0' * 64}'"
    with closing(sqlite3.connect(own)) as connection:
        (last,) = connection.execute("SELECT max(position) FROM evidence_record").fetchone()
        (hash_before,) = connection.execute("SELECT hash FROM evidence_record WHERE position = 1").fetchone()
    assert last >= 3
    assert after("SELECT 1") == ([], [], [])
    cut = ("DELETE FROM evidence WHERE id > 1", "DELETE FROM evidence_record WHERE position > 1")
    back = f"UPDATE evidence_chain SET position = 1, hash = '{hash_before}'"
    for statements in (
        (*cut, back),
        ("UPDATE evidence SET content = x'00' WHERE id = 1", *changed_record(b"\0"), anew, start),
        (*swapped(), anew, start),
    ):
        alone, by_file, by_log = after(*statements)
        assert alone == []
        assert by_file != []
        assert by_log != []


def changed_record(content: bytes) -> tuple[str, ...]:
    digest = sha256(content).hexdigest()
    return (f"UPDATE evidence_record SET digest = '{digest}', size = {len(content)} WHERE id = 1",)


def swapped() -> tuple[str, ...]:
    """Two records change places, with their bytes."""
    tables = ("evidence", "evidence_record")
    return tuple(
        f"UPDATE {table} SET id = {new} WHERE id = {old}" for table in tables for old, new in ((1, -1), (2, 1), (-1, 2))
    )


def test_who_looked_is_written_down(kept: Kept, tmp_path: Path) -> None:
    kept.run("show", kept.delivered)
    kept.run("verify", "--party", "dispatcher")
    kept.export(kept.delivered, tmp_path)
    own = load(kept.demonstration.config).dispatcher
    assert own is not None
    with closing(sqlite3.connect(own.database)) as connection:
        rows = connection.execute(
            "SELECT r.operation, r.caller, r.hash, e.content FROM evidence_record r JOIN evidence e USING (id)"
            " WHERE r.direction = 'use' ORDER BY r.id"
        ).fetchall()
    assert [row[0] for row in rows[-3:]] == ["evidence show", "evidence verify", "evidence export"]
    assert {row[1] for row in rows} == {getpass.getuser()}
    assert all(row[2] for row in rows)  # in the chain already
    assert [json.loads(row[3])["id"] for row in rows[-3:]] == [kept.delivered, None, kept.delivered]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("show", "no-such-id"), "No party"),
        (("export", "no-such-id", "x.zip"), "No party"),
        (("verify", "--party", "nobody"), "nobody"),
        (("verify", "--head", "/no/such/file"), "cannot be read"),
        (("verify", "--head", "/dev/null"), "must hold"),
        (("head", "--sign", "165599999999"), "no key of 165599999999"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    demonstration: Demonstration, arguments: tuple[str, ...], word: str
) -> None:
    result = mm_soap("evidence", *arguments, "--config", demonstration.config)
    assert result.returncode in (1, 2)
    assert word in result.stderr
    assert "Traceback" not in result.stderr


PORTS = {"far": "/Recipient/v3", "dispatcher": "/Message/v3", "operator:165599999918": "/Service/v3"}


@contextmanager
def without_evidence(demonstration: Demonstration) -> Iterator[None]:
    """Take from each party's database, while it is used, the table that evidence goes into."""
    settings = load(demonstration.config)
    assert settings.far is not None
    assert settings.dispatcher is not None
    files = [settings.far.database, settings.dispatcher.database, settings.operator[0].database]

    def rename(old: str, new: str) -> None:
        for file in files:
            with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
                connection.execute("PRAGMA legacy_alter_table = ON")
                connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename("evidence", "evidence_away")
    yield
    rename("evidence_away", "evidence")


@pytest.mark.timeout(300)
def test_what_is_refused_while_the_database_is_away_is_evidence_later(fresh: Demonstration, tmp_path: Path) -> None:
    fresh.change("", workers=2)
    server = fresh.serve()
    sent = {party: f"<not XML of {party}".encode() for party in PORTS}
    calls = {}
    with without_evidence(fresh):
        for party, body in sent.items():
            fault = refused(call, server.url + PORTS[party], body)
            assert (fault.status, fault.code) == (500, 5001)
            calls[party] = fault.call_id
        # Nothing is accepted without its evidence.
        document = fresh.signed(letter(RECIPIENT, a_message()))
        fault = refused(distribute, server.url, document)
        assert fault.code == 4000
        spool = fresh.folder / "data/spool"
        files = sorted(spool.glob("*/*.evidence"))
        assert [file.parent.name.replace("-", ":") for file in files] == sorted([*PORTS, "dispatcher"])
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        told = get(f"{server.url}/readyz")[1].decode()
        counted = get(f"{server.url}/metrics")[1].decode()
        waiting = {**dict.fromkeys(PORTS, 1), "dispatcher": 2}
        for party, number in waiting.items():
            assert f"{number} pieces of evidence of {party} wait in the spool for the database." in told
            assert f'mm_soap_evidence_spool_files{{party="{party}",state="waiting"}} {number}' in counted
        server.kill()
    kept = Command(fresh)
    assert "; 1 wait in the spool" in kept.run("verify", "--party", "far").stdout
    assert "4 pieces of evidence wait in the spool" in kept.run("show", calls["far"]).stderr.replace("\n", " ")
    server.start()
    until(lambda: not list(spool.glob("*/*.evidence")), 30, "an empty spool")
    (folder,) = kept.export(fault.call_id, tmp_path)
    assert (folder / "request.xml").read_bytes() == carry_signed(document)
    (shown,) = kept.json("show", calls["far"])
    assert (shown["party"], shown["verdict"]) == ("far", "MALFORMED_XML")
    assert shown["at"] < shown["taken_in"]
    for party, database in databases(load(fresh.config)).items():
        with reading(database) as connection:
            there = [(one.content, one.verdict) for one in evidence_of(connection, calls.get(party, ""))]
        database.dispose()
        assert there == ([(sent[party], "MALFORMED_XML")] if party in PORTS else [])
    checked = kept.json("verify")
    assert {name: (one["findings"], one["spool"]["waiting"]) for name, one in checked.items()} == dict.fromkeys(
        checked, ([], 0)
    )


def test_a_spool_that_cannot_be_written_is_told_once_at_the_start(fresh: Demonstration) -> None:
    fresh.change("", workers=2)
    (fresh.folder / "data/spool").write_text("in the way")
    server = fresh.serve("far")
    with without_evidence(fresh):
        fault = refused(call, server.url + PORTS["far"], b"<not XML")
    assert fault.code == 5001
    log = server.output()
    assert log.count("data/spool/far cannot be written: ") == 1
    (line,) = [line for line in log.splitlines() if "evidence not kept" in line]
    assert f"call_id={fault.call_id}" in line
    assert f"sha256={sha256(b'<not XML').hexdigest()}: the spool of evidence cannot be written" in line


def test_the_senders_of_questions_leave_no_evidence(kept: Kept) -> None:
    before = kept.json("verify", "--party", "far")["far"]["linked"]
    final_status(kept.url, kept.delivered, KOMMUN_A)
    assert kept.json("verify", "--party", "far")["far"]["linked"] == before + 1  # that it was verified
