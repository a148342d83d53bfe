"""Accounts in bulk: what goes in comes out, all or nothing, in little memory."""

from __future__ import annotations

import csv
import io
import json
import resource
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from mm_soap.errors import ConfigurationError
from mm_soap.far import Account, AccountType, Operator, Register
from mm_soap.far.account_tables import imported_account, request
from mm_soap.far.accounts.store import _imports, read_history
from mm_soap.far.audit import Change, changes
from mm_soap.far.bulk import Imported, ImportRules, import_accounts
from mm_soap.far.checking import ACCOUNT_COLUMNS, _moment, luhn_tables
from mm_soap.far.export import export_accounts
from mm_soap.far.store import account
from mm_soap.message.identifiers import check_digit, valid_check_digit
from mm_soap.row_files import FileForm, Source, form_of
from mm_soap.row_files_out import replacing, row_writer
from mm_soap.storage import migrate, open_database, reading, settle, writing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE, TWO, CLOSED = "165599999918", "165599999926", "165599999942"
ANNA, BO, FIRM = "192705178354", "189001619809", "165599999934"
HEAD = "recipient,operator,type,registered\n"


@pytest.fixture
def register(engine: Engine) -> Register:
    migrate(engine, "far")
    register = Register(engine, lambda: NOW)
    for number in (ONE, TWO):
        register.add_operator(Operator(number, number, "http://o/", "http://o/"))
    return register


