"""The hot path: isReachable for up to a thousand ids, written close to the bytes.

Dispatchers ask this for every recipient of every message, so it is the one call whose cost decides how large a register
one machine can serve. The plain way (`Register.is_reachable` and `wire.reachable_answer`, then the shell's parse and
validation of what they wrote) costs some 20 µs a row, nearly all of it for making objects out of rows, text out of the
objects, and a tree out of the text. What a row says beyond its id and its times is one of a few hundred possibilities.
So here the bytes around the id and the times, a form, are made once for each possibility, and checked once.

**The answer.** Why it equals that of the plain way: a form is what `wire.reachable_answer` writes for a sample row, cut
where the sample's own id and times stand. A sample that does not come apart into exactly these pieces has no form.

Why an answer that breaks the schema is never sent: before a form is used, the shell's own parser and schema accept the
plain answer of which it was cut. The content model of ``isReachableResponse`` is any number of ``return``; the schema
has neither keys nor ids nor open content in it, so an answer is valid when each of its rows is. A row differs from the
sample of its form in three simple values alone. The id comes out of the request, where it was found valid for the same
type ``RecipientId``, and consists of the digits 0 to 9, which need no escape. A time is what ``datetime.isoformat``
writes, in UTC: always a valid ``xs:dateTime``. An operator that is changed has another form, which is checked anew.

**The request.** A thousand equal elements after one another cost a thousand times what one costs to parse and to
validate. `shorten` takes out all but the first, and the shell parses and validates what is left, its whole envelope.
Why that is the same: in what is left the name ``recipientId`` stands twice, in a start tag without attributes and in an
end tag, around twelve digits. The parser then finds exactly one child of that name, with those digits. A name cannot be
written in another way, since there is no DTD, so that child is made of just these tags: they are not in a comment, a
CDATA section or an attribute. At the end of it the parser is where it was before it, so what was taken out, more of the
same tags around other digits with white space between, can only be more children of the same name. Each of their texts
matches the part of ``RecipientId`` that is written in ASCII, there are at most as many as the schema allows, and the
order of the children is the schema's. If anything is not so, or what is left is refused, the shell takes the whole
request, as if this module were not there: every refusal comes from there.

Whatever does not fit goes the plain way: digits of other scripts, an operator that breaks the schema, too many ids.
``tests/unit/recipient/test_hot.py`` holds that both ways give the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Any, Final

import sqlalchemy as sql
from lxml import etree
from sqlalchemy import Connection, Dialect

from mm_soap.contract import validate
from mm_soap.errors import Refused
from mm_soap.far import Register, store
from mm_soap.far.model import MOST_IDS, AccountStatus, AccountType, Operator, Reachability
from mm_soap.recipient import wire
from mm_soap.soap.model import ProvenAnswer, Shortened
from mm_soap.storage import among, id_list, reading
from mm_soap.xml import RECIPIENT_V3, parse_untrusted, qname

_ANSWER: Final = qname(RECIPIENT_V3, "isReachableResponse")
_NOT: Final = AccountType.NOT.value
_MOST_FORMS: Final = 4096
"""What is kept for operators that were changed or are gone is thrown away now and then."""

_REQUEST: Final = qname(RECIPIENT_V3, "isReachable")
_REQUEST_SAMPLE: Final = qname(RECIPIENT_V3, "recipientId")
_NAME: Final = b"recipientId"
_SPACE: Final = b" \t\r\n"
_ID_LENGTH: Final = 12
_REQUEST_ID: Final = qname(RECIPIENT_V3, "recipientId")
_ID_START: Final = re.compile(rb"<(?:[A-Za-z_][A-Za-z0-9_.-]*:)?recipientId>")
_IDS: Final = re.compile(r"(?:16[0-9]{10}|(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{6})*")
"""Any number of ids. It is what of the contract's ``RecipientId`` is written in the digits 0 to 9."""

_ZONE: Final = "+00:00"
_SAMPLE: Final = "189001619809"
_REGISTERED: Final = datetime(1800, 1, 2, 3, 4, 5, 678901, UTC)
_CHANGED: Final = datetime(1801, 2, 3, 4, 5, 6, 789012, UTC)

_LINE: Final = "\x1e"
_FIELD: Final = "\x1f"
"""What separates accounts, and what their fields, in the text that the database makes: no XML can hold these."""


_Form = tuple[bytes, ...]
"""What stands before, between and after the values of a row: its id, then the times that it has."""

_Row = tuple[bytes, ...]
"""A form with its values."""

