"""mm-soap far, as whoever administers a register uses it."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mm_soap.config import load
from mm_soap.demonstration import (
    COMPANY,
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    UNKNOWN,
)
from mm_soap.far.accounts import GivenSignature, HistoryEntry, Kind, Pending, Step, store
from mm_soap.message.identifiers import check_digit
from mm_soap.storage import open_database, writing
from mm_soap.xml import RECIPIENT_V3
from tests.e2e.suite import Demonstration, Fault, Result, Server, begun, call, enveloped, mm_soap

NEW = "165599999942"
HEAD = "recipient,operator,type,registered\n"


class Far:
    """`mm-soap far` on one demonstration."""

    def __init__(self, demonstration: Demonstration) -> None:
        self.folder = demonstration.folder
        self.config = demonstration.config

    def __call__(self, *arguments: object) -> Result:
        return mm_soap("far", *arguments, "--config", self.config)

    def json(self, *arguments: object, status: int = 0) -> Any:
        result = self(*arguments, "--json")
        assert result.returncode == status, result.stderr
        return json.loads(result.stdout)

    def refused(self, status: int, word: str, *arguments: object) -> None:
        result = self(*arguments)
        assert result.returncode == status, result.stderr
        assert "Traceback" not in result.stderr
        last = result.stderr.strip().splitlines()[-1]
        assert last.startswith("mm-soap: ")
        assert word in last

    def file(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path

    def register_file(self, kind: str) -> Path:
        """The file that the settings name for the companies or the persons."""
        return Path(getattr(load(self.config).far, kind).file)

    def accounts(self) -> list[dict[str, str]]:
        out = self.folder / "all.csv"
        assert self("account", "export", out).returncode == 0
        with out.open(encoding="utf-8") as text:
            return list(csv.DictReader(text))


@pytest.fixture
def far(fresh: Demonstration) -> Far:
    return Far(fresh)


def test_a_sender_from_its_first_day_to_its_last(far: Far) -> None:
    certificate = far.folder / "pki" / f"{KOMMUN_A.number}.pem"
    added = far.json("sender", "add", NEW, "--name", "Ny å", "--attention", "Växeln", "--as", "Anna Ek")
    assert added == {"number": NEW, "name": "Ny å", "attention": "Växeln", "certificate": None, "closed": None}
    far.refused(1, "connected already", "sender", "add", NEW, "--name", "Ny")
    far.refused(1, "another organisation", "sender", "change", NEW, "--certificate", certificate)
    assert far.json("sender", "change", NEW, "--name", "Nyare", "--attention", "")["attention"] is None
    listed = far.json("dispatcher", "change", DISPATCHER.number, "--add-sender", NEW)
    assert listed["senders"] == sorted([KOMMUN_A.number, KOMMUN_B.number, NEW])
    assert [each["number"] for each in far.json("sender", "list")] == [KOMMUN_B.number, KOMMUN_A.number, NEW]

    assert far.json("sender", "close", NEW)["closed"] is not None
    assert NEW not in far("sender", "list").stdout
    assert NEW in far("sender", "list", "--all").stdout
    assert NEW not in far("dispatcher", "list").stdout
    far.refused(1, "closed", "sender", "close", NEW)
    changes = far.json("audit", "--party", NEW)
    assert [change["what"] for change in changes] == ["sender closed", "sender changed", "sender added"]
    assert changes[-1]["who"] == "Anna Ek"
    assert changes[0]["who"] == changes[0]["login"] != "Anna Ek"
    assert "sender closed" in far("audit").stdout


def test_dispatchers_and_operators(far: Far) -> None:
    number = KOMMUN_B.number
    certificate = far.folder / "pki" / f"{number}.pem"
    made = far.json("dispatcher", "add", number, "--name", "Kommun B", "--sender", number, "--certificate", certificate)
    assert len(made["certificate"]) == 64
    assert made["certificate"][:8] in far("dispatcher", "list").stdout
    assert far.json("dispatcher", "change", number, "--remove-sender", number)["senders"] == []
    far.refused(1, "not listed", "dispatcher", "change", number, "--remove-sender", number)
    far.refused(2, "--sender", "dispatcher", "change", number, "--sender", number, "--add-sender", number)
    far.json("dispatcher", "close", number)

    address = "https://post.example.se/Service/v3"
    far.json("operator", "add", NEW, "--name", "Brevlåda Tre", "--service-address", address)
    assert far.json("operator", "change", NEW, "--ui-address", "https://post.example.se/ui")["ui_address"]
    far.refused(1, "has that name", "operator", "change", NEW, "--name", OPERATOR_ONE.name)
    far.refused(1, "accounts", "operator", "close", OPERATOR_ONE.number)
    far.json("operator", "close", NEW)
    far.refused(2, "Say what", "operator", "change", OPERATOR_ONE.number)


def test_accounts_out_and_in_again(far: Far) -> None:
    before = far.accounts()
    assert {row["recipient"] for row in before} >= {RECIPIENT, COMPANY}
    assert (far.folder / "all.csv").stat().st_mode & 0o077 == 0
    far.refused(1, "4 of 4 rows", "account", "import", far.folder / "all.csv")
    assert far.json("account", "import", far.folder / "all.csv", "--replace")["replaced"] == len(before)
    assert far.accounts() == before
    shown = far("account", "export", "-", "--format", "json")
    assert [json.loads(line)["recipient"] for line in shown.stdout.splitlines()] == [r["recipient"] for r in before]
    assert sum(each["accounts"] for each in far.json("account", "count")) == len(before) + 1
    assert "waits for signatures" in far("account", "count").stdout
    kept = json.dumps(far.json("audit"))
    assert RECIPIENT not in kept
    assert {change["what"] for change in far.json("audit")} == {"accounts exported", "accounts imported"}


def test_refused_rows_are_reported(far: Far) -> None:
    before = far.accounts()
    file = far.file("new.csv", f"{HEAD}189004619806,{OPERATOR_TWO.number},,\n189004619807,{OPERATOR_TWO.number},,\n")
    report = far.folder / "report.csv"
    told = far.json("account", "import", file, "--dry-run", "--report", report, status=1)
    assert (told["rows"], told["refused"], told["stored"]) == (2, 1, False)
    assert told["refusals"] == [{"line": 3, "reason": "the check digit of the recipient is wrong"}]
    assert report.read_text() == "line,reason\n3,the check digit of the recipient is wrong\n"
    result = far("account", "import", file)
    assert result.returncode == 1
    assert "check digit" in result.stdout
    assert "189004619807" not in result.stdout + result.stderr
    assert far.accounts() == before
    far.refused(2, ".csv", "account", "import", far.file("new.xlsx", ""))
    far.refused(2, "cannot be read", "account", "import", far.folder / "absent.csv")
    far.refused(2, "first line", "account", "import", far.file("empty.csv", ""))
    far.refused(2, "--format", "account", "import", file, "--format", "xml")


def numbers(count: int) -> str:
    nines = (f"{5_000_000 + each:09}" for each in range(count))
    return "".join(f"16{nine}{check_digit(nine)},{OPERATOR_ONE.number},,\n" for nine in nines)


def killed_when(far: Far, source: Path, ready: Callable[[], bool]) -> int:
    process = begun("far", "account", "import", source, "--format", "csv", "--config", far.config)
    deadline = time.monotonic() + 60
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def stored(far: Far) -> tuple[int, int]:
    with closing(sqlite3.connect(far.folder / "data" / "far.sqlite3")) as database:
        return tuple(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("account", "audit"))  # type: ignore[return-value]


@pytest.mark.parametrize("moment", ["reading", "storing"])
def test_killed_in_the_middle_of_an_import(far: Far, moment: str) -> None:
    """Nothing is stored, and the same import succeeds afterwards."""
    before = stored(far)
    content = HEAD + numbers(60_000)
    if moment == "reading":
        source = far.folder / "pipe"
        os.mkfifo(source)
        feeding = os.open(source, os.O_RDWR)
        os.set_blocking(feeding, False)
        left = content.encode()

        def ready() -> bool:
            nonlocal left
            with suppress(BlockingIOError):
                left = left[os.write(feeding, left) :]
            return len(left) < len(content) // 2
    else:
        source = far.file("many.csv", content)
        log = far.folder / "data" / "far.sqlite3-wal"

        def ready() -> bool:
            return log.exists() and log.stat().st_size > 200_000

    assert killed_when(far, source, ready) == -signal.SIGKILL
    assert stored(far) == before
    done = far.json("account", "import", far.file("again.csv", content))
    assert (done["added"], done["stored"]) == (60_000, True)
    assert stored(far) == (before[0] + 60_000, before[1] + 1)


FIRM = {
    "number": COMPANY,
    "name": "Bolaget AB",
    "form": "AB",
    "rule": {"kind": "together", "count": 1},
    "signatories": [{"personal_number": RECIPIENT, "name": "Anna Ek", "roles": ["board"]}],
}


def test_companies(far: Far) -> None:
    target = far.register_file("companies")
    before = target.read_text()
    file = far.file("companies.json", json.dumps([FIRM]))
    assert far.json("company", "import", file, "--dry-run")["stored"] is False
    assert target.read_text() == before
    assert far.json("company", "import", file, "--as", "Anna")["added"] == 1
    sheet = far.folder / "companies.csv"
    assert far("company", "export", sheet).returncode == 0
    first = target.read_text()
    assert far.json("company", "import", sheet)["stored"]
    assert target.read_text() == first
    assert json.loads(first)["companies"][0]["signatories"] == FIRM["signatories"]

    wrong = far.file("wrong.json", json.dumps([FIRM, {**FIRM, "rule": {"kind": "magic"}}, FIRM]))
    told = far.json("company", "import", wrong, status=1)
    assert [each["line"] for each in told["refusals"]] == [2, 3]
    assert target.read_text() == first
    (last, previous) = far.json("audit")
    assert (last["what"], previous["who"]) == ("companies imported", "Anna")
    assert last["before"] == previous["after"]
    assert RECIPIENT not in json.dumps([last, previous])


def test_persons(far: Far) -> None:
    target = far.register_file("persons")
    head = "number,name,dead,protected,now_number\n"
    file = far.file("persons.csv", f"{head}{RECIPIENT},Anna Ek,,true,\n189001619809,,no,,{RECIPIENT}\n")
    assert far.json("person", "import", file, "--incomplete")["added"] == 2
    assert json.loads(target.read_text())["complete"] is False
    out = far.folder / "persons.json"
    assert far("person", "export", out).returncode == 0
    assert [row["number"] for row in json.loads(out.read_text())["persons"]] == ["189001619809", RECIPIENT]
    assert far.json("person", "import", out)["stored"]
    far.refused(1, "1 of 1", "person", "import", far.file("wrong.csv", f"{head}{RECIPIENT},,,,189001619809\n"))
    far.refused(1, "1 of 1", "person", "import", far.file("wrong.csv", f"{head}{RECIPIENT},,maybe,,\n"))
    assert json.loads(target.read_text())["complete"] is False


def test_consents(far: Far) -> None:
    user = "189001619809"
    given = far.json("consents", "give", RECIPIENT, user, "--kind", "read", "--as", "Anna Ek")
    assert given == {"recipient": RECIPIENT, "user": user, "kind": "read", "given": given["given"], "cancelled": None}
    far.refused(1, "exists", "consents", "give", RECIPIENT, user, "--kind", "read")
    far.refused(1, "No such", "consents", "give", UNKNOWN, user, "--kind", "read")
    far.refused(1, "identifier", "consents", "give", RECIPIENT, "1", "--kind", "read")
    far.refused(1, "check digit", "consents", "give", RECIPIENT, user[:-1] + "8", "--kind", "read")
    far.refused(1, "No such", "consents", "cancel", RECIPIENT, user, "--kind", "manage")
    assert far("consents", "give", RECIPIENT, user, "--kind", "all").returncode == 2
    far.json("consents", "give", RECIPIENT, user, "--kind", "manage")
    assert [each["kind"] for each in far.json("consents", "list", RECIPIENT)] == ["read", "manage"]
    cancelled = far.json("consents", "cancel", RECIPIENT, user, "--kind", "read")
    assert cancelled["given"] == given["given"] < cancelled["cancelled"]
    assert [each["kind"] for each in far.json("consents", "list", RECIPIENT)] == ["manage"]
    assert far.json("consents", "list", RECIPIENT, "--all")[0] == cancelled
    shown = far("consents", "list", RECIPIENT, "--all").stdout
    assert user in shown
    assert "manage" in shown
    assert "Cancelled" in shown

    changes = [each for each in far.json("audit") if each["what"].startswith("consent")]
    assert [each["what"] for each in changes] == ["consent cancelled", "consent given", "consent given"]
    assert changes[-1]["who"] == "Anna Ek"
    assert (
        changes[0]["before"]
        == changes[-1]["after"]
        == {"consent": changes[-1]["after"]["consent"], "kind": "ConsentRead", "given": given["given"]}
    )
    assert changes[0]["after"] == {**changes[-1]["after"], "cancelled": cancelled["cancelled"]}
    assert user not in json.dumps(changes)
    assert RECIPIENT not in json.dumps(changes)


def steps(far: Far, signer: str) -> None:
    """A request that its first signer abandons, as the service writes it."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    sentence = f"Move the account of {RECIPIENT} to Ett."
    given = GivenSignature(signer, "Anna Ek", b"signature", "certificate", None, "UTF-8", "text", sentence, at)
    about = (Kind.CHANGE_OPERATOR, OPERATOR_ONE.number, OPERATOR_ONE.number, "call-1")
    settings = load(far.config).far
    assert settings is not None
    engine = open_database(settings.database)
    with writing(engine) as connection:
        wanted = Pending(0, about[0], RECIPIENT, about[1], None, "text", at.date(), at)
        key = store.begin(connection, wanted)
        for minute, step, signatures in ((0, Step.BEGUN, ()), (1, Step.SIGNED, (given,)), (2, Step.ABANDONED, ())):
            when = at + timedelta(minutes=minute)
            entry = HistoryEntry(when, about[0], step, *about[1:], sentence, signatures)
            store.record_step(connection, key, RECIPIENT, entry)
        store.end(connection, key, Step.ABANDONED, at)
    engine.dispose()


