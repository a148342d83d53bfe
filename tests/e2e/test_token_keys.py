"""A dispatcher and a sender whose keys stay in a token, with several workers that are forked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mm_soap.demonstration import DISPATCHER, KOMMUN_A, RECIPIENT
from tests.e2e.suite import Demonstration, mm_soap
from tests.tokens import make_token, uri_of

pytestmark = [pytest.mark.slow, pytest.mark.needs_program("softhsm2-util")]


def test_the_whole_chain(fresh: Demonstration, tmp_path: Path) -> None:
    names = {"sender": KOMMUN_A.number, "dispatcher": DISPATCHER.number}
    keys = {name: (f"0{place}", fresh.folder / f"pki/{names[name]}.key") for place, name in enumerate(names)}
    environment = make_token(tmp_path / "token", keys)
    text = fresh.config.read_text()
    for name, (_, file) in keys.items():
        line = f'key = "pki/{names[name]}.key"'
        assert text.count(line) >= 1
        text = text.replace(line, f'key = "{uri_of(tmp_path / "token", f"object={name}")}"')
        file.unlink()
    fresh.config.write_text(text)
    fresh.serve(MM_SOAP_WORKERS="2", **environment)
    body = tmp_path / "text.txt"
    body.write_text("Hej.", encoding="utf-8")
    said = ("--sender", KOMMUN_A.number, "--recipient", RECIPIENT, "--subject", "Beslut", "--body", body)
    port = str(fresh.servers[0].port)
    for _ in range(4):
        told = ("--config", fresh.config, *said, "--wait", "--json")
        sent = mm_soap("send", *told, MM_SOAP_PORT=port, **environment)
        assert sent.returncode == 0, sent.stderr
        assert json.loads(sent.stdout)["delivery_status"] == "Delivered"
    assert len(fresh.mailbox()) == 4
