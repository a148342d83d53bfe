"""A mailbox as a ZIP file."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import Engine

from mm_soap.errors import Refused
from mm_soap.message import OfficialMatter, new_message
from mm_soap.service_supplier import Contact, export_mailbox
from mm_soap.storage import migrate

from .deliveries import RECIPIENT, STRANGER, a_message
from .test_inbox import PDF, World, insert_shared


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    migrate(engine, "service_supplier")
    return World(engine, tmp_path / "blobs")


def exported(world: World, recipient: str = RECIPIENT) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(export_mailbox(world.inbox, recipient))))
    assert archive.testzip() is None
    return archive


def test_everything_is_in_it_and_every_link_leads_to_a_file(world: World) -> None:
    names = [
        "beslut.pdf",
        "BESLUT.PDF",
        "../../etc/passwd.pdf",
        "con.pdf",
        "å?ä:ö|/\\.pdf",
        "message.txt.pdf",
        "ö" * 150 + ".pdf",
    ]
    files = [(name, PDF[1], PDF[2] + str(number).encode()) for number, name in enumerate(names)]
    world.deliver(
        new_message("Beslut <script>alert(1)</script>: 100 % & mer/mindre #1?", text="Hej åäö", attachments=files)
    )
    html = world.deliver(new_message("Räkning", html="<p>Hej</p>"))
    folder = world.inbox.make_folder(RECIPIENT, "Mina <b>")
    world.inbox.move(RECIPIENT, html, folder)
    world.inbox.throw_away(RECIPIENT, world.deliver(a_message("Slängd")))
    world.deliver(a_message("Någon annans"), to=STRANGER)
    archive = exported(world)
    told = json.loads(archive.read("messages.json"))
    assert [(one["subject"], one["place"]) for one in told][1:] == [
        ("Beslut <script>alert(1)</script>: 100 % & mer/mindre #1?", "Inkorg"),
        ("Slängd", "Papperskorg"),
    ]
    assert (told[0]["subject"], told[0]["place"]) == ("Räkning", "Mina <b>")
    assert archive.read(told[1]["file"]).decode() == "Hej åäö"
    assert [archive.read(one["file"]) for one in told[1]["attachments"]] == [body for _, _, body in files]
    assert [one["filename"] for one in told[1]["attachments"]] == names
    index = archive.read("index.html").decode()
    links = [node.attributes["href"] or "" for node in LexborHTMLParser(index).css("a")]
    assert {unquote(link) for link in links} == set(archive.namelist()) - {"index.html", "messages.json"}
    assert "<script" not in index
    assert "Någon annans" not in index
    assert world.inbox.unread(RECIPIENT) == 3 - 1  # one lies in the trash; exporting reads none


def test_what_was_said_of_a_case_is_in_it(world: World) -> None:
    world.deliver(
        a_message("Beslut", official_matter=OfficialMatter(date(2026, 3, 1), "e1", "m1", matter_status="closed"))
    )
    world.deliver(a_message("Inget"))
    told = json.loads(exported(world).read("messages.json"))
    matters = {one["subject"]: one["official_matter"] for one in told}
    assert matters["Inget"] is None
    assert {name: value for name, value in matters["Beslut"].items() if value} == {
        **{"timestamp": "2026-03-01", "event_id": "e1", "official_matter_id": "m1", "matter_status": "closed"}
    }


def test_whoever_may_not_open_unread_messages_gets_none_and_the_page_is_in_the_language_asked_for(world: World) -> None:
    world.inbox.open(RECIPIENT, world.deliver(a_message("Läst")))
    world.deliver(a_message("Oläst"))
    pieces = export_mailbox(world.inbox, RECIPIENT, language="en", unread=False)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert [one["subject"] for one in json.loads(archive.read("messages.json"))] == ["Läst"]
    assert '<html lang="en"' in archive.read("index.html").decode()
    assert world.inbox.unread(RECIPIENT) == 1


def test_names_are_safe_and_differ_on_any_system(world: World) -> None:
    names = [
        "a.pdf",
        "A.pdf",
        "a .pdf",
        "aux.pdf",
        "...pdf",
        "x" * 240 + ".pdf",
        "x" * 240 + "y.pdf",
    ]
    for subject in (".", "con", "a/b\\c", "x" * 255, "Ärende: 1"):
        message = new_message(subject, text="t", attachments=[("a.pdf", *PDF[1:])] * len(names))
        renamed = tuple(replace(one, filename=name) for one, name in zip(message.attachments, names, strict=True))
        world.deliver(replace(message, attachments=renamed))
    paths = exported(world).namelist()
    assert len({path.casefold() for path in paths}) == len(paths) == 5 * 8 + 2
    for path in paths:
        parts = path.split("/")
        assert ".." not in parts
        assert len(path) < 200
        for part in parts:
            assert part == part.strip(" ")
            assert not part.endswith(".")
            assert not set(part) & set('<>:"\\|?*\u202e')


def test_an_html_body_runs_and_fetches_nothing(world: World) -> None:
    world.deliver(new_message("Sida", html="<!doctype html><html><head><title>x</title></head><body>Hej</body></html>"))
    archive = exported(world)
    (path,) = [name for name in archive.namelist() if name.endswith("message.html")]
    tree = LexborHTMLParser(archive.read(path).decode())
    (policy,) = tree.css("head meta[http-equiv=Content-Security-Policy]")
    assert "default-src 'none'" in (policy.attributes["content"] or "")
    assert tree.body is not None
    assert tree.body.text().strip() == "Hej"


def test_what_was_forwarded_says_so_in_the_recipients_language(world: World) -> None:
    insert_shared(world)
    world.service.set_contact(STRANGER, Contact(language="en"))
    archive = exported(world, STRANGER)
    assert b'<html lang="en">' in archive.read("index.html")
    (told,) = json.loads(archive.read("messages.json"))
    assert archive.read(told["attachments"][0]["file"]) == PDF[2]


def test_it_is_made_piece_by_piece(world: World) -> None:
    for number in range(20):
        world.deliver(new_message(f"Nr {number}", text="Hej", attachments=[PDF]))
    pieces = export_mailbox(world.inbox, RECIPIENT)
    first = next(piece for piece in pieces if piece)
    assert first.startswith(b"PK")
    world.inbox.throw_away(RECIPIENT, world.inbox.page(RECIPIENT).lines[-1].key)
    world.inbox.empty_trash(RECIPIENT)  # not reached yet: it is left out, and the rest is whole
    archive = zipfile.ZipFile(io.BytesIO(first + b"".join(pieces)))
    assert archive.testzip() is None
    assert len(json.loads(archive.read("messages.json"))) == 19


def test_a_file_beyond_four_gigabytes_would_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # The limit is lowered: the sizes and places of what stands behind it are written in the longer form.
    world.deliver(new_message("Stor", text="Hej", attachments=[PDF]))
    world.deliver(new_message("Stor till", text="Hej", attachments=[PDF]))
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 200)
    whole = b"".join(export_mailbox(world.inbox, RECIPIENT))
    monkeypatch.undo()
    assert b"PK\x06\x06" in whole
    archive = zipfile.ZipFile(io.BytesIO(whole))
    assert archive.testzip() is None
    assert len(json.loads(archive.read("messages.json"))) == 2


def test_without_a_mailbox_there_is_nothing_to_export(world: World) -> None:
    with pytest.raises(Refused):
        export_mailbox(world.inbox, "191111111111")
