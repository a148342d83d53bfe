"""The settings of the channels, and what is built from them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.bootstrap_channels import channel_switch
from mm_soap.clock import system_clock
from mm_soap.config import DispatcherSettings, load
from mm_soap.errors import ConfigurationError

BASE = """profile = "demonstration"
[dispatcher]
organisation = "165599999900"
certificate = "d.pem"
key = "d.key"
"""
PLAN = '[[dispatcher.channels]]\nsender = "162021004748"\ncontacts = "contacts.json"\norder = ["{0}"]\n'
TABLES = {
    "email": '[dispatcher.email]\nhost = "smtp.example.org"\nuser = "u"\npassword_file = "secret"\n',
    "sms": '[dispatcher.sms]\nuser = "u"\npassword_file = "secret"\n',
    "print": '[dispatcher.print]\nfolder = "print"\n',
}
NO_DATABASE: Engine = None  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MM_SOAP_"):
            monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "contacts.json").write_text(json.dumps({"contacts": []}))
    (tmp_path / "secret").write_text("hemligt\n")
    return tmp_path


def settings(folder: Path, text: str) -> DispatcherSettings:
    file = folder / "mm-soap.toml"
    file.write_text(BASE + text)
    found = load(file).dispatcher
    assert found is not None
    return found


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        channel_switch(settings(folder, text), NO_DATABASE, system_clock)
    assert "hemligt" not in str(caught.value)
    return str(caught.value)


def test_without_channels_there_is_no_switch(folder: Path) -> None:
    assert channel_switch(settings(folder, ""), NO_DATABASE, system_clock) is None


@pytest.mark.parametrize("name", list(TABLES))
def test_each_channel_needs_its_table(folder: Path, name: str) -> None:
    assert f"Add a table [dispatcher.{name}]" in refusal(folder, PLAN.format(name))
    switch = channel_switch(settings(folder, PLAN.format(name) + TABLES[name]), NO_DATABASE, system_clock)
    assert switch is not None
    assert f"channel-{name}" in switch.turns()
    assert "hemligt" not in repr(vars(switch))


def test_a_channel_without_a_sender_goes_on_with_what_is_under_way(folder: Path) -> None:
    assert channel_switch(settings(folder, TABLES["print"]), NO_DATABASE, system_clock) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAN.format("fax"), "dispatcher.channels.order"),
        (PLAN.format("print") + 'email_from = "a b@c"\n' + TABLES["print"], "email_from"),
        (PLAN.format("print") + 'sms_from = "Kommun Åsa"\n' + TABLES["print"], "sms_from"),
        (PLAN.format("print") * 2 + TABLES["print"], "the sender of each [[dispatcher.channels]] must be its own"),
        (PLAN.format("email") + TABLES["email"].replace("secret", "not-there"), "password file"),
        (PLAN.format("print").replace("contacts.json", "none.json") + TABLES["print"], "The file of contacts"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(folder: Path, text: str, said: str) -> None:
    assert said in refusal(folder, text)
