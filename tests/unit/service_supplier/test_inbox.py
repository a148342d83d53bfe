"""What a recipient sees in its own mailbox, and how it arranges and deletes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, insert, select, update

from mm_soap.errors import Refusal, Refused
from mm_soap.housekeeping import Housekeeping
from mm_soap.message import Limits, Message, new_message
from mm_soap.service_supplier import (
    ARCHIVE,
    INBOX,
    TRASH,
    Contents,
    FolderBlobs,
    Inbox,
    MailboxService,
    Retention,
    store,
)
from mm_soap.storage import events_of, evidence_of, migrate, reading, writing
from mm_soap.testing import FrozenClock
from mm_soap.testing.databases import fresh_database

from .deliveries import RECIPIENT, STRANGER, FakeDirectory, a_message, sealed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PDF = ("beslut.pdf", "application/pdf", b"%PDF-1.4\n" + b"x" * 5000 + b"\n%%EOF")


class World:
    """An operator with two mailboxes, whose contents over 1000 bytes go into a folder."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.clock = FrozenClock(NOW)
        self.contents = Contents(FolderBlobs(folder), 1000)
        self.service = MailboxService(
            engine, FakeDirectory(), Limits(check_digits=False), 90 * DAY, self.clock, self.contents
        )
        self.service.open_mailboxes([RECIPIENT, STRANGER])
        self.inbox = Inbox(engine, self.contents, self.clock)

    def deliver(self, *messages: Message, to: str = RECIPIENT, call: str = "call") -> str:
        """Deliver messages and return the key of the first."""
        given = messages or (a_message(),)
        self.service.deliver_secure(sealed(*given, name=uuid4().hex, recipient=to), b"raw", call, None)
        (line,) = [one for one in self.inbox.page(to).lines if one.message_id == given[0].id]
        return line.key

    def blobs(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*/*"))

    def count(self, table: str) -> int:
        with reading(self.engine) as connection:
            return connection.execute(select(func.count()).select_from(store.metadata.tables[table])).scalar_one()

    def keep_house(self, rules: Retention | None = None) -> int:
        forgets = (rules or Retention(evidence=90 * DAY)).forgets()
        chores = [lambda _: self.contents.delete_doomed(self.engine)]
        return Housekeeping(self.engine, self.clock, *forgets, chores=chores).once()

    def subjects(self, place: int | None = INBOX) -> list[str]:
        return [line.subject for line in self.inbox.page(RECIPIENT, place).lines]


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    migrate(engine, "service_supplier")
    return World(engine, tmp_path / "blobs")


def refusal(call: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return caught.value.refusal


def test_pages_follow_each_other_and_new_messages_do_not_move_them(world: World) -> None:
    for number in range(7):
        world.deliver(a_message(f"Nr {number}"))
        world.clock.advance(timedelta(seconds=number % 2))  # some at the same moment
    first = world.inbox.page(RECIPIENT, most=3)
    world.deliver(a_message("Ny"))
    second = world.inbox.page(RECIPIENT, cursor=first.next, most=3)
    third = world.inbox.page(RECIPIENT, cursor=second.next, most=3)
    found = [line.subject for page in (first, second, third) for line in page.lines]
    assert found == [f"Nr {number}" for number in reversed(range(7))]
    assert third.next is None


@pytest.mark.parametrize("cursor", ["", "x", "_1-1", "2026-01-01_1-1", "2026-01-01T00:00:00+00:00_1", "Ω"])
def test_a_cursor_that_is_none_is_refused(world: World, cursor: str) -> None:
    assert refusal(world.inbox.page, RECIPIENT, INBOX, cursor) is Refusal.REQUEST_CONTRADICTS
    assert refusal(world.inbox.search, RECIPIENT, "ord", cursor) is Refusal.REQUEST_CONTRADICTS


def test_opening_a_message_marks_it_read_once(world: World) -> None:
    key = world.deliver(a_message("Beslut", attachments=[PDF]))
    world.deliver(a_message("Oläst"))
    assert world.inbox.unread(RECIPIENT) == 2
    world.clock.advance(DAY)
    opened = world.inbox.open(RECIPIENT, key)
    world.clock.advance(DAY)
    assert opened.summary.read == NOW + DAY == world.inbox.open(RECIPIENT, key).summary.read
    assert opened.body.decode() == "Hej på dig."
    assert [(one.filename, one.size) for one in opened.files] == [(PDF[0], len(PDF[2]))]
    assert world.inbox.unread(RECIPIENT) == 1
    assert [one.subject for one in world.inbox.page(RECIPIENT, unread=True).lines] == ["Oläst"]
    world.inbox.mark_unread(RECIPIENT, key)
    assert world.inbox.open(RECIPIENT, key, mark=False).summary.read is None


def test_large_contents_leave_the_database_and_come_back(world: World) -> None:
    long = new_message("Lång", text="å" * 3000, attachments=[PDF, ("liten.pdf", "application/pdf", b"%PDF-1.4\n%%EOF")])
    key = world.deliver(long)
    assert len(world.blobs()) == 2
    opened = world.inbox.open(RECIPIENT, key)
    assert opened.body.decode() == "å" * 3000
    for file, attachment in zip(opened.files, long.attachments, strict=True):
        download = world.inbox.attachment(RECIPIENT, key, file.position)
        assert (download.file, b"".join(download.pieces)) == (file, attachment.body)
    whole = world.service.get_message(RECIPIENT, long.id)
    assert [one.body for one in whole.attachments] == [one.body for one in long.attachments]
    assert refusal(world.inbox.attachment, RECIPIENT, key, 2) is Refusal.NOT_FOUND


def test_anothers_message_answers_as_one_that_does_not_exist(world: World) -> None:
    inbox = world.inbox
    key = world.deliver(a_message(attachments=[PDF]), to=STRANGER)
    folder = inbox.make_folder(STRANGER, "Mina")
    own = world.deliver()
    for wrong in (key, "999-0", "1", "", "1-1-1", "¹-0", "-1-0", "9" * 30 + "-0"):
        for ask in (inbox.open, inbox.mark_unread, inbox.original, inbox.archive, inbox.throw_away, inbox.restore):
            assert refusal(ask, RECIPIENT, wrong) is Refusal.NOT_FOUND
        assert refusal(inbox.attachment, RECIPIENT, wrong, 0) is Refusal.NOT_FOUND
        assert refusal(inbox.delete, RECIPIENT, wrong) is Refusal.NOT_FOUND
    inbox.throw_away(STRANGER, key)
    assert refusal(inbox.delete, RECIPIENT, key) is Refusal.NOT_FOUND
    assert inbox.empty_trash(RECIPIENT) == 0
    for place in (folder, -3, 10**12):
        assert refusal(inbox.move, RECIPIENT, own, place) is Refusal.NOT_FOUND
    assert refusal(inbox.remove_folder, RECIPIENT, folder) is Refusal.NOT_FOUND
    assert refusal(inbox.rename_folder, RECIPIENT, folder, "X") is Refusal.NOT_FOUND
    assert [one.subject for one in inbox.page(STRANGER, TRASH).lines] == ["Beslut"]
    assert inbox.page(RECIPIENT, folder).lines == ()
    assert inbox.search(RECIPIENT, "beslut").lines[0].key == own


def test_folders_have_names_of_their_own(world: World) -> None:
    inbox = world.inbox
    folder = inbox.make_folder(RECIPIENT, "  Räkningar\n2026 ")
    assert [(one.id, one.name) for one in inbox.folders(RECIPIENT)][3:] == [(folder, "Räkningar 2026")]
    assert refusal(inbox.make_folder, RECIPIENT, "RÄKNINGAR 2026") is Refusal.REQUEST_CONTRADICTS
    other = inbox.make_folder(RECIPIENT, "Rakningar 2026")
    assert refusal(inbox.rename_folder, RECIPIENT, other, "räkningar 2026") is Refusal.REQUEST_CONTRADICTS
    assert refusal(inbox.make_folder, RECIPIENT, " \u200b ") is Refusal.TEXT_MISSING
    assert refusal(inbox.make_folder, RECIPIENT, "x" * 101) is Refusal.TEXT_TOO_LONG
    assert refusal(inbox.make_folder, "191111111111", "Mina") is Refusal.NOT_FOUND
    inbox.rename_folder(RECIPIENT, folder, "räkningar 2026")
    inbox.make_folder(STRANGER, "räkningar 2026")


def test_what_is_restored_goes_back_to_where_it_was(world: World) -> None:
    inbox, key = world.inbox, world.deliver()
    folder = inbox.make_folder(RECIPIENT, "Mina")

    def place() -> int:
        return inbox.open(RECIPIENT, key, mark=False).summary.place

    inbox.move(RECIPIENT, key, folder)
    inbox.archive(RECIPIENT, key)
    inbox.restore(RECIPIENT, key)
    assert place() == folder
    inbox.archive(RECIPIENT, key)
    inbox.throw_away(RECIPIENT, key)
    inbox.restore(RECIPIENT, key)
    assert place() == ARCHIVE
    inbox.throw_away(RECIPIENT, key)
    inbox.move(RECIPIENT, key, folder)
    inbox.throw_away(RECIPIENT, key)
    inbox.remove_folder(RECIPIENT, folder)
    inbox.restore(RECIPIENT, key)
    assert place() == INBOX


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("räkning", True),
        ("RÄKNING", True),
        ("rakning", False),
        ("idee", True),
        ("idé faktura", True),
        ("faktura-2026", True),
        ("26", False),
        ("kommun", True),
        ("gemensam", True),
        ("osynlig", False),
        ("räkning saknas", False),
        ("%", False),
        ("", False),
        ("' OR 1=1", False),
    ],
)
def test_search_finds_words_by_their_beginning(world: World, query: str, found: bool) -> None:
    html = "<p>Idéer om <b>FAKTURA</b>&nbsp;2026<br>gemensamt</p><p title='osynlig'></p>"
    world.deliver(new_message("Räkningen", html=html))
    assert [line.subject for line in world.inbox.search(RECIPIENT, query).lines] == ["Räkningen"] * found


def test_search_pages_and_leaves_out_the_trash(world: World) -> None:
    keys = [world.deliver(a_message(f"Beslut {number}"), a_message(f"Beslut {number}b")) for number in range(3)]
    world.inbox.throw_away(RECIPIENT, keys[1])
    world.inbox.archive(RECIPIENT, keys[2])
    found, cursor = [], None
    while True:
        page = world.inbox.search(RECIPIENT, "beslut", cursor, 2)
        found += [line.subject for line in page.lines]
        cursor = page.next
        if cursor is None:
            break
    assert found == ["Beslut 2", "Beslut 2b", "Beslut 1b", "Beslut 0", "Beslut 0b"]


def test_deletion_is_real_and_an_event_tells_of_it(world: World) -> None:
    message = new_message("Hemligt", text="Särskilt innehåll " * 100, attachments=[PDF])
    key = world.deliver(message, call="c-1")
    other = world.deliver()
    assert refusal(world.inbox.delete, RECIPIENT, key) is Refusal.NOT_FOUND  # it is not in the trash
    world.inbox.throw_away(RECIPIENT, key)
    world.inbox.delete(RECIPIENT, key)
    assert world.blobs() == []
    assert [world.count(name) for name in ("message", "attachment", "searchable", "doomed", "delivery")] == [
        1,
        0,
        1,
        0,
        2,
    ]
    assert refusal(world.inbox.open, RECIPIENT, key) is Refusal.NOT_FOUND
    assert world.inbox.open(RECIPIENT, other).body
    with reading(world.engine) as connection:
        event = events_of(connection, message_id=message.id)[-1]
        assert len(evidence_of(connection, "c-1")) == 1
    assert (event.kind, event.outcome, event.at) == ("deletion", "recipient", NOW)
    assert RECIPIENT not in repr(event)
    assert "Hemligt" not in repr(event)


def test_what_is_deleted_leaves_the_file_of_the_database(tmp_path: Path) -> None:
    # Of SQLite: PostgreSQL's vacuum does that in its own time.
    with fresh_database(tmp_path) as engine:
        migrate(engine, "service_supplier")
        world = World(engine, tmp_path / "blobs")
        key = world.deliver(new_message("Oxfilé", text="Krumelurpiller"))
        world.inbox.throw_away(RECIPIENT, key)
        world.inbox.delete(RECIPIENT, key)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
        (file,) = tmp_path.glob("*.sqlite3")
        for word in ("Oxfilé", "Krumelurpiller", "krumelurpiller", "oxfile"):
            assert word.encode() not in file.read_bytes()


def test_the_same_delivery_does_not_come_back_after_it_was_deleted(world: World) -> None:
    first = world.service.deliver_secure(sealed(name="same"), b"raw", "call", None)
    world.inbox.throw_away(RECIPIENT, world.inbox.page(RECIPIENT).lines[0].key)
    world.inbox.empty_trash(RECIPIENT)
    assert world.service.deliver_secure(sealed(name="same"), b"raw", "call", None) == first
    assert world.subjects(None) == []


def test_rules_delete_when_their_time_is_over(world: World) -> None:
    read, _, archived, thrown = (world.deliver(a_message(name)) for name in ("read", "unread", "archived", "thrown"))
    world.inbox.open(RECIPIENT, read)
    world.inbox.open(RECIPIENT, archived)
    world.inbox.archive(RECIPIENT, archived)
    world.clock.advance(5 * DAY)
    world.inbox.throw_away(RECIPIENT, thrown)
    rules = Retention(trash=10 * DAY, read=20 * DAY, unread=30 * DAY, evidence=90 * DAY)
    left = []
    for _ in range(4):
        world.keep_house(rules)
        left.append(sorted(world.subjects(None) + world.subjects(TRASH)))
        world.clock.advance(9 * DAY)
    everything = ["archived", "read", "thrown", "unread"]
    assert left == [everything, everything, ["archived", "unread"], ["archived"]]


def test_nothing_is_deleted_but_the_trash_unless_a_rule_says_so(world: World) -> None:
    world.inbox.open(RECIPIENT, world.deliver(a_message("read")))
    world.deliver(a_message("unread"))
    world.clock.advance(3650 * DAY)
    world.keep_house()
    assert sorted(world.subjects()) == ["read", "unread"]


def test_a_closed_mailbox_takes_nothing_and_goes_after_its_time_of_grace(world: World) -> None:
    world.deliver(a_message("Före", attachments=[PDF]))
    world.inbox.make_folder(RECIPIENT, "Mina")
    world.service.deselect(RECIPIENT, "162021003898")
    world.service.close_mailbox(RECIPIENT)
    late = world.service.deliver_secure(sealed(name="late"), b"raw", "call", None)
    assert late.delivered == ((RECIPIENT, False),)
    world.clock.advance(80 * DAY)
    world.keep_house()
    assert world.subjects() == ["Före"]
    world.service.open_mailbox(RECIPIENT)
    world.clock.advance(80 * DAY)
    world.keep_house()
    assert world.subjects() == ["Före"]
    world.service.close_mailbox(RECIPIENT)
    world.clock.advance(91 * DAY)
    world.keep_house()
    assert [world.count(name) for name in ("message", "folder", "deselected", "mailbox")] == [0, 0, 0, 1]
    assert world.blobs() == []


def test_evidence_stays_while_its_message_does(world: World) -> None:
    key = world.deliver(call="c-1")
    world.service.deliver_secure(sealed(name="stray", recipient="191111111111"), b"raw", "c-2", None)
    world.clock.advance(100 * DAY)
    world.keep_house()
    assert world.inbox.original(RECIPIENT, key) == b"raw"
    with reading(world.engine) as connection:
        assert evidence_of(connection, "c-2") == []
    world.inbox.throw_away(RECIPIENT, key)
    world.inbox.empty_trash(RECIPIENT)
    world.clock.advance(8 * DAY)
    world.keep_house()
    assert (world.count("evidence"), world.count("delivery")) == (0, 2)  # so that neither comes again


def test_messages_from_before_there_was_a_search_are_learnt(world: World) -> None:
    for number in range(3):
        world.deliver(a_message(f"Gammal {number}"))
    tables = store.metadata.tables
    with writing(world.engine) as connection:  # as the migration finds it
        connection.execute(tables["searchable"].delete())
        connection.execute(update(tables["message"]).values(size=None))
        connection.execute(update(tables["installation"]).values(unindexed_to=2))
    world.deliver(a_message("Gammal 3"))
    world.keep_house()
    found = [line.subject for line in world.inbox.search(RECIPIENT, "gammal").lines]
    assert found == ["Gammal 3", "Gammal 1", "Gammal 0"]


def test_the_content_of_a_deletion_among_many_is_handed_on(world: World) -> None:
    insert_shared(world)
    first, second = (world.inbox.page(one).lines[0].key for one in (RECIPIENT, STRANGER))
    world.inbox.throw_away(RECIPIENT, first)
    world.inbox.delete(RECIPIENT, first)
    assert len(world.blobs()) == 2
    opened = world.inbox.open(STRANGER, second)
    assert opened.body.decode() == "delad " * 500
    assert b"".join(world.inbox.attachment(STRANGER, second, 0).pieces) == PDF[2]
    world.inbox.throw_away(STRANGER, second)
    world.inbox.delete(STRANGER, second)
    assert world.blobs() == []


def insert_shared(world: World) -> None:
    """A delivery to two, as deliverForward stores it."""
    from mm_soap.message import Party
    from mm_soap.service_supplier import Kind, many

    message = new_message("Delat", text="delad " * 500, attachments=[PDF])
    row = {
        **dict.fromkeys(("trans_id", "document_digest", "sealed_digest", "call_id"), "x"),
        **dict.fromkeys(("sender", "signer", "sealer"), "162021004748"),
        **{"sealed_on": NOW.date(), "received": NOW, "delivered": True},
    }
    with world.contents.keeping(Party("162021004748", "Kommun"), [message]) as keeping:
        with writing(world.engine) as connection:
            key = connection.execute(insert(store.metadata.tables["delivery"]), row).inserted_primary_key[0]  # type: ignore[index]
            to = [RECIPIENT, STRANGER]
            many.add_to_mailboxes(
                connection, key, Kind.FORWARDED, Party("162021004748", "Kommun"), keeping.messages, to, NOW
            )
        keeping.told = True
