"""Everything in a mailbox as one ZIP file, made while it is sent: it is never whole in memory or on disk here.

In it are ``index.html``, which opens without a network, ``messages.json``, and a folder for each message with its text
and its files. Sizes are written behind each file, and in the form for more than 4 GB only where that is needed, which
is what the widest range of programs can read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from jinja2 import Environment, PackageLoader

from mm_soap.errors import Refusal, Refused
from mm_soap.message import safe_filename
from mm_soap.service_supplier import store
from mm_soap.service_supplier.inbox import MOST_LINES, Inbox
from mm_soap.service_supplier.model import ARCHIVE, INBOX, TRASH, MessageSummary, OpenedMessage
from mm_soap.storage import reading

_SUBJECT_LENGTH: Final = 40
"""Characters of the subject in a folder's name: some systems allow 260 for a whole path."""

_FILENAME_LENGTH: Final = 80
_ATTRIBUTES: Final = 0o600 << 16
_POLICY: Final = (
    b'<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
    b"content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'\">\n"
)
_WORDS: Final = {
    "sv": {
        **{"title": "Min post", "made": "Hämtad", "messages": "Antal meddelanden", "forwarded": "Vidarebefordrat av"},
        **{"bytes": "byte", "inbox": "Inkorg", "archive": "Arkiv", "trash": "Papperskorg"},
    },
    "en": {
        **{"title": "My post", "made": "Exported", "messages": "Messages", "forwarded": "Forwarded by"},
        **{"bytes": "bytes", "inbox": "Inbox", "archive": "Archive", "trash": "Trash"},
    },
}


def export_mailbox(
    inbox: Inbox, recipient: str, *, language: str | None = None, unread: bool = True
) -> Iterator[bytes]:
    """Return a ZIP file with everything in a mailbox, in pieces; nothing in the mailbox changes.

    What comes or goes meanwhile may be in it or not; each message in it is whole.

    Args:
        inbox: the operator's mailboxes.
        recipient: whose mailbox; a closed one too.
        language: ``sv`` or ``en``, of the page in it; None for that of the mailbox's contact settings.
        unread: False leaves out messages that nobody has read.

    Raises:
        Refused: ``NOT_FOUND`` when the recipient has no mailbox here; while the pieces are taken also ``UNAVAILABLE``,
            after which the file is not whole and no program will open it.
    """
    with reading(inbox.database) as connection:
        found = store.find_mailbox(connection, recipient)
    if found is None:
        raise Refused(Refusal.NOT_FOUND, "mailbox")
    language = language or found.contact.language
    return _Export(inbox, recipient, language if language in _WORDS else "sv", unread=unread).pieces()


