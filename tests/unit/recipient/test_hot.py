"""The hot path of isReachable says byte for byte what the plain way says, of any register and any request."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import Engine, delete, insert

from mm_soap.clock import system_clock
from mm_soap.contract import ports, validate
from mm_soap.errors import Refused
from mm_soap.far import Account, Operator, Register, Sender, store
from mm_soap.far.accounts import Accounts, Signing
from mm_soap.far.audit import Change
from mm_soap.far.bulk import ImportRules, import_accounts
from mm_soap.far.callers import Callers
from mm_soap.far.rights import cancel_consents_of
from mm_soap.recipient import PRECHECKS, hot, recipient_handlers, wire
from mm_soap.recipient.hot_query import Found
from mm_soap.soap import Wsgi, soap_application
from mm_soap.storage import migrate, writing
from mm_soap.testing.databases import fresh_database
from mm_soap.testing.registers import FakeCompanies, FakePersons
from mm_soap.user_signatures import UserSignatureVerifier
from mm_soap.xml import RECIPIENT_V3, SOAP_ENVELOPE

POSTGRESQL = os.environ.get("MM_SOAP_TEST_POSTGRESQL")
KOMMUN_A, KOMMUN_B, STRANGER = "162021004748", "162021003898", "165560360793"
IDS = [f"18900161{n:04}" for n in range(6)] + ["165560000001", "192705178354", "201212991234"]
OPERATORS = [
    Operator("165560000019", "Brevlådan", "http://o/Service/v3", "http://i/Service/v3"),
    Operator(
        "165560000027", "<Å> & \"co\" %s %% '邮' {0}", "http://p?a=1&b=2", "http://p", "http://p/ui", "http://p/l"
    ),
    Operator("165560000035", "]]>", "", "http://q", "http://q/ui"),
    Operator("165560000043", "x" * 256, "http://r", "http://r", None, "http://r/logo?<>"),
]

moments = st.one_of(
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(timezone(timedelta(hours=2)))),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
)
choices = st.tuples(st.booleans(), st.none() | moments)
accounts = st.dictionaries(
    st.sampled_from(IDS),
    st.tuples(
        st.sampled_from(["Secure", "Anonymous"]),
        st.booleans(),
        st.sampled_from([one.number for one in OPERATORS]),
        st.none() | moments,
        st.dictionaries(st.sampled_from([KOMMUN_A, KOMMUN_B]), choices),
    ),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"] if POSTGRESQL else ["sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A register with operators and senders and no account yet, in a database of each kind."""
    url = POSTGRESQL if request.param == "postgresql" else None
    with fresh_database(tmp_path_factory.mktemp("hot"), url) as fresh:
        migrate(fresh, "far")
        register = Register(fresh)
        for operator in OPERATORS:
            register.add_operator(operator)
        for number in (KOMMUN_A, KOMMUN_B):
            register.add_sender(Sender(number, "Kommun"))
        yield fresh


def application(engine: Engine, shorten: Callable[[bytes], Any] | None) -> Wsgi:
    callers = Callers(engine, unknown_allowed=True)
    verifier = UserSignatureVerifier((), system_clock)
    signing = Signing(verifier, FakeCompanies(), FakePersons(), system_clock, check_digits=True)
    accounts = Accounts(engine, signing, callers, system_clock, closing=cancel_consents_of)
    handlers = recipient_handlers(Register(engine), accounts, callers)
    return soap_application(
        ports()["recipient"], handlers, published=b"", body_limit=10**6, prechecks=PRECHECKS, shorten=shorten
    )


def answered(application: Wsgi, raw: bytes) -> tuple[str, bytes]:
    """Call, and return the status and the answer without its call id."""
    told: list[str] = []
    environ = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "text/xml", "CONTENT_LENGTH": str(len(raw))}
    body = b"".join(application({**environ, "wsgi.input": io.BytesIO(raw)}, lambda status, _: told.append(status)))
    return told[0], re.sub(rb"<c:CallId>[^<]*<", b"<c:CallId><", body)


def request(ids: list[str], sender: str = KOMMUN_A, prefix: str = "", between: str = "", operation: str = "") -> bytes:
    name = f"{prefix}:" if prefix else ""
    rows = between.join(f"<{name}recipientId>{one}</{name}recipientId>" for one in ids)
    operation = operation or "isReachable"
    sender_element = f"<{name}senderOrgNr>{sender}</{name}senderOrgNr>{between}" if operation == "isReachable" else ""
    return (
        f'<e:Envelope xmlns:e="{SOAP_ENVELOPE}"><e:Body><{name}{operation} '
        f'xmlns{":" if prefix else ""}{prefix}="{RECIPIENT_V3}">{sender_element}'
        f"{rows}</{name}{operation}></e:Body></e:Envelope>"
    ).encode()


