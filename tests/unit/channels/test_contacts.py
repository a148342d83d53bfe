"""The file of contacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mm_soap.channels import ChannelError, Contact, FileContacts
from mm_soap.errors import ConfigurationError

ROW: dict[str, Any] = {
    "recipient": "192705178354",
    "name": "Anna Demo",
    "email": "anna@example.org",
    "mobile": "+46701740605",
    "address": ["Storgatan 1", "123 45 Småstad"],
}


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"contacts": rows}), encoding="utf-8")
    return path


def test_a_recipient_is_found_and_what_is_not_known_is_empty(tmp_path: Path) -> None:
    contacts = FileContacts(written(tmp_path / "c.json", ROW, {"recipient": "191212121212"}))
    assert contacts.find("192705178354") == Contact(
        "Anna Demo", "anna@example.org", "+46701740605", ("Storgatan 1", "123 45 Småstad")
    )
    assert contacts.find("191212121212") == Contact()
    assert contacts.find("189001619809") is None


def test_it_is_read_again_when_it_changes(tmp_path: Path) -> None:
    contacts = FileContacts(written(tmp_path / "c.json"))
    assert contacts.find("192705178354") is None
    written(tmp_path / "new", ROW).replace(tmp_path / "c.json")
    assert contacts.find("192705178354") is not None


def test_while_it_cannot_be_used_nobody_is_said_to_be_unknown(tmp_path: Path) -> None:
    contacts = FileContacts(written(tmp_path / "c.json", ROW))
    (tmp_path / "c.json").unlink()
    with pytest.raises(ChannelError) as caught:
        contacts.find("192705178354")
    assert caught.value.technical


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"email": "anna@example.org\r\nBcc: all@example.org"}, "email"),
        ({"email": "a@b"}, "email"),
        ({"email": "<a@example.org>"}, "email"),
        ({"mobile": "0701740605"}, "mobile"),
        ({"address": ["Rad\nTvå"]}, "address"),
        ({"address": ["1", "2", "3", "4", "5", "6"]}, "address"),
        ({"name": None}, "contacts.0"),
        ({"recipient": "1"}, "recipient"),
        ({"fax": "1"}, "fax"),
    ],
)
def test_what_breaks_the_format_is_told_without_it(tmp_path: Path, change: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FileContacts(written(tmp_path / "c.json", {**ROW, **change}))
    assert where in str(caught.value)
    assert "anna" not in str(caught.value).lower()


def test_a_recipient_stands_there_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        FileContacts(written(tmp_path / "c.json", ROW, ROW))