def test_the_history_of_an_account(far: Far) -> None:
    signer = "189001619809"
    file = far.file("in.csv", f"{HEAD}{RECIPIENT},{OPERATOR_TWO.number},,\n")
    far.json("account", "import", file, "--replace")
    steps(far, signer)
    shown = far.json("history", RECIPIENT, "--as", "Anna Ek")
    begun, signed, abandoned, imported = sorted(shown, key=lambda each: str(each["request"] is None) + each["at"])
    assert [each["step"] for each in (begun, signed, abandoned)] == ["begun", "signed", "abandoned"]
    received = "2026-03-01T12:00:00+00:00"
    assert signed["signatures"] == [{"signer": signer, "name": "Anna Ek", "received": received, "counts": False}]
    assert (signed["operator"], signed["caller"], signed["kind"]) == (
        OPERATOR_ONE.number,
        OPERATOR_ONE.number,
        "change operator",
    )
    assert (imported["step"], imported["operator"]) == ("imported anew", OPERATOR_TWO.number)
    assert imported["importer"]["file_sha256"] == sha256(file.read_bytes()).hexdigest()
    assert "sentence" not in json.dumps(shown)
    with_sentences = far.json("history", RECIPIENT, "--sentences")
    assert {each["sentence"] for each in with_sentences if each["request"]} == {
        f"Move the account of {RECIPIENT} to Ett."
    }
    table = far("history", RECIPIENT).stdout
    assert "4 steps" in table
    assert "counts no more" in table
    assert "Move" not in table
    assert far.json("history", UNKNOWN) == []
    far.refused(1, "identifier", "history", "x")

    assert "history read" in far("audit").stdout
    changes = [each for each in far.json("audit") if each["what"] == "history read"]
    assert [each["after"]["steps"] for each in changes] == [0, 4, 4, 4]
    assert [each["after"]["sentences"] for each in changes] == [False, False, True, False]
    assert changes[-1]["who"] == "Anna Ek"
    assert changes[-1]["after"]["requests"] == [begun["request"]]
    assert changes[-1]["after"]["imports"] == [imported["importer"]["audit"]]
    assert not any(each in json.dumps(changes) for each in (signer, RECIPIENT, UNKNOWN))