def fill(engine: Engine, rows: dict[str, Any]) -> None:
    with writing(engine) as connection:
        connection.execute(delete(store.sender_choice))
        connection.execute(delete(store.account))
        for recipient, (kind, pending, operator, registered, chosen) in rows.items():
            row = {"recipient": int(recipient), "account_type": kind, "pending": pending, "operator": operator}
            connection.execute(insert(store.account), {**row, "last_registration": registered})
            for sender, (accepted, changed) in chosen.items():
                key = {"recipient": int(recipient), "sender": sender}
                connection.execute(insert(store.sender_choice), {**key, "accepted": accepted, "changed": changed})


@settings(max_examples=150)
@given(
    rows=accounts,
    asked=st.lists(st.sampled_from([*IDS, "191212121212"]), min_size=1, max_size=12),
    sender=st.sampled_from([KOMMUN_A, KOMMUN_B, STRANGER]),
)
def test_both_ways_give_the_same_bytes(engine: Engine, rows: dict[str, Any], asked: list[str], sender: str) -> None:
    fill(engine, rows)
    quick = hot.HotReach(Register(engine)).answer(sender, asked)
    assert quick is not None
    content = b"".join(quick.parts)
    assert content == wire.reachable_answer(Register(engine).is_reachable(sender, asked))
    validate(etree.fromstring(content))


FULL = {
    one: (
        "Secure",
        False,
        OPERATORS[n % 4].number,
        datetime(2026, 1, n + 1, 3, 4, 5, n * 10 ** (n % 6), UTC),
        {KOMMUN_B: (False, None)},
    )
    for n, one in enumerate(IDS[:-2])
}
SNIPPETS = [
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "recipientId",
    "<v:recipientId>",
    "</v:recipientId>",
    "<v:recipientId>189001610001</v:recipientId>",
    "<v:recipientId><v:recipientId>",
    "<recipientId>189001610001</recipientId>",
    ' a="',
    '"',
    " ",
    "\n",
    "x",
    "&#49;",
    "&amp;",
    "<?x recipientId?>",
    "<v:senderOrgNr>162021004748</v:senderOrgNr>",
    "<v:isReachable>",
    "</v:isReachable>",
    '<x xmlns:v="urn:x">',
    "</x>",
    "\uff19",
]


@settings(max_examples=400)
@given(
    ids=st.lists(st.sampled_from([*IDS, "191212121212", "299901010000", "18900161000"]), max_size=6),
    between=st.sampled_from(["", "\n  ", "<!-- -->", "x"]),
    operation=st.sampled_from(["isReachable", "isReachable", "isReachable", "isRegistered"]),
    splices=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(SNIPPETS)), max_size=3),
    cut=st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 0, 1, 12, 43])),
)
def test_a_shortened_request_is_answered_as_the_whole(
    engine: Engine, ids: list[str], between: str, operation: str, splices: list[tuple[float, str]], cut: Any
) -> None:
    fill(engine, FULL)
    text = request(ids, prefix="v", between=between, operation=operation).decode()
    for where, snippet in splices:
        place = int(where * len(text))
        text = text[:place] + snippet + text[place:]
    place = int(cut[0] * len(text))
    raw = (text[:place] + text[place + cut[1] :]).encode()
    assert answered(application(engine, hot.shorten), raw) == answered(application(engine, None), raw)


@pytest.mark.parametrize("prefix", ["", "v"])
@pytest.mark.parametrize("between", ["", "\n\t "])
def test_usual_requests_are_shortened(engine: Engine, prefix: str, between: str) -> None:
    fill(engine, FULL)
    thousand = (IDS * 112)[:1000]
    shortened = hot.shorten(request(thousand, prefix=prefix, between=between))
    assert shortened is not None
    assert shortened.values == thousand
    assert len(shortened.content) < 600
    raw = request(thousand, prefix=prefix, between=between)
    status, body = answered(application(engine, hot.shorten), raw)
    assert (status, body.count(b"<return>")) == ("200 OK", 1000)
    assert hot.shorten(request([*thousand, IDS[0]], prefix=prefix)) is None


def hidden(head: str, tail: str) -> bytes:
    """Return a request in which all ids but the first stand where no element can stand."""
    one, row = f"<recipientId>{IDS[0]}</recipientId>", f"<recipientId>{IDS[1]}</recipientId>"
    return request([]).replace(b"</isReachable>", f"{one}{head}{row * 3}{tail}</isReachable>".encode())


