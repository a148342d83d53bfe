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

**The database.** What `mm_soap.recipient.hot_query` asks gives all ids in one text, and what belongs to them in others.
No account can come to stand at another's id: the ids come back in the order of the rest, and unless they are some of
those that were asked, each once, and every text has as many parts, the plain way is gone. What is left out has no
account, which is what the plain way takes for it too.

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

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain, count, repeat
from typing import Final, cast

from lxml import etree

from mm_soap.contract import validate
from mm_soap.errors import Refused
from mm_soap.far import Register
from mm_soap.far.model import MOST_IDS, AccountStatus, AccountType, Operator, Reachability
from mm_soap.recipient import hot_query, wire
from mm_soap.recipient.hot_query import FIELD, Found
from mm_soap.soap.model import ProvenAnswer, Shortened
from mm_soap.storage import reading
from mm_soap.xml import RECIPIENT_V3, parse_untrusted, qname

_ANSWER: Final = qname(RECIPIENT_V3, "isReachableResponse")
_MOST_SETS: Final = 8
"""Forms for operators that were changed or are gone are thrown away now and then."""

_REQUEST: Final = qname(RECIPIENT_V3, "isReachable")
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

_WHOLE_LENGTHS: Final = frozenset({0, 19, 26})
"""Of nothing, of a time without a fraction, and of one with all six digits of it."""
_TIME_LENGTHS: Final = _WHOLE_LENGTHS | frozenset(range(21, 26))
_TIME_SIGNS: Final = frozenset({b"", b"-- ::", b"-- ::."})

_Form = tuple[bytes, bytes, bytes, bytes]
"""What stands before the id of a row, before its two times, and at the end; empty where it has not that time."""

_Around = tuple[bytes, bytes, bytes]
"""A form with the second time in it: what stands before the id, before the first time, and at the end."""

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
        self._statement: hot_query.Statement | None = None
        self._rows: dict[tuple[str, bool], _Rows] = {}

    def answer(self, sender: str, recipients: Sequence[str]) -> ProvenAnswer | None:
        """Return the answer, or None where the plain way must be gone.

        Args:
            sender: for whom is asked.
            recipients: ids out of a request that follows the schema, in its order.

        Raises:
            Refused: ``UNAVAILABLE`` when the database is away or busy.
        """
        asked = ",".join(recipients)
        if not 0 < len(recipients) <= MOST_IDS or not asked.isascii():
            return None
        ordered = sorted(set(recipients))
        with reading(self._register.engine, once=True) as connection:
            if self._statement is None:
                self._statement = hot_query.compiled(connection.dialect)
            found = hot_query.find(connection, self._statement, sender, ",".join(ordered))
        held = _held(found, recipients, ordered)
        around = held and self._rows_for(found.all_operators, found.connected).around(held[1])
        if held is None or around is None:
            return None
        # All first parts of the rows, all second ones: a loop over the rows in Python takes twice as long.
        before, between, after = zip(*around, strict=True)
        head, tail = _frame()
        rows = zip(before, asked.encode().split(b","), between, held[0], after, strict=True)
        return ProvenAnswer(_ANSWER, [head, *chain.from_iterable(rows), tail])

    def _rows_for(self, operators: str, connected: bool) -> _Rows:
        rows = self._rows.get((operators, connected))
        if rows is None:
            if len(self._rows) >= _MOST_SETS:
                self._rows.clear()
            rows = self._rows[operators, connected] = _Rows(operators, connected)
        return rows