def test_a_register_that_is_not_here(far: Far) -> None:
    other = far.file("other.toml", 'profile = "demonstration"\n')
    result = mm_soap("far", "sender", "list", "--config", other)
    assert (result.returncode, result.stdout) == (2, "")
    assert "administered where it runs" in result.stderr


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("Recipient/v3", f'<isRegistered xmlns="{RECIPIENT_V3}"><recipientId>1</recipientId></isRegistered>', 5001),
        (
            "Recipient/v3",
            f'<deletePendingAccountRequest xmlns="{RECIPIENT_V3}"><recipientId>{UNKNOWN}</recipientId>'
            f"<userIdentity>{UNKNOWN}</userIdentity></deletePendingAccountRequest>",
            5003,
        ),
        ("Message/v3", "<nothing/>", 5001),
    ],
)
def test_a_refused_call_says_that_nobody_knows_who_called(
    demonstration: Demonstration, served: Server, path: str, body: str, code: int
) -> None:
    with pytest.raises(Fault) as caught:
        call(f"{served.url}/{path}", enveloped(body))
    assert caught.value.code == code
    (step,) = demonstration.trace(caught.value.call_id)
    assert (step["kind"], step["detail"]["code"], step["detail"]["caller_identity"]) == ("refusal", code, "unknown")
    shown = mm_soap("trace", caught.value.call_id, "--config", demonstration.config).stdout
    assert "caller identity unknown" in " ".join(shown.split())
    assert UNKNOWN not in shown