_Kind = tuple[Operator | None, str, bool, bool, bool, bool]
"""What a form is made for: operator, type, whether pending, whether the sender is accepted, which times there are."""


def shorten(raw: bytes) -> Shortened | None:
    """Return a request for isReachable with its first id alone, and all ids; None for what is written another way."""
    name = raw.find(_NAME)
    start = raw.rfind(b"<", 0, name + 1)
    opening = raw[start : name + len(_NAME) + 1]
    if name < 0 or start < 0 or not _ID_START.fullmatch(opening):
        return None
    closing = b"</" + opening[1:]
    first, end = start + len(opening), raw.rfind(closing)
    after = raw.find(b"<", raw.find(closing, first) + len(closing))
    between = raw[first + _ID_LENGTH + len(closing) : after]
    if end < 0 or after < 0 or between.strip(_SPACE):
        return None
    ids = raw[first:end].decode("latin-1").split((closing + between + opening).decode())
    if not 1 < len(ids) <= MOST_IDS or {len(one) for one in ids} != {_ID_LENGTH}:
        return None
    content = raw[: first + _ID_LENGTH] + raw[end:]
    if not _IDS.fullmatch("".join(ids)) or content.count(_NAME) != 2:
        return None
    return Shortened(content, _REQUEST, ids, _stands_alone)


def _stands_alone(payload: etree._Element, ids: Sequence[str]) -> bool:
    """Tell whether a request holds the first of these ids and no other, with nothing in it but text."""
    found = payload.findall(_REQUEST_ID)
    return len(found) == 1 and len(found[0]) == 0 and found[0].text == ids[0]


class HotReach:
    """Answers isReachable as the plain way does, where it can.

    Args:
        register: the plain way, and where its database is.
    """

    def __init__(self, register: Register) -> None:
        self._register = register
        # Two threads may both fill these in, with the same.
        self._statement: _Statement | None = None
        self._forms: dict[_Kind, _Form | None] = {}

    def answer(self, sender: str, recipients: Sequence[str]) -> ProvenAnswer | None:
        """Return the answer, or None where the plain way must be gone.

        Args:
            sender: for whom is asked.
            recipients: ids out of a request that follows the schema, in its order.

        Raises:
            Refused: ``UNAVAILABLE`` when the database is away or busy.
        """
        if len(recipients) > MOST_IDS or not _IDS.fullmatch("".join(recipients)):
            return None
        with reading(self._register.engine) as connection:
            if self._statement is None:
                self._statement = _compiled(connection.dialect)
            found = _found(connection, self._statement, sender, recipients)
            operators = store.all_operators(connection) if found else {}
            connected = bool(found) and store.is_sender(connection, sender)
        rows = self._rows(found, operators, connected)
        nobody = self._form((None, _NOT, False, False, False, False))
        if rows is None or nobody is None:
            return None
        before, after = nobody
        head, tail = _frame()
        parts = [head]
        for recipient in recipients:
            parts += rows.get(recipient) or (before, recipient.encode(), after)
        parts.append(tail)
        return ProvenAnswer(_ANSWER, b"".join(parts))

    def _rows(self, found: str, operators: Mapping[str, Operator], connected: bool) -> Mapping[str, _Row] | None:
        """Return the row of each account by its id; None where one cannot be written here."""
        forms: dict[tuple[bool, bool, str], _Form | None] = {}
        rows: dict[str, _Row] = {}
        for line in found.split(_LINE) if found else ():
            # Most rows differ from another one of the same call in their id and their times alone.
            recipient, registered, changed, other = line.split(_FIELD, 3)
            key = bool(registered), bool(changed), other
            form = forms.get(key)
            if form is None:
                form = forms[key] = self._form(_kind_of(key, operators, connected))
                if form is None:
                    return None
            if registered and not changed:
                rows[recipient] = form[0], recipient.encode(), form[1], _moment(registered), form[2]
            else:
                times = [_moment(time) for time in (registered, changed) if time]
                rows[recipient] = (
                    *chain.from_iterable(zip(form, (recipient.encode(), *times), strict=False)),
                    form[-1],
                )
        return rows

    def _form(self, kind: _Kind) -> _Form | None:
        try:
            return self._forms[kind]
        except KeyError:
            if len(self._forms) >= _MOST_FORMS:
                self._forms.clear()
            form = self._forms[kind] = _proven_form(kind)
            return form


