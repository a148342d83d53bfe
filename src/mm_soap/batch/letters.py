"""From a row to the delivery that is signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_soap.batch.model import Row, RowError
from mm_soap.errors import Refused
from mm_soap.message import (
    NOT_SENSITIVE,
    Limits,
    Party,
    SecureDelivery,
    SupportInfo,
    check_delivery,
    content_type_for,
    new_message,
)

_HTML: Final = (".html", ".htm")
_SUPPORT: Final = SupportInfo(text="Kontakta avsändaren vid frågor.")


@dataclass(frozen=True)
class Letters:
    """Makes deliveries out of rows.

    Args:
        sender: who signs.
        folder: where the files are that rows name. Nothing outside of it is read: an index may come from somebody else.
        limits: the rules for messages as this installation sets them.
        subject: the subject of rows that have none.
        body: the file with the text of rows that have none.
    """

    sender: Party
    folder: Path
    limits: Limits
    subject: str = ""
    body: Path | None = None

    def delivery(self, row: Row, message_id: str) -> SecureDelivery:
        """Return the delivery of a row, with every rule for messages checked.

        Args:
            row: as the file has it.
            message_id: the MessageHeader.Id.

        Raises:
            RowError: a file of it cannot be read, or a rule is broken.
        """
        text, html = self._text(row)
        message = new_message(
            row.subject or self.subject,
            text=text,
            html=html,
            attachments=[self._attachment(name) for name in row.attachments],
            support=_SUPPORT,
            message_id=message_id,
            metadata=() if row.sensitive else (NOT_SENSITIVE,),
        )
        delivery = SecureDelivery(self.sender, row.recipient, (message,))
        try:
            check_delivery(delivery, self.limits)
        except Refused as refused:
            raise RowError(refused.description) from None
        return delivery

    def _text(self, row: Row) -> tuple[str | None, str | None]:
        if row.body:
            return row.body, None
        path = self._inside(row.body_file) if row.body_file else self.body
        if path is None:
            raise RowError("The row has no text: give it body or body_file, or give --body for all.")
        try:
            text = _read(path).decode("utf-8")
        except UnicodeDecodeError:
            raise RowError("The text must be UTF-8: convert the file.") from None
        return (None, text) if path.suffix.lower() in _HTML else (text, None)

    def _attachment(self, name: str) -> tuple[str, str, bytes]:
        path = self._inside(name)
        content_type = content_type_for(path.name)
        if content_type is None:
            raise RowError("A file cannot be attached: use .pdf, .doc, .docx, .dotx or .ics.")
        return path.name, content_type, _read(path)

    def _inside(self, name: str) -> Path:
        try:
            path = (self.folder / name).resolve()
        except (OSError, ValueError):
            raise RowError("The name of a file cannot be used: correct it.") from None
        if not path.is_relative_to(self.folder.resolve()):
            raise RowError("A file lies outside the folder of the batch: move it there.")
        return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RowError(f"A file that the row names cannot be read: {error.strerror}.") from None