class Import:
    """Imports files and keeps what was refused."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.refused: list[tuple[int, str]] = []

    def __call__(self, content: str | bytes, form: FileForm = "csv", **rules: bool) -> Imported:
        file = self.folder / "accounts"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.refused = []
        with Source(file) as source:
            return import_accounts(
                self.engine,
                source.rows(form, ACCOUNT_COLUMNS),
                ImportRules(**rules),
                lambda counts: Change(
                    NOW, "anna", "anna", "accounts imported", None, None, {**counts, "file_sha256": source.sha256}
                ),
                lambda line, why: self.refused.append((line, why)),
            )

    def exported(self, form: FileForm = "csv") -> str:
        text = io.StringIO()
        export_accounts(self.engine, row_writer(text, form, ACCOUNT_COLUMNS), lambda what, done, of: None)
        return text.getvalue()


@pytest.fixture
def bring(engine: Engine, register: Register, tmp_path: Path) -> Import:
    return Import(engine, tmp_path)


def line(*cells: str) -> str:
    return ",".join(cells) + "\n"


def test_what_goes_in(bring: Import, register: Register) -> None:
    done = bring(HEAD + line(ANNA, ONE, "Secure", "2026-01-02T04:04:05.5+01:00") + line(FIRM, TWO, "Anonymous", ""))
    assert done == Imported(rows=2, refused=0, added=2, replaced=0, stored=True)
    anna, firm = register.is_registered([ANNA, FIRM])
    assert (anna.account_type, anna.pending, anna.operator and anna.operator.number) == ("Secure", False, ONE)
    assert anna.last_registration == datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
    assert (firm.account_type, firm.last_registration) == ("Anonymous", None)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (f"recipient,operator\n{ANNA},{ONE}\n", "csv"),
        (f"\ufeffoperator;recipient\r\n{ONE};{ANNA}\r\n\r\n", "csv"),
        (f'"recipient","operator"\n"{ANNA}","{ONE}"', "csv"),
        (f'{{"recipient": "{ANNA}", "operator": "{ONE}"}}\n\n', "json"),
        (f'\n{{"recipient": "{ANNA}", "operator": "{ONE}", "type": null}}', "json"),
        (f'[{{"recipient": "{ANNA}", "operator": "{ONE}"}}]', "json"),
        (f'  [\n {{"recipient": "{ANNA}",\n "operator": "{ONE}"}}\n ]\n ', "json"),
    ],
)
def test_forms(bring: Import, register: Register, content: str, form: FileForm) -> None:
    assert bring(content, form).stored, bring.refused
    assert register.is_registered([ANNA])[0].account_type == "Secure"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (line(BO[:-1] + "8", ONE, "", ""), "check digit"),
        (line("192713178354", ONE, "", ""), "12 digits"),
        (line("1927 0517834", ONE, "", ""), "12 digits"),
        (line("19270517835\u0664", ONE, "", ""), "12 digits"),
        (line("", ONE, "", ""), "12 digits"),
        (line(BO, CLOSED, "", ""), "operator"),
        (line(BO, "", "", ""), "operator"),
        (line(BO, ONE, "secure", ""), "type"),
        (line(BO, ONE, "Not", ""), "type"),
        (line(BO, ONE, "", "2026-01-01"), "time zone"),
        (line(BO, ONE, "", "0001-01-01T00:00:00+14:00"), "time zone"),
        (line(BO, ONE), "columns"),
        (line(ANNA, TWO, "", ""), "line 2 already"),
    ],
)
def test_one_row_that_is_wrong_stops_all(bring: Import, register: Register, row: str, why: str) -> None:
    done = bring(HEAD + line(ANNA, ONE, "", "") + row + line(FIRM, ONE, "", ""))
    assert (done.rows, done.refused, done.stored) == (3, 1, False)
    ((number, reason),) = bring.refused
    assert number == 3
    assert why in reason
    assert BO not in reason
    assert {one.account_type for one in register.is_registered([ANNA, BO, FIRM])} == {"Not"}


def test_every_refused_row_is_told_in_order(bring: Import) -> None:
    rows = [line(FIRM, ONE, "", ""), line("x", ONE, "", ""), line(ANNA, ONE, "", ""), line(FIRM, "y", "", "")]
    rows += [line(ANNA, ONE, "", ""), line(FIRM, TWO, "", "")]
    assert bring(HEAD + "".join(rows)).refused == 4
    assert [number for number, _ in bring.refused] == [3, 5, 6, 7]


def test_check_digits_are_a_setting(bring: Import) -> None:
    assert bring(HEAD + line(BO[:-1] + "8", ONE, "", ""), check_digits=False).stored


def test_a_dry_run_stores_nothing_and_says_the_same(bring: Import, register: Register) -> None:
    register.add_account(Account(ANNA, ONE))
    content = HEAD + line(ANNA, TWO, "", "") + line(BO, TWO, "", "")
    assert bring(content, dry_run=True) == Imported(2, 1, 1, 1, False)
    assert bring(content, dry_run=True, replace=True) == Imported(2, 0, 1, 1, False)
    assert bring.exported() == HEAD + line(ANNA, ONE, "Secure", "")
    assert bring(content, replace=True) == Imported(2, 0, 1, 1, True)
    assert bring.exported() == HEAD + line(BO, TWO, "Secure", "") + line(ANNA, TWO, "Secure", "")


def test_accounts_that_are_there(bring: Import, register: Register) -> None:
    register.add_account(Account(ANNA, ONE))
    register.add_account(Account(BO, ONE, pending=True))
    content = HEAD + line(ANNA, TWO, "", "") + line(BO, TWO, "", "")
    bring(content)
    assert bring.refused == [
        (2, "the recipient has an account already"),
        (3, "the account waits for signatures"),
    ]
    bring(content, replace=True)
    assert [number for number, _ in bring.refused] == [3]
    assert register.is_registered([ANNA])[0].operator == Operator(ONE, ONE, "http://o/", "http://o/")


def test_an_account_with_a_request_that_waits_is_left_alone(bring: Import, register: Register) -> None:
    register.add_accounts([Account(ANNA, ONE), Account(BO, ONE)])
    asked = {"recipient": int(ANNA), "kind": "preferences", "state": "pending", "operator": ONE}
    told = {"agreement_text": "", "requested_on": NOW.date(), "begun": NOW, "changed": NOW}
    with writing(bring.engine) as connection:
        connection.execute(insert(request), {**asked, **told})
    bring(HEAD + line(ANNA, TWO, "", "") + line(BO, TWO, "", ""), replace=True)
    assert bring.refused == [(2, "the account waits for signatures")]


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        ("", "csv", "first line"),
        ("recipient\n", "csv", "first line"),
        ("recipient,operator,name\n", "csv", "first line"),
        ("recipient,operator,operator\n", "csv", "first line"),
        (f'{HEAD}"{ANNA},{ONE}', "csv", "quotation"),
        (HEAD.encode() + b"\xe5,\n", "csv", "UTF-8"),
        (f'[{{"recipient": "{ANNA}", "operator": "{ONE}"}}', "json", "after item 1"),
        (f'[{{"recipient": "{ANNA}", "operator": "{ONE}"}},]', "json", "after item 1"),
        (f'[{{"recipient": "{ANNA}", "operator": "{ONE}"}}] x', "json", "after item 1"),
        (f'[{{"recipient": "{ANNA}", "operator": "{ONE}"}} {{}}]', "json", "after item 1"),
    ],
)
def test_files_that_cannot_be_understood(bring: Import, content: str | bytes, form: FileForm, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        bring(content, form)
    assert ANNA not in str(caught.value)
    assert bring.exported() == HEAD


@pytest.mark.parametrize("row", ["7", "null", "[]", '{"recipient": 1}', "{", f'{{"recipient": "{ANNA}", "x": ""}}'])
def test_json_rows_that_are_wrong(bring: Import, row: str) -> None:
    assert bring(f'{{"recipient": "{BO}", "operator": "{ONE}"}}\n{row}\n', "json").refused == 1
    assert [number for number, _ in bring.refused] == [2]


def test_the_audit_keeps_counts_and_no_numbers(bring: Import, engine: Engine, register: Register) -> None:
    register.add_account(Account(ANNA, ONE))
    bring(HEAD + line(ANNA, TWO, "", "") + line(BO, TWO, "", ""), replace=True)
    bring(HEAD + line("x", TWO, "", ""))
    with reading(engine) as connection:
        (kept,) = changes(connection, None, 10)
    assert kept.after is not None
    assert {**kept.after, "file_sha256": ""} == {"accounts": 2, "added": 1, "replaced": 1, "file_sha256": ""}


def history(engine: Engine, recipient: str) -> list[tuple[str, str, str, str | None]]:
    with reading(engine) as connection:
        found = read_history(connection, recipient)
    assert all(one.at == NOW and one.importer and one.importer.who == one.importer.login == "anna" for one in found)
    return [(one.step, one.operator, one.sentence, one.importer and one.importer.file_sha256) for one in found]


def test_each_account_has_its_history(bring: Import, engine: Engine, register: Register) -> None:
    register.add_operator(Operator(ONE, "Ett", "http://o/", "http://o/"))
    register.add_operator(Operator(TWO, "Två", "http://o/", "http://o/"))
    first, second = (
        HEAD + line(BO, ONE, "", "") + line(ANNA, ONE, "", ""),
        HEAD + line(ANNA, TWO, "Anonymous", "") + line(FIRM, TWO, "", ""),
    )
    bring(first, dry_run=True)
    bring(HEAD + line(ANNA, ONE, "", "") + line("x", ONE, "", ""))
    assert history(engine, ANNA) == []
    assert bring(first).stored
    assert bring(second).refused == 1
    assert bring(second, replace=True).stored
    digests = [sha256(one.encode()).hexdigest() for one in (first, second)]
    assert history(engine, ANNA) == [
        ("imported", ONE, f"Register {ANNA} at Ett, account type Secure.", digests[0]),
        ("imported anew", TWO, f"Register {ANNA} at Två, account type Anonymous.", digests[1]),
    ]
    assert history(engine, BO) == [("imported", ONE, f"Register {BO} at Ett, account type Secure.", digests[0])]
    assert history(engine, FIRM) == [("imported", TWO, f"Register {FIRM} at Två, account type Secure.", digests[1])]


@pytest.mark.parametrize("empty", [True, False])
def test_the_history_of_many_batches(bring: Import, engine: Engine, register: Register, empty: bool) -> None:
    nines = [f"{5_000_000 + each:09}" for each in range(25_000)]
    numbers = [f"16{nine}{check_digit(nine)}" for nine in nines]
    if not empty:
        register.add_account(Account(numbers[1], ONE))
        register.add_account(Account(ANNA, ONE))
    for part in (numbers[::2], numbers):
        assert bring(HEAD + "".join(line(number, ONE, "", "") for number in part), replace=True).stored
    with reading(engine) as connection:
        rows = connection.execute(select(imported_account.c.recipient, imported_account.c.replaced)).all()
    assert sorted(rows) == sorted(
        [(int(number), number == numbers[1] and not empty) for number in numbers]
        + [(int(number), True) for number in numbers[::2]]
    )


def test_the_history_is_found_by_key(tmp_path: Path) -> None:
    """Ten million accounts may have been imported: their history is never gone through."""
    engine = open_database(tmp_path / "far.sqlite3")
    migrate(engine, "far")
    statement = _imports.params(wanted=int(ANNA)).compile(engine, compile_kwargs={"literal_binds": True})
    with reading(engine) as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
    engine.dispose()
    assert "SEARCH imported_account USING PRIMARY KEY (audit=? AND recipient=?)" in plan
    assert "SCAN imported_account" not in plan


def test_an_account_is_found_in_its_key(bring: Import, engine: Engine) -> None:
    """isReachable asks for a thousand at a time: PostgreSQL reads no row beside the index, from the first call on."""
    nines = [f"{5_000_000 + each:09}" for each in range(3000)]
    assert bring(HEAD + "".join(line(f"16{nine}{check_digit(nine)}", ONE, "", "") for nine in nines)).stored
    asked = select(account).where(account.c.recipient == int(ANNA))
    statement = asked.compile(engine, compile_kwargs={"literal_binds": True})
    with reading(engine) as connection:
        if engine.dialect.name == "sqlite":
            (plan,) = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
            assert plan == "SEARCH account USING INTEGER PRIMARY KEY (rowid=?)"
            return
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = " ".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}"))
        assert "Index Only Scan using pk_account" in plan
        assert "Heap Fetches: 0" in plan
    # While a transaction is open that began before, also one of a test beside this one, a row may still be seen there.
    deadline = time.monotonic() + 60
    while not _is_all_visible(engine):
        assert time.monotonic() < deadline
        settle(engine, account)


def _is_all_visible(engine: Engine) -> bool:
    with reading(engine) as connection:
        seen = "SELECT relallvisible FROM pg_class WHERE oid = 'account'::regclass"
        return bool(connection.exec_driver_sql(seen).scalar_one() > 0)


def test_pending_accounts_stay_out_of_an_export(bring: Import, register: Register) -> None:
    register.add_account(Account(BO, ONE, pending=True))
    assert bring.exported() == HEAD


_STATES = st.tuples(
    st.sampled_from([ONE, TWO]),
    st.sampled_from(["Secure", "Anonymous"]),
    st.none() | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=2))])),
)


def _recipients() -> st.SearchStrategy[str]:
    starts = st.dates(datetime(1800, 1, 1).date(), datetime(2099, 12, 31).date()).map(lambda day: f"{day:%Y%m%d}")
    firms = st.integers(0, 999_999).map(lambda number: f"16{number:06}")
    nine = st.tuples(starts | firms, st.integers(0, 999)).map(lambda both: f"{both[0]}{both[1]:03}")
    return nine.map(lambda number: number + str(check_digit(number[2:])))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    accounts=st.dictionaries(_recipients(), _STATES, max_size=30),
    forms=st.sampled_from([("csv", "json"), ("json", "csv")]),
)
def test_what_went_in_comes_out_sorted(
    bring: Import, accounts: Mapping[str, Any], forms: tuple[FileForm, FileForm]
) -> None:
    rows = [(number, at, kind, when.isoformat() if when else "") for number, (at, kind, when) in accounts.items()]
    assert bring(_file(rows, forms[0]), forms[0], replace=True).stored, bring.refused
    found = _rows(bring.exported(forms[1]), forms[1])
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    mine = {row[0]: (row[1], row[2], row[3] and datetime.fromisoformat(row[3])) for row in found if row[0] in accounts}
    assert mine == {number: (at, kind, when or "") for number, (at, kind, when) in accounts.items()}


def _file(rows: Iterable[tuple[str, ...]], form: FileForm) -> str:
    text = io.StringIO()
    put = row_writer(text, form, ACCOUNT_COLUMNS)
    for row in rows:
        put(row)
    return text.getvalue()


def _rows(text: str, form: FileForm) -> list[list[str]]:
    if form == "csv":
        return list(csv.reader(io.StringIO(text)))[1:]
    return [[json.loads(one).get(name, "") for name in ACCOUNT_COLUMNS.names] for one in text.splitlines()]


@given(st.text("0123456789", min_size=12, max_size=12))
def test_two_look_ups_are_the_check_digit(number: str) -> None:
    high, low = luhn_tables()
    value = int(number)
    assert ((high[value // 100_000 % 100_000] + low[value % 100_000]) % 10 == 0) == valid_check_digit(number)


def test_a_long_file_takes_little_memory(bring: Import, tmp_path: Path) -> None:
    rows = 100_000

    def numbers() -> Iterable[str]:
        for each in range(rows):
            nine = f"{5_000_000 + each * 7919 % 1_000_003:09}"
            yield f"16{nine}{check_digit(nine)}"

    content = HEAD + "".join(line(number, ONE, "", "") for number in numbers())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert bring(content).added == rows
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB
    assert bring(content).refused == rows


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    with replacing(file) as text:
        text.write("old")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(UnicodeEncodeError), replacing(file) as text:
        text.write("half of it \ud800")
    assert file.read_text() == "old"
    with replacing(file) as text:
        text.write("new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(ConfigurationError, match="cannot be written"), replacing(tmp_path / "absent" / "x"):
        pass


def test_the_name_tells_the_form(tmp_path: Path) -> None:
    assert [form_of(Path(name)) for name in ("a.CSV", "a.json", "a.jsonl")] == ["csv", "json", "json"]
    assert form_of(Path("a"), "csv") == "csv"
    with pytest.raises(ConfigurationError, match="--format"):
        form_of(Path("a.xlsx"))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Source(tmp_path / "absent.csv")


def test_types_are_the_registers_own() -> None:
    from mm_soap.far.checking import _TYPES

    assert set(_TYPES.values()) == {AccountType.SECURE.value, AccountType.ANONYMOUS.value}


@given(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=2)), UTC])),
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds", "minutes"]),
    st.sampled_from("T tW"),
    st.booleans(),
)
def test_times_are_stored_as_isoformat_writes_them(at: datetime, precision: str, separator: str, zulu: bool) -> None:
    text = at.isoformat(separator, precision)
    text = text.replace("+00:00", "Z") if zulu else text
    try:
        expected = datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    except OverflowError:
        expected = None
    assert _moment(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00.000Z",
        "2026-01-01T24:00:00.000Z",
        "2026-W01-1T00:00:00Z",
        "2026-W01-1T00:00:00.000Z",
        "20260101T000000Z",
        "2026-01-01T00:00:00,000Z",
        "2026-01-01T00:00:00.00",
        "2026-01-01T000000.12345Z",
    ],
)
def test_odd_times_are_refused_or_stored_in_the_usual_form(text: str) -> None:
    stored = _moment(text)
    assert stored is None or datetime.strptime(stored, "%Y-%m-%d %H:%M:%S.%f").isoformat(" ", "microseconds") == stored


@pytest.mark.parametrize("there", [ANNA, BO, FIRM])
def test_an_account_between_those_of_a_file_is_in_nobodys_way(register: Register, bring: Import, there: str) -> None:
    register.add_account(Account(there, ONE))
    others = [one for one in (ANNA, BO, FIRM) if one != there]
    assert bring(HEAD + "".join(line(one, TWO, "", "") for one in others)).added == 2
    assert bring(HEAD + "".join(line(one, TWO, "", "") for one in (ANNA, BO, FIRM))).refused == 3
