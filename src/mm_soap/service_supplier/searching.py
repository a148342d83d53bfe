"""The search: the words of each message, folded, and queries over those of one mailbox.

There is no index over all mailboxes: a search reads the words of one mailbox from end to end, newest first. That is the
same on every database, it cannot show another's post, and deleting a row deletes all that search knew.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, String, and_, bindparam, delete, func, or_, select, tuple_, update

from mm_soap.errors import Refused
from mm_soap.message import Message, Party, SupportInfo, blocks_of, text_of_blocks
from mm_soap.service_supplier.model import TRASH, MessageKey
from mm_soap.service_supplier.tables import delivery, installation, message, searchable
from mm_soap.storage import PreparedInsert, insert_new

MOST_CHARACTERS: Final = 32_768
"""Of the different words of one message; the rest of them is not found."""

_LONGEST_WORD: Final = 64
MOST_TERMS: Final = 10
_SWEDISH: Final = frozenset("åäö")
_INDEXED_TOGETHER: Final = 200

_add = PreparedInsert(searchable)
_columns = (searchable.c.delivery, searchable.c.position)


def fold(text: str) -> str:
    """Return a text as it is compared: case and accents do not count, but å, ä and ö are letters of their own."""
    folded = unicodedata.normalize("NFC", text.casefold())
    if folded.isascii():
        return folded
    return "".join(each if each in _SWEDISH else _bare(each) for each in folded)


def _bare(character: str) -> str:
    parts = unicodedata.normalize("NFKD", character)
    return "".join(each for each in parts if not unicodedata.combining(each))


def _split(text: str) -> list[str]:
    return "".join(each if each.isalnum() else " " for each in fold(text)).split()


def words_of(sender: Party, one: Message) -> str:
    """Return the words of a message as they are stored: each once, each with a space before it."""
    return _words(sender.name, one)


def _words(sender_name: str, one: Message) -> str:
    found = dict.fromkeys(word[:_LONGEST_WORD] for word in _split(f"{one.subject} {sender_name} {_text(one)}"))
    words = " " + " ".join(found)
    return words if len(words) <= MOST_CHARACTERS else words[: words.rindex(" ", 0, MOST_CHARACTERS)]


def _text(one: Message) -> str:
    if not one.content_type.lower().startswith("text/html"):
        return one.body.decode("utf-8", "replace")
    try:
        return text_of_blocks(blocks_of(one))
    except (Refused, UnicodeDecodeError):
        return ""


def terms_of(query: str) -> list[str]:
    """Return what a query asks for: words that must each begin some word of a message. Empty for no word at all."""
    return list(dict.fromkeys(word[:_LONGEST_WORD] for word in _split(query)))[:MOST_TERMS]


def add_words(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Store the words of messages: rows of recipient, delivery, position and words."""
    _add.execute(connection, rows)


def forget_words(connection: Connection, recipient: str, keys: Sequence[MessageKey]) -> None:
    """Delete what search knows of messages of one mailbox."""
    connection.execute(
        delete(searchable).where(searchable.c.recipient == recipient, tuple_(*_columns).in_([tuple(k) for k in keys]))
    )


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
    find = func.instr if connection.dialect.name == "sqlite" else func.strpos
    parts = {f"term{number}": f" {term}" for number, term in enumerate(terms)}
    conditions = [find(searchable.c.words, bindparam(name, type_=String)) > 0 for name in parts]
    statement = (
        select(*_columns)
        .join(message, and_(message.c.delivery == searchable.c.delivery, message.c.position == searchable.c.position))
        .where(searchable.c.recipient == recipient, *conditions, message.c.place != TRASH)
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