class _Rows:
    """What stands around the id and the first time of a row, by its key.

    Args:
        operators: all of them, as the database gives them.
        connected: whether the sender is.
    """

    def __init__(self, operators: str, connected: bool) -> None:
        self._operators = {each[0]: Operator(*each) for each in json.loads(operators)}
        # With an odd number of an operator, one key could be taken for another.
        self._clear = all(number and FIELD not in number for number in self._operators)
        self._connected = connected
        self._forms: dict[tuple[str, bool], _Form | None] = {}
        self._alike: dict[str, _Around | None] = {}

    def around(self, keys: Sequence[str]) -> list[_Around] | None:
        """Return what stands around the id and the first time of rows with these keys.

        Returns:
            None if a key is not as expected.
        """
        around = list(map(self._alike.get, keys))
        late = [place for place, one in enumerate(around) if one is None]
        fields = [keys[place].rpartition(FIELD) if FIELD in keys[place] else (keys[place], "", "") for place in late]
        changes = _moments(",".join([changed for _, _, changed in fields]))
        # There are no changes if one of them is not a time: then what stands around stays None.
        for place, (rest, _, _), changed in zip(late, fields, changes, strict=False):
            around[place] = self._one(rest, changed)
            if not changed:  # a time is in few rows, and they have it in common with few
                self._alike[keys[place]] = around[place]
        return None if None in around else cast("list[_Around]", around)

    def _one(self, key: str, changed: bytes) -> _Around | None:
        of_form = key, bool(changed)
        if of_form not in self._forms:
            self._forms[of_form] = self._form(*of_form)
        form = self._forms[of_form]
        return form and (form[0], form[1], form[2] + changed + form[3])

    def _form(self, key: str, has_changed: bool) -> _Form | None:
        """Return the form for a key, given without its last field."""
        if not self._clear:
            return None
        if not key:
            return _proven_form((None, AccountType.NOT, False, False, False, False))
        number, *rest = key.split(FIELD)
        account_type, pending, registered, choice = rest or (AccountType.SECURE, "0", "1", "")
        operator, accepted = self._operators.get(number), self._connected and choice != "0"
        kind = operator, account_type, pending == "1", accepted, registered == "1", has_changed
        return None if operator is None else _proven_form(kind)


def _held(found: Found, asked: Sequence[str], ordered: Sequence[str]) -> tuple[list[bytes], list[str]] | None:
    """Return the times and the keys of the ids that were asked, in this order; None if what was found does not fit."""
    moments, keys = _moments(found.times), found.keys.split(",")
    all_found = found.ids == ",".join(ordered)
    ids = ordered if all_found else found.ids.split(",")
    places = dict(zip(ids, count(), strict=False))
    if not len(places) == len(ids) == len(moments) == len(keys) or not (all_found or places.keys() <= {"", *asked}):
        return None
    # Of an id that was not found there is nothing, which stands last.
    order = list(map(places.get, asked, repeat(-1)))
    return list(map([*moments, b""].__getitem__, order)), list(map([*keys, ""].__getitem__, order))


def _moments(times: str) -> list[bytes]:
    """Return times as `datetime.isoformat` writes them in UTC, without the zone; nothing if one is not as expected."""
    found, content = times.split(","), times.encode()
    # What has these signs among so many digits and is a time to Python can only be 2026-01-02 03:04:05.678901, or the
    # same without digits at its end.
    lengths = set(map(len, found))
    if not lengths <= _TIME_LENGTHS or not _TIME_SIGNS.issuperset(content.translate(None, b"0123456789").split(b",")):
        return []
    try:
        list(map(datetime.fromisoformat, filter(None, found)))
    except ValueError:
        return []
    # isoformat would take ten times as long. It leaves out a fraction that is zero, and writes all digits of any other.
    made = content.replace(b" ", b"T").replace(b".000000", b"").split(b",")
    if lengths <= _WHOLE_LENGTHS:
        return made
    return [one if len(one) in _WHOLE_LENGTHS else one.ljust(26, b"0") for one in made]


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
    times = [None if at is None else at.isoformat().removesuffix(_ZONE) for at in (registered, changed)]
    for value in (_SAMPLE, *times):
        if value is None:
            form.append(b"")
            continue
        if rest.count(value.encode()) != 1:
            return None
        before, _, rest = rest.partition(value.encode())
        form.append(before)
    first, second, third = form
    # Where the second time is not there, what follows the first stands before it all the same.
    return (first, second, third, rest) if has_changed else (first, second, rest, b"")


@cache
def _frame() -> tuple[bytes, bytes]:
    """Return what stands before the rows of an answer, and after them."""
    nothing = wire.reachable_answer([])
    end = nothing.rindex(b"</")
    return nothing[:end], nothing[end:]