@pytest.mark.parametrize(("head", "tail"), [("<!--", "-->"), ("<?x ", "?>"), ("<![CDATA[", "]]>")])
def test_what_is_no_element_is_not_asked_about(engine: Engine, head: str, tail: str) -> None:
    fill(engine, FULL)
    raw = hidden(head, tail)
    assert answered(application(engine, hot.shorten), raw) == answered(application(engine, None), raw)
    # Also where no id stands before.
    raw = raw.replace(f"<recipientId>{IDS[0]}</recipientId>".encode(), b"", 1)
    assert answered(application(engine, hot.shorten), raw) == answered(application(engine, None), raw)


ONE, TWO = (f"<recipientId>{one}</recipientId>" for one in IDS[:2])


@pytest.mark.parametrize(
    "rows",
    [
        f"{ONE}x{TWO}",
        f"{ONE}&#32;{TWO}",
        f"{ONE}<!-- -->{TWO}",
        f"{ONE}<![CDATA[]]>{TWO}",
        # The first id that stands there as an element is the first one in the comment, too.
        f"<!--{ONE}{TWO}--><v:recipientId xmlns:v='{RECIPIENT_V3}'>{IDS[0]}</v:recipientId>",
        f"<v:recipientId xmlns:v='{RECIPIENT_V3}'>{IDS[0]}</v:recipientId><!--{ONE}{TWO}-->",
        f"<!--{ONE}{TWO}--><recipientId >{IDS[0]}</recipientId>",
        f"{ONE}{TWO}<recipientId>{IDS[2]}</recipientId >",
        f"{ONE}{TWO}<recipientId/>",
        f"{ONE}{TWO}<recipientId xmlns='urn:x'>{IDS[0]}</recipientId>",
        f"<w:recipientId>{IDS[0]}</w:recipientId><w:recipientId>{IDS[1]}</w:recipientId>",
    ],
)
def test_rows_in_odd_forms_are_answered_as_without_the_hot_path(engine: Engine, rows: str) -> None:
    fill(engine, FULL)
    raw = request([]).replace(b"</isReachable>", f"{rows}</isReachable>".encode())
    assert answered(application(engine, hot.shorten), raw) == answered(application(engine, None), raw)


def test_an_operator_that_breaks_the_schema_is_never_sent(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    fill(engine, FULL)
    wrong = Operator("not a number", "Fel", "http://o", "http://o")
    register = Register(engine)
    register.add_operator(wrong)
    register.add_account(Account(IDS[-1], wrong.number))
    assert hot.HotReach(Register(engine)).answer(KOMMUN_A, [IDS[-1]]) is None
    status, body = answered(application(engine, hot.shorten), request([IDS[0], IDS[-1]]))
    assert status.startswith("500")
    assert b">4000<" in body
    assert "answer not sent" in caplog.text


def test_choices_outlive_what_writes_the_account_anew(engine: Engine) -> None:
    fill(engine, {})
    register = Register(engine)
    register.add_account(Account(IDS[0], OPERATORS[0].number))
    register.deselect(IDS[0], KOMMUN_A)
    register.add_account(Account(IDS[0], OPERATORS[1].number))
    row = (2, [IDS[0], OPERATORS[0].number, "", ""], "")
    change = partial(Change, system_clock(), "anna", "anna", "accounts imported", None, None)
    done = import_accounts(engine, [row], ImportRules(check_digits=False, replace=True), change, lambda *_: None)
    assert done.replaced == 1
    for wanted, sender in ((b"false", KOMMUN_A), (b"true", KOMMUN_B)):
        answer = hot.HotReach(register).answer(sender, [IDS[0]])
        assert answer is not None
        assert b"<r:SenderAccepted>" + wanted in b"".join(answer.parts)


def test_a_row_that_is_not_as_expected_goes_the_plain_way(engine: Engine) -> None:
    """What the database gives is taken apart by commas: nothing may slip from one id to the next."""
    fill(engine, FULL)
    register = Register(engine)
    for number in ("165560,00019", "165560|00019", "", "1|Secure|0|1"):
        register.add_operator(Operator(number, "Odd", "http://o", "http://o"))
        register.add_account(Account(IDS[-1], number))
        assert hot.HotReach(register).answer(KOMMUN_A, [IDS[-1], IDS[0]]) is None
        with writing(engine) as connection:
            connection.execute(delete(store.account).where(store.account.c.recipient == int(IDS[-1])))
            connection.execute(delete(store.operator).where(store.operator.c.number == number))


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ("", [b""]),
        (",2026-01-02 03:04:05.000000,,", [b"", b"2026-01-02T03:04:05", b"", b""]),
        ("2026-01-02 03:04:05.000001", [b"2026-01-02T03:04:05.000001"]),
        ("2026-02-30 03:04:05.000001", []),
        ("2026-01-02 03:04:05.1+0100", []),
        ("2026-01-02 03:04:05", [b"2026-01-02T03:04:05"]),
        ("2026-01-02 03:04:05.", []),
        ("2026-01-02 03:04:05.6", [b"2026-01-02T03:04:05.600000"]),
        (
            "2026-01-02 03:04:05.67,,2026-01-02 03:04:05.00001,2026-01-02 03:04:05,2026-01-02 03:04:05.000000",
            [b"2026-01-02T03:04:05.670000", b"", b"2026-01-02T03:04:05.000010", *[b"2026-01-02T03:04:05"] * 2],
        ),
        ("2026-01-02 03:04", []),
        ("0044-03-15 12:00:00 BC", []),
        ("infinity", []),
        ("02.01.2026 03:04:05.67", []),
        ("2026-01-02T03:04:05.000001", []),
        ("20260102 030405.000001+0100", []),
        ("0000-01-02 03:04:05.000001", []),
    ],
)
def test_only_times_of_the_usual_form_are_written(times: str, found: list[bytes]) -> None:
    assert hot._moments(times) == found


