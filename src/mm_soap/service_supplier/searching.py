"""The search: the words of each message, folded, and queries over those of one mailbox.

There is no index over all mailboxes: a search reads the words of one mailbox from end to end, newest first. That is the
same on every database, it cannot show another's post, and deleting a row deletes all that search knew.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, String, and_, bindparam, delete, func, or_, select, update

from mm_soap.errors import Refused
from mm_soap.message import Message, Party, SupportInfo, blocks_of, text_of_blocks
from mm_soap.service_supplier import places
from mm_soap.service_supplier.model import MessageKey
from mm_soap.service_supplier.tables import delivery, installation, message, searchable
from mm_soap.storage import PreparedInsert, Together, insert_new

MOST_CHARACTERS: Final = 16_384
"""Of the different words of one message; the rest of them is not found."""

_LONGEST_WORD: Final = 64
MOST_TERMS: Final = 10
_ACCENTED: Final = re.compile("[^\x00-\x7fåäö]")
_WORD: Final = re.compile(r"[^\W_]+")
_BETWEEN: Final = re.compile("[\x00-/:-@\\[-`{-\x7f]")
"""A character that is in no word, and that folding joins with none before it."""
_PIECE: Final = 8192
_INDEXED_TOGETHER: Final = 200

_add = PreparedInsert(searchable)
_columns = (searchable.c.delivery, searchable.c.position)
# One by one, by the whole key: SQLite would read the whole mailbox for a list of pairs.
_forget = delete(searchable).where(
    searchable.c.recipient == bindparam("whose"),
    searchable.c.delivery == bindparam("key"),
    searchable.c.position == bindparam("place"),
)


def fold(text: str) -> str:
    """Return a text as it is compared: case and accents do not count, but å, ä and ö are letters of their own."""
    folded = unicodedata.normalize("NFC", text.casefold())
    if folded.isascii():
        return folded
    return _ACCENTED.sub(_bare, folded)


def _bare(found: re.Match[str]) -> str:
    parts = unicodedata.normalize("NFKD", found[0])
    return "".join(each for each in parts if not unicodedata.combining(each))


def _table(encoding: str) -> bytes:
    """Return what folding makes of each letter of an encoding: a space of what no word has, 0 of what needs `fold`."""
    table = bytearray(256)
    for code in range(256):
        with suppress(UnicodeError):
            folded = fold(bytes([code]).decode(encoding))
            if len(folded) == 1:
                table[code] = folded.encode(encoding)[0] if folded.isalnum() else ord(" ")
    return bytes(table)


_TABLES: Final = tuple((encoding, _table(encoding)) for encoding in ("latin-1", "cp1252"))
"""What nearly all letters are written in, the quickest first: the second has dashes and curled quotation marks."""


def _split(text: str) -> list[str]:
    """Return the words of a text, each cut to the longest that counts.

    Every delivery waits for this: no loop here, and `fold`, which looks at each letter by itself, only where it must.
    """
    words: list[str] | None = None
    for encoding, table in _TABLES:
        with suppress(UnicodeEncodeError):
            letters = text.encode(encoding).translate(table)
            words = None if 0 in letters else letters.decode(encoding).split()
            break
    if words is None:
        words = _WORD.findall(fold(text))
    return [word[:_LONGEST_WORD] for word in words] if max(map(len, words), default=0) > _LONGEST_WORD else words


def words_of(sender: Party, one: Message) -> str:
    """Return the words of a message as they are stored: each once, each with a space before it."""
    return _words(sender.name, one)


def _words(sender_name: str, one: Message) -> str:
    return words_in(f"{one.subject} {sender_name} {_text(one)}")


def words_in(text: str, most: int = MOST_CHARACTERS, piece: int = _PIECE) -> str:
    """Return the different words of a text, each with a space before it; of more than ``most`` characters the first.

    Every delivery waits for this, so a long text is read piece by piece until there are enough.
    """
    found: dict[str, None] = {}
    length = 0
    for part in _pieces(text, piece):
        known = len(found)
        found.update(dict.fromkeys(_split(part)))
        length += sum(map(len, islice(found, known, None))) + len(found) - known
        if length > most:
            break
    words = " " + " ".join(found)
    return words if len(words) <= most else words[: words.rindex(" ", 0, most + 1)]


def _pieces(text: str, size: int) -> Iterator[str]:
    """Yield a text in parts that have the words of the whole: none begins in the middle of a word."""
    begun = 0
    while len(text) - begun > size:
        between = _BETWEEN.search(text, begun + size)
        if between is None:
            break
        yield text[begun : between.start()]
        begun = between.start()
    yield text[begun:]


def _text(one: Message) -> str:
    if not one.content_type.lower().startswith("text/html"):
        return one.body.decode("utf-8", "replace")
    try:
        return text_of_blocks(blocks_of(one))
    except (Refused, UnicodeDecodeError):
        return ""


def terms_of(query: str) -> list[str]:
    """Return what a query asks for: words that must each begin some word of a message. Empty for no word at all."""
    return list(dict.fromkeys(_split(query)))[:MOST_TERMS]


def add_words(connection: Connection | Together, rows: Iterable[dict[str, Any]]) -> None:
    """Store the words of messages: rows of recipient, delivery, position and words."""
    _add.execute(connection, rows)


def forget_words(connection: Connection, recipient: str, keys: Sequence[MessageKey]) -> None:
    """Delete what search knows of messages of one mailbox."""
    if keys:
        connection.execute(_forget, [{"whose": recipient, "key": key.delivery, "place": key.position} for key in keys])


def search(
    connection: Connection, recipient: str, terms: Sequence[str], before: MessageKey | None, most: int
) -> list[MessageKey]:
    """Return the messages of one mailbox that have all words, those that came last first; not those thrown away.

    Args:
        connection: in a transaction.
        recipient: whose mailbox.
        terms: from `terms_of`.
        before: only those that stand behind this one.
        most: how many, at most.
    """
    found: list[MessageKey] = []
    while len(found) < most:
        keys = _having(connection, recipient, terms, before, most)
        found += places.not_thrown_away(connection, recipient, keys)
        if len(keys) < most:
            break
        before = keys[-1]
    return found[:most]


def _having(
    connection: Connection, recipient: str, terms: Sequence[str], before: MessageKey | None, most: int
) -> list[MessageKey]:
    """Return messages that have all words, thrown away or not: to look for that in each row would double the time."""
    names = [f"term{number}" for number in range(len(terms))]
    # Each is the fastest of its database; a term is letters and digits alone, so it has no wildcard in it.
    conditions: list[ColumnElement[bool]]
    if connection.dialect.name == "sqlite":
        conditions = [searchable.c.words.op("GLOB")(bindparam(name, type_=String)) for name in names]
        parts = {name: f"* {term}*" for name, term in zip(names, terms, strict=True)}
    else:
        conditions = [func.strpos(searchable.c.words, bindparam(name, type_=String)) > 0 for name in names]
        parts = {name: f" {term}" for name, term in zip(names, terms, strict=True)}
    statement = (
        select(*_columns)
        .where(searchable.c.recipient == recipient, *conditions)
        .order_by(searchable.c.delivery.desc(), searchable.c.position)
        .limit(most)
    )
    if before is not None:
        later = and_(searchable.c.delivery == before.delivery, searchable.c.position > before.position)
        statement = statement.where(or_(searchable.c.delivery < before.delivery, later))
    return [MessageKey(*row) for row in connection.execute(statement, parts)]


def index_old(connection: Connection) -> int:
    """Learn the words of some messages from before there was a search, newest first; return how many deliveries."""
    until = connection.execute(select(installation.c.unindexed_to).with_for_update()).scalar_one()
    if until == 0:
        return 0
    # The lock keeps a deletion away that would otherwise leave the words behind.
    old = select(delivery.c.id).where(delivery.c.id <= until).order_by(delivery.c.id.desc()).limit(_INDEXED_TOGETHER)
    ids = list(connection.execute(old.with_for_update()).scalars())
    holder = message.alias("holder")
    content = func.coalesce(message.c.content, message.c.position)
    found = connection.execute(
        select(
            *(message.c[name] for name in ("recipient", "delivery", "position", "message_id", "subject")),
            *(message.c[name] for name in ("sender_name", "language", "content_type")),
            holder.c.body,
        )
        .join(holder, and_(holder.c.delivery == message.c.delivery, holder.c.position == content))
        .where(message.c.delivery.in_(ids))
    )
    rows = [{"recipient": r.recipient, "delivery": r.delivery, "position": r.position, "words": _old(r)} for r in found]
    if rows:
        connection.execute(insert_new(searchable, connection.dialect.name), rows)
    connection.execute(update(installation).values(unindexed_to=min(ids) - 1 if ids else 0))
    return len(ids)


def _old(row: Any) -> str:
    held = Message(row.message_id, row.subject, SupportInfo(), row.language, row.content_type, row.body)
    return _words(row.sender_name, held)
