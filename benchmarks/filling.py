"""Mailboxes that hold messages already, past the wire: what is measured is what comes afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from mm_soap.message import Message, Party, new_message
from mm_soap.service_supplier import Inbox, Kind, many, store
from mm_soap.service_supplier.model import NewDelivery
from mm_soap.storage import writing

RARE = "fastighetsbeteckning"
"""A word that is in one of a thousand messages."""

_SENDER = Party("162021004748", "Kommun A")
_LARGE = 100_000
_SMALL = 2000
_EVERY_LARGE = 500
_TOGETHER = 500


def fill(inbox: Inbox, filled: Iterable[tuple[str, Message]], begin: datetime) -> int:
    """Put messages into mailboxes, as if one had come each second, and return how many.

    Args:
        inbox: the operator's mailboxes; those of the recipients are open.
        filled: each message with its recipient.
        begin: when the first one came.
    """
    number, rows = 0, iter(filled)
    while True:
        # Many in a transaction, which is not how they come.
        with writing(inbox.database, durable=False) as connection:
            before = number
            for owner, message in rows:
                _deliver(inbox, connection, owner, number, message, begin + timedelta(seconds=number))
                number += 1
                if number - before == _TOGETHER:
                    break
        if number == before:
            return number


def written(some: random.Random, number: int, words: int, *, html: bool = False) -> Message:
    """Return a message with an attachment, which is large in one of so many.

    Args:
        some: chooses the words. As in a language, some are common: of 110 some 100 differ.
        number: stands in the subject.
        words: how many.
        html: whether it is HTML, as mailing systems write it.
    """
    text = " ".join(f"ord{int(20_000 * some.random() ** 4)}" for _ in range(words))
    if number % 1000 == 500:
        text += f" {RARE}"
    size = _LARGE if number % _EVERY_LARGE == 0 else _SMALL
    pdf = ("beslut.pdf", "application/pdf", b"%PDF-1.4\n" + b"x" * size + b"\n%%EOF")
    if html:
        rows = "".join(f'<tr><td style="color:#333">{word}</td><td>1</td></tr>' for word in text.split()[:40])
        body = f'<html><body><h1>Beslut</h1><p style="margin:0">{text}</p><table>{rows}</table></body></html>'
        return new_message(f"Beslut {number}", html=body, attachments=[pdf])
    return new_message(f"Beslut {number}", text=text, attachments=[pdf])


def _deliver(inbox: Inbox, connection: Connection, owner: str, number: int, message: Message, at: datetime) -> None:
    name = f"{number:064}"
    new = NewDelivery(name[:36], name, name, name[:36], _SENDER.id, _SENDER.id, _SENDER.id, at.date(), at, True)
    with inbox.contents.keeping(_SENDER, [message]) as keeping:
        key = int(store.add_delivery(connection, new))
        many.add_to_mailboxes(connection, key, Kind.SECURE, _SENDER, keeping.messages, [owner], at)
        keeping.told = True
