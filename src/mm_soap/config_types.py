"""What settings are made of: tables, and the kinds of text that one may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from mm_soap.pki.identity import is_token_key
from mm_soap.pki.key_uri import KeyUri, WrongKeyUri

_folder: ContextVar[Path | None] = ContextVar("_folder", default=None)


class Table(BaseModel):
    """A table of the settings: what it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


@contextmanager
def paths_from(folder: Path) -> Iterator[None]:
    """Take relative paths from this folder while settings are read."""
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def _from_folder(path: Path) -> Path:
    folder = _folder.get()
    return path if folder is None else folder / path.expanduser()


def _database(value: str) -> str:
    return value if "://" in value else str(_from_folder(Path(value)))


def _optional_file(value: str) -> str:
    return str(_from_folder(Path(value))) if value else ""


def _url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^/?#\s]+[^?#\s]*", value):
        raise PydanticCustomError("url", "must be an address such as https://post.example.se")
    return value.rstrip("/")


def _organisation(value: str) -> str:
    if not re.fullmatch(r"16[0-9]{10}", value):
        raise PydanticCustomError("organisation", "must be 12 digits that begin with 16")
    return value


def _address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise PydanticCustomError("address", "must be an IP address such as 192.0.2.1") from None


def _key_name(value: str) -> str:
    if not is_token_key(value):
        return str(_from_folder(Path(value)))
    try:
        KeyUri.parse(value)
    except WrongKeyUri as error:
        raise PydanticCustomError("key_uri", "{demand}", {"demand": str(error)}) from None
    return value


def _asked_host(value: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?", value):
        raise PydanticCustomError("asked_host", "must be a host such as crl.example.se, or with a port")
    return value.lower()


def _url_path(value: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", value):
        raise PydanticCustomError("url_path", "must be empty or a path such as /brevlada-tva")
    return value


def _email_address(value: str) -> str:
    if value and not re.fullmatch(r"[^\s@<>()\[\],;:\\\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value):
        raise PydanticCustomError("email_address", "must be an address such as post@kommun.se")
    return value


def _sms_name(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,10}|\+[1-9][0-9]{6,14}", value):
        raise PydanticCustomError("sms_name", "must be at most 11 letters and digits, or a number such as +46701740605")
    return value


File = Annotated[Path, AfterValidator(_from_folder)]
OptionalFile = Annotated[str, AfterValidator(_optional_file)]
Database = Annotated[str, AfterValidator(_database)]
Url = Annotated[str, AfterValidator(_url)]
Address = Annotated[str, AfterValidator(_address)]
KeyName = Annotated[str, AfterValidator(_key_name)]
AskedHost = Annotated[str, AfterValidator(_asked_host)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
Organisation = Annotated[str, AfterValidator(_organisation)]
EmailAddress = Annotated[str, AfterValidator(_email_address)]
SmsName = Annotated[str, AfterValidator(_sms_name)]
