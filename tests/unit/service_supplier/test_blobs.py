"""Stores of large contents: a folder, a bucket, crashes, and what is swept up."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.message import Message, Party, new_message
from mm_soap.service_supplier import Blobs, Contents, FolderBlobs, NoBlobs, S3Blobs, Sweep, blobs_s3
from mm_soap.service_supplier.blobs import SHARDS, NoSuchBlob, new_name
from mm_soap.service_supplier.contents import Keeping
from mm_soap.storage import migrate

from .deliveries import KOMMUN_A, RECIPIENT, STRANGER, sealed
from .test_inbox import DAY, PDF, World

LARGE = bytes(range(256)) * 3000


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a service like S3, with an empty bucket."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        import urllib3

        # The fake of the service makes a bucket for anybody.
        with urllib3.PoolManager() as client:
            assert client.request("PUT", f"{endpoint}/post", headers={"Authorization": "AWS test:x"}).status == 200
        yield endpoint
        server.stop()


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    return S3Blobs.open("post", f"prefix/{new_name()}", request.getfixturevalue("bucket"), "eu-north-1")


def test_what_is_put_is_read_in_pieces_until_it_is_deleted(blobs: Blobs) -> None:
    first, second = new_name(), new_name()
    blobs.put({first: LARGE, second: b""})
    pieces = list(blobs.read(first))
    assert b"".join(pieces) == LARGE
    assert len(pieces) > 1
    assert b"".join(blobs.read(second)) == b""
    found = dict(each for shard in range(SHARDS) for each in blobs.names(shard) if int(first[:2], 16) == shard)
    assert abs(found[first] - datetime.now(UTC)) < timedelta(minutes=5)
    blobs.delete(first)
    blobs.delete(first)
    with pytest.raises(NoSuchBlob):
        blobs.read(first)
    assert b"".join(blobs.read(second)) == b""


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        blobs = FolderBlobs(tmp_path / "blobs")
        blobs.put({new_name(): b"x"})
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("blobs/*/*")}
    assert modes == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "blobs", *tmp_path.glob("blobs/*")]} == {0o700}


def test_a_folder_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError):
        FolderBlobs(tmp_path / "file")


def test_a_store_that_is_away_refuses_as_technical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs_s3, "_TIMEOUT", timedelta(seconds=1))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    away = S3Blobs.open("post", "x", "http://127.0.0.1:9", "eu-north-1")
    for ask in (
        lambda: away.put({"a": b""}),
        lambda: away.read("a"),
        lambda: away.delete("a"),
        lambda: [*away.names(0)],
    ):
        with pytest.raises(Refused) as caught:
            ask()
        assert caught.value.refusal is Refusal.UNAVAILABLE


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    migrate(engine, "service_supplier")
    return World(engine, tmp_path / "blobs")


def sweep_all(world: World, now: datetime) -> None:
    sweep = Sweep(world.contents, world.engine)
    for _ in range(SHARDS // 2):
        assert sweep(now) == 0


def test_what_no_row_tells_of_is_swept_up_after_a_day(world: World) -> None:
    key = world.deliver(new_message("Stor", text="Hej", attachments=[PDF]))
    kept = world.blobs()
    assert isinstance(world.contents.blobs, FolderBlobs)
    world.contents.blobs.put(dict.fromkeys((new_name(), new_name()), b"orphan"))
    (world.folder / "ab" / f"ab{'0' * 30}.new").write_bytes(b"a crash left this")
    now = datetime.now(UTC)
    sweep_all(world, now)
    assert len(world.blobs()) == 4
    sweep_all(world, now + 2 * DAY)
    assert world.blobs() == kept
    assert world.inbox.open(RECIPIENT, key).files[0].size == len(PDF[2])


def test_what_is_not_delivered_leaves_no_blob(world: World) -> None:
    stored = sealed(new_message("Stor", text="Hej", attachments=[PDF]), name="one")
    world.service.deliver_secure(stored, b"raw", "call", None)
    before = world.blobs()
    assert len(before) == 1
    world.service.deliver_secure(stored, b"raw", "again", None)
    nobody = sealed(new_message("Stor", text="Hej", attachments=[PDF]), name="two", recipient="191111111111")
    world.service.deliver_secure(nobody, b"raw", "call", None)
    assert world.blobs() == before


def test_nothing_is_accepted_while_the_store_is_away(world: World, engine: Engine) -> None:
    closed = Contents(NoBlobs(), 1000)
    service = type(world.service)(engine, world.service.directory, world.service.limits, contents=closed)
    with pytest.raises(Refused) as caught:
        service.deliver_secure(sealed(new_message("Stor", text="Hej", attachments=[PDF])), b"raw", "call", None)
    assert caught.value.refusal is Refusal.UNAVAILABLE
    assert world.subjects() == []
    service.deliver_secure(sealed(new_message("Liten", text="Hej")), b"raw", "call", None)
    assert world.subjects() == ["Liten"]


def test_what_needs_no_files_is_answered_while_the_store_is_away(world: World, engine: Engine) -> None:
    large = new_message("Stor", text="Hej", attachments=[PDF])
    first = world.service.deliver_secure(sealed(large, name="one"), b"raw", "call", None)
    world.service.deselect(STRANGER, KOMMUN_A)
    closed = Contents(NoBlobs(), 1000)
    service = type(world.service)(engine, world.service.directory, world.service.limits, contents=closed)
    assert service.deliver_secure(sealed(large, name="one"), b"raw", "again", None) == first
    for recipient in ("191111111111", STRANGER):
        answer = service.deliver_secure(sealed(large, name=recipient, recipient=recipient), b"raw", "call", None)
        assert answer.delivered == ((recipient, False),)
    assert world.subjects() == ["Stor"]


def test_a_mailbox_that_is_opened_meanwhile_gets_the_whole_delivery(world: World, engine: Engine) -> None:
    class Slow(Contents):
        @contextmanager
        def keeping(self, sender: Party, messages: Sequence[Message]) -> Iterator[Keeping]:
            world.service.open_mailbox(late)
            with super().keeping(sender, messages) as keeping:
                yield keeping

    late = "191111111111"
    slow = Slow(world.contents.blobs, 1000)
    service = type(world.service)(engine, world.service.directory, world.service.limits, contents=slow)
    large = new_message("Stor", text="Hej", attachments=[PDF])
    assert service.deliver_secure(sealed(large, recipient=late), b"raw", "call", None).delivered == ((late, True),)
    (attachment,) = world.service.get_message(late, large.id).attachments
    assert attachment.body == PDF[2]


def test_a_deletion_while_the_store_is_away_is_made_up_for(world: World) -> None:
    key = world.deliver(new_message("Stor", text="Hej", attachments=[PDF]), to=STRANGER)
    away = type(world.inbox)(world.engine, Contents(NoBlobs(), 1000), world.clock)
    away.throw_away(STRANGER, key)
    away.delete(STRANGER, key)
    assert (len(world.blobs()), world.count("doomed"), world.count("message")) == (1, 1, 0)
    world.keep_house()
    assert (len(world.blobs()), world.count("doomed")) == (0, 0)


CRASH = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from mm_soap.message import Limits, new_message
from mm_soap.service_supplier import Contents, FolderBlobs, Inbox, MailboxService
from mm_soap.storage import open_database
from tests.unit.service_supplier.deliveries import RECIPIENT, FakeDirectory, sealed

database, folder = sys.argv[1:]
places = {"blobs.py", "contents.py", "service.py", "deleting.py", "arranging.py", "many.py"}
left = 0

def trace(frame, event, argument):
    global left
    if os.path.basename(frame.f_code.co_filename) not in places or "service_supplier" not in frame.f_code.co_filename:
        return None
    if event == "line":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace

def do(what):
    engine = open_database(database)
    contents = Contents(FolderBlobs(Path(folder)), 1000)
    service = MailboxService(engine, FakeDirectory(), Limits(check_digits=False), contents=contents)
    inbox = Inbox(engine, contents)
    files = [("a.pdf", "application/pdf", b"%PDF-1.4\\n" + b"x" * 5000)] * 2
    delivery = sealed(new_message("Stor", text="Hej", attachments=files), name="same")
    key = None if what == "deliver" else inbox.page(RECIPIENT, -2).lines[0].key
    sys.settrace(trace)
    if what == "deliver":
        service.deliver_secure(delivery, b"raw", "call", None)
    else:
        inbox.delete(RECIPIENT, key)
    sys.settrace(None)

for asked in sys.stdin:
    what, line = asked.split()
    left = int(line)
    child = os.fork()
    if child == 0:
        do(what)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_crash_between_any_two_lines_loses_or_shows_anything(tmp_path: Path) -> None:
    from mm_soap.testing.databases import fresh_database

    with fresh_database(tmp_path) as engine:
        migrate(engine, "service_supplier")
        world = World(engine, tmp_path / "blobs")
        url = engine.url.render_as_string(hide_password=False).replace("sqlite+pysqlite", "sqlite")

        command = [sys.executable, "-c", CRASH, url, str(world.folder)]
        beside = Path(__file__).parents[3]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=beside) as process:
            assert process.stdin is not None
            assert process.stdout is not None

            def crash(what: str, line: int) -> bool:
                """Do it in a process that is killed before the given line; tell whether it came to the end."""
                process.stdin.write(f"{what} {line}\n")
                process.stdin.flush()
                ended = int(process.stdout.readline())
                assert ended in (0, -signal.SIGKILL)
                return ended == 0

            crash_everywhere(world, crash)


def crash_everywhere(world: World, crash: Callable[[str, int], bool]) -> None:
    line = 1
    while not crash("deliver", line):
        line += 1
        for one in world.inbox.page(RECIPIENT).lines:
            opened = world.inbox.open(RECIPIENT, one.key)
            for file in opened.files:  # what is seen is whole
                assert len(b"".join(world.inbox.attachment(RECIPIENT, one.key, file.position).pieces)) == file.size
    assert line > 100
    assert len(world.subjects()) == 1
    sweep_all(world, datetime.now(UTC) + 2 * DAY)
    assert len(world.blobs()) == 2
    world.inbox.throw_away(RECIPIENT, world.inbox.page(RECIPIENT).lines[0].key)
    line = 1
    while world.count("message") and not crash("delete", line):
        line += 1
    world.keep_house()
    assert (world.blobs(), world.count("message"), world.count("doomed")) == ([], 0, 0)