class _Sink:
    """What a ZIP file is written to: it hands on what came, and cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Do nothing: it is handed on by `take`."""

    def close(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class _Export:
    def __init__(self, inbox: Inbox, recipient: str, language: str, *, unread: bool) -> None:
        self._inbox, self._recipient, self._language, self._unread = inbox, recipient, language, unread
        self._words = _WORDS[language]
        self._now = inbox.clock().astimezone(UTC)
        self._sink = _Sink()
        self._told: list[dict[str, Any]] = []

    def pieces(self) -> Iterator[bytes]:
        names = {one.id: one.name for one in self._inbox.folders(self._recipient)}
        names |= {INBOX: self._words["inbox"], ARCHIVE: self._words["archive"], TRASH: self._words["trash"]}
        with ZipFile(self._sink, "w", ZIP_DEFLATED) as archive:
            for number, line in enumerate(self._lines(), 1):
                with suppress(_Gone):
                    yield from self._message(archive, number, line, names.get(line.place, names[INBOX]))
            whole = json.dumps(self._told, ensure_ascii=False, indent=1).encode()
            yield from self._file(archive, "messages.json", len(whole), [whole], self._now)
            page = self._index()
            yield from self._file(archive, "index.html", len(page), [page], self._now)
        yield self._sink.take()

    def _lines(self) -> Iterator[MessageSummary]:
        for place in (None, TRASH):
            cursor: str | None = None
            while True:
                page = self._inbox.page(self._recipient, place, cursor, MOST_LINES)
                yield from (line for line in page.lines if self._unread or line.read is not None)
                cursor = page.next
                if cursor is None:
                    break

    def _message(self, archive: ZipFile, number: int, line: MessageSummary, place: str) -> Iterator[bytes]:
        with _until_gone():
            message = self._inbox.open(self._recipient, line.key, mark=False)
        subject = safe_filename(line.subject[:_SUBJECT_LENGTH])
        folder = f"messages/{number:05} {line.received:%Y-%m-%d} {subject}".rstrip(" .")
        html = message.content_type.lower().startswith("text/html")
        name = f"{folder}/message.{'html' if html else 'txt'}"
        body = _POLICY + message.body if html else message.body
        taken = {"message.html", "message.txt", "forwarded.txt", "forwarded.html"}
        files = [(one, f"{folder}/{_unique(one.filename, taken)}") for one in message.files]
        yield from self._file(archive, name, len(body), [body], line.received)
        for one, path in files:
            # Deleted by now: what was written of it stays in the file, and no list tells of it.
            with _until_gone():
                download = self._inbox.attachment(self._recipient, line.key, one.position)
            yield from self._file(archive, path, one.size, download.pieces, line.received)
        if message.forwarded is not None:
            yield from self._forwarding(archive, folder, message, line.received)
        told = _metadata(line, message, place, name, [(one, path) for one, path in files])
        event = self._inbox.event(self._recipient, line.key)
        self._told.append(told | {"official_matter": event.document() if event is not None else None})

    def _forwarding(self, archive: ZipFile, folder: str, message: OpenedMessage, at: datetime) -> Iterator[bytes]:
        assert message.forwarded is not None
        html = message.forwarded.content_type.lower().startswith("text/html")
        body = _POLICY + message.forwarded.body if html else message.forwarded.body
        yield from self._file(archive, f"{folder}/forwarded.{'html' if html else 'txt'}", len(body), [body], at)

    def _file(self, archive: ZipFile, path: str, size: int, pieces: Iterable[bytes], at: datetime) -> Iterator[bytes]:
        info = ZipInfo(path, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second))
        info.compress_type, info.file_size, info.external_attr = ZIP_DEFLATED, size, _ATTRIBUTES
        with archive.open(info, "w") as file:
            for piece in pieces:
                file.write(piece)
                yield self._sink.take()
        yield self._sink.take()

    def _index(self) -> bytes:
        pages = Environment(loader=PackageLoader("mm_soap.service_supplier"), autoescape=True)
        made = f"{self._now:%Y-%m-%d %H:%M} UTC"
        values = {"language": self._language, "words": self._words, "made": made, "messages": self._told}
        return pages.get_template("index.html").render(values).encode()


class _Gone(Exception):
    """The message was deleted since it was listed."""


@contextmanager
def _until_gone() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        if refused.refusal is Refusal.NOT_FOUND:
            raise _Gone from None
        raise


def _unique(filename: str, taken: set[str]) -> str:
    """Return a name that is safe on any system and no other in its folder has, in any case."""
    safe = safe_filename(filename)
    stem, dot, extension = safe.rpartition(".")
    stem, extension = (stem, dot + extension) if dot else (safe, "")
    number, name = 1, safe if len(safe) <= _FILENAME_LENGTH else ""
    while not name or name.casefold() in taken:
        mark = f" ({number})" if number > 1 else ""
        name = f"{stem[: _FILENAME_LENGTH - len(extension) - len(mark)].rstrip(' .')}{mark}{extension}"
        number += 1
    taken.add(name.casefold())
    return name


def _metadata(line: MessageSummary, message: OpenedMessage, place: str, name: str, files: Any) -> dict[str, Any]:
    forwarded = message.forwarded
    return {
        "message_id": line.message_id,
        "subject": line.subject,
        "sender": line.sender,
        "sender_name": line.sender_name,
        "received": line.received.isoformat(),
        "read": line.read.isoformat() if line.read else None,
        "kind": line.kind.value,
        "place": place,
        "trans_id": message.trans_id,
        "language": message.language,
        "content_type": message.content_type,
        "file": name,
        "attachments": [
            {
                "filename": one.filename,
                "content_type": one.content_type,
                "bytes": one.size,
                "checksum": one.checksum,
                "file": path,
            }
            for one, path in files
        ],
        "forwarded": None
        if forwarded is None
        else {"forwarder": forwarded.forwarder, "name": forwarded.name, "subject": forwarded.subject},
    }