def _kind_of(key: tuple[bool, bool, str], operators: Mapping[str, Operator], connected: bool) -> _Kind:
    registered, changed, other = key
    choice, pending, account_type, operator = other.split(_FIELD, 3)
    accepted = connected and choice != "0"
    return operators[operator], account_type, pending == "1", accepted, registered, changed


def _moment(stored: str) -> bytes:
    """Return a time as `datetime.isoformat` writes it in UTC, without the zone."""
    at = datetime.fromisoformat(stored)
    # isoformat takes ten times as long as all the rest. It leaves out a fraction that is zero.
    usual = len(stored) == 26 and stored[4:20:3] == "-- ::." and at.tzinfo is None
    if usual and not stored.endswith(".000000"):
        return stored.replace(" ", "T", 1).encode()
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat().removesuffix(_ZONE).encode()


def _proven_form(kind: _Kind) -> _Form | None:
    """Return the form of a kind of row, or None where a row of it breaks the schema or does not come apart."""
    operator, account_type, pending, accepted, has_registered, has_changed = kind
    registered, changed = _REGISTERED if has_registered else None, _CHANGED if has_changed else None
    status = AccountStatus(_SAMPLE, account_type, pending, operator, registered)
    sample = wire.reachable_answer([Reachability(status, accepted, changed)])
    try:
        root = parse_untrusted(sample)
        validate(root)
    except Refused:
        return None
    head, tail = _frame()
    rest = sample[len(head) : len(sample) - len(tail)]
    if root.tag != _ANSWER or len(root) != 1 or head + rest + tail != sample:
        return None
    form = []
    times = [moment.isoformat().removesuffix(_ZONE) for moment in (registered, changed) if moment is not None]
    for value in (_SAMPLE, *times):
        if rest.count(value.encode()) != 1:
            return None
        before, _, rest = rest.partition(value.encode())
        form.append(before)
    return (*form, rest)


@cache
def _frame() -> tuple[bytes, bytes]:
    """Return what stands before the rows of an answer, and after them."""
    nothing = wire.reachable_answer([])
    end = nothing.rindex(b"</")
    return nothing[:end], nothing[end:]


_Statement = tuple[str, "Sequence[str] | None"]
"""The text of a statement, and the names of its parameters in their order; None where the driver takes names."""


def _found(connection: Connection, statement: _Statement, sender: str, recipients: Sequence[str]) -> str:
    """Return the accounts of those recipients that have one, and what each chose about the sender, as one text."""
    text, places = statement
    if connection.dialect.name == "sqlite":
        # Texts of one length have the order of their numbers.
        values: dict[str, Any] = {"sender": sender, "ids": f"[{','.join(sorted(set(recipients)))}]"}
    else:
        values = {"sender": sender, "ids": id_list(map(int, recipients), connection.dialect.name)}
    parameters = values if places is None else tuple(values[place] for place in places)
    found: str | None = connection.exec_driver_sql(text, parameters).scalar_one()
    return found or ""


def _compiled(dialect: Dialect) -> _Statement:
    """Return the statement of `_found`: one row of the database for all accounts.

    The driver would take longer to make a row of each account than the database to find it; and sqlite3 lets another
    thread run before each row, which with four calls at once is most of the time.
    """
    account, choice = store.account.c, store.sender_choice.c
    if dialect.name == "sqlite":
        times: list[sql.ColumnElement[Any]] = [account.last_registration, choice.changed]
        join, write = sql.func.group_concat, sql.func.printf
    else:
        times = [
            sql.func.to_char(
                sql.func.timezone(sql.literal_column("'UTC'"), time), sql.literal_column("'YYYY-MM-DD HH24:MI:SS.US'")
            )
            for time in (account.last_registration, choice.changed)
        ]
        join, write = sql.func.string_agg, sql.func.format
    flags = (sql.cast(flag, sql.Integer) for flag in (choice.accepted, account.pending))
    fields = (account.recipient, *times, *flags, account.account_type, account.operator)
    line = write(sql.literal_column(f"'{_FIELD.join(['%s'] * len(fields))}'"), *fields)
    chosen = sql.and_(choice.recipient == account.recipient, choice.sender == sql.bindparam("sender", type_=sql.String))
    statement = (
        sql.select(join(line, sql.literal_column(f"'{_LINE}'")))
        .select_from(store.account.outerjoin(store.sender_choice, chosen))
        .where(among(account.recipient, "ids", dialect.name))
    )
    compiled = statement.compile(dialect=dialect)
    return str(compiled), getattr(compiled, "positiontup", None)
