"""Contact details of recipients, as a sender hands them in.

``docs/reference/contacts.schema.json`` is `contacts_schema` written out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.channels.model import ChannelError, Contact
from mm_soap.errors import ConfigurationError
from mm_soap.watched_file import FileUnusable, WatchedFile

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^(16|18|19|20)[0-9]{10}$")]
# One address, with nothing that could end a header or name a second recipient.
Email = Annotated[
    str, StringConstraints(max_length=254, pattern=r"^[^\s@<>()\[\],;:\\\"\x00-\x1f]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$")
]
Mobile = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContactRow(_Row):
    """How one recipient may be reached. What is not known is left out."""

    recipient: Identifier = Field(description="The recipient's identifier, 12 digits.")
    name: Line | None = Field(default=None, description="As it stands above the address.")
    email: Email | None = None
    mobile: Mobile | None = Field(default=None, description="With the country's number: +46701740605.")
    address: Annotated[tuple[Line, ...], Field(max_length=5)] = Field(
        default=(),
        description="The postal address line by line, the postal code with the town in one, then perhaps a country.",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.address and not self.name:
            raise PydanticCustomError("named", "needs name, since it has address")
        return self


class ContactsFile(_Row):
    """The contact details of a sender's recipients."""

    contacts: tuple[ContactRow, ...]

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({row.recipient for row in self.contacts}) < len(self.contacts):
            raise PydanticCustomError("twice", "holds a recipient twice")
        return self


class Contacts(Protocol):
    """Where a sender's contact details are looked up."""

    def find(self, recipient: str) -> Contact | None:
        """Return how a recipient may be reached; None where nothing is known.

        Raises:
            ChannelError: technical: nobody can say now.
        """
        ...


class FileContacts:
    """The contact details in a file, see ``docs/reference/contacts.schema.json``. Safe for threads.

    The file is read again when it changes. While it is away, or wrong, nobody is said to be unknown.

    Args:
        path: the file.

    Raises:
        ConfigurationError: the file cannot be read, or does not follow its format. The sentence holds none of it.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, _read)
        try:
            self._file.content()
        except FileUnusable as unusable:
            raise ConfigurationError(f"The file of contacts cannot be used: {unusable}.") from None

    def find(self, recipient: str) -> Contact | None:
        """Return how a recipient may be reached; None where nothing is known."""
        try:
            return self._file.content().get(recipient)
        except FileUnusable:  # the log has said where and why
            raise ChannelError("the file of contacts cannot be used", technical=True) from None


def contacts_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of contacts."""
    return ContactsFile.model_json_schema()


def _read(raw: bytes) -> dict[str, Contact]:
    rows = ContactsFile.model_validate_json(raw).contacts
    return {row.recipient: Contact(row.name or "", row.email or "", row.mobile or "", row.address) for row in rows}