@pytest.mark.parametrize(
    ("ids", "held"),
    [
        ("16,17,18", ([b"", b"", b"", b""], ["c", "a", "b", "c"])),
        ("18,16,17", ([b"", b"", b"", b""], ["a", "b", "c", "a"])),  # in another order
        ("19,17,18", None),  # one that nobody asked for
        ("16,18,18", None),
        ("16,17,18,", None),
        ("16,17", None),
        ("", None),
    ],
)
def test_what_is_found_is_held_to_what_was_asked(ids: str, held: tuple[list[bytes], list[str]] | None) -> None:
    found = Found(ids, ",,", "a,b,c", "[]", True)
    assert hot._held(found, ["18", "16", "17", "18"], ["16", "17", "18"]) == held


def test_ids_that_the_database_leaves_out_have_no_account() -> None:
    found = Found("17", "2026-01-02 03:04:05", "a", "[]", True)
    assert hot._held(found, ["18", "17"], ["17", "18"]) == ([b"", b"2026-01-02T03:04:05"], ["", "a"])
    assert hot._held(Found("", "", "", "[]", True), ["18"], ["18"]) == ([b""], [""])


def test_what_few_rows_have_in_common_is_not_kept() -> None:
    """There are as many keys with a time in them as there are choices, and a register serves for months."""
    rows = hot._Rows('[["165560000001", "Ett", "http://o", "http://o", null, null]]', True)
    plain, chosen = "165560000001", "165560000001|Secure|0|1|0|2026-01-02 03:04:05.00000"
    around = rows.around([plain, *(f"{chosen}{n}" for n in range(5)), plain, ""])
    assert around is not None
    assert len(set(around)) == 7
    assert set(rows._alike) == {plain, ""}


def test_an_operator_that_changes_is_answered_as_it_is_now(engine: Engine) -> None:
    fill(engine, FULL)
    quick, register = hot.HotReach(Register(engine)), Register(engine)
    for name in ("Ett", "Två", "Brevlådan"):
        register.add_operator(Operator(OPERATORS[0].number, name, "http://o/Service/v3", "http://i/Service/v3"))
        answer = quick.answer(KOMMUN_A, [IDS[0]])
        assert answer is not None
        assert f"<r:Name>{name}</r:Name>".encode() in b"".join(answer.parts)


@pytest.mark.parametrize("text", [hot._SAMPLE, hot._REGISTERED.isoformat()])
def test_an_operator_that_looks_like_a_sample_goes_the_plain_way(engine: Engine, text: str) -> None:
    fill(engine, {})
    register = Register(engine)
    register.add_operator(Operator("165560000050", f"Namn {text}", "http://o", "http://o"))
    register.add_account(Account(IDS[0], "165560000050", last_registration=datetime(2026, 1, 1, tzinfo=UTC)))
    assert hot.HotReach(Register(engine)).answer(KOMMUN_A, [IDS[0]]) is None
    assert answered(application(engine, hot.shorten), request(IDS))[0] == "200 OK"


def test_digits_of_other_scripts_and_too_many_ids_go_the_plain_way(engine: Engine) -> None:
    quick = hot.HotReach(Register(engine))
    assert quick.answer(KOMMUN_A, ["\uff11\uff165560000001"]) is None
    assert quick.answer(KOMMUN_A, ["165560000001"] * 1001) is None


@settings(max_examples=300)
@given(
    st.from_regex(r"(1[5-9]|2[01])[0-9]{2}(0[0-9]|1[0-3])[0-9]{6}", fullmatch=True)
    | st.from_regex(r"[0-9]{11,13}", fullmatch=True)
)
def test_the_ids_taken_out_are_those_that_the_schema_takes(one: str) -> None:
    try:
        validate(etree.fromstring(request([one]))[0][0])
        valid = True
    except Refused:
        valid = False
    assert (hot.shorten(request([one, one])) is not None) == valid
