"""The spool: a file is whole or not there, for its owner alone, and never more than the limit."""

from __future__ import annotations

import errno
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.storage import NotSpooled, Spool, Spooled
from mm_soap.storage import spool as module
from mm_soap.storage.spool import Damaged

AT = datetime(2026, 11, 22, 12, 30, 0, 5, tzinfo=UTC)
ROOM = 10_000_000


def spooled(content: bytes = b"<sent/>", **more: Any) -> Spooled:
    told: dict[str, Any] = {
        **{"at": AT, "call_id": "call-1", "operation": "isReachable", "organisation": "165599999900"},
        **{"address": "192.0.2.1", "verdict": "TOO_MANY", "code": 5005, "where": "SecureDelivery"},
        **{"keep_until": AT + timedelta(days=90), "content": content, **more},
    }
    return Spooled(**told)


moments = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))
texts = st.text(max_size=60)
pieces = st.builds(
    Spooled,
    *(moments, texts, texts | st.none(), texts | st.none(), texts | st.none(), texts),
    *(st.integers(4000, 5100) | texts | st.none(), texts | st.none(), moments, st.binary(max_size=300)),
)


@given(pieces)
def test_what_is_read_is_what_was_written(one: Spooled) -> None:
    assert Spooled.from_bytes(one.to_bytes()) == one


@given(pieces, st.data())
def test_a_file_that_is_torn_or_changed_is_seen(one: Spooled, data: st.DataObject) -> None:
    raw = one.to_bytes()
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = bytes([raw[place] ^ data.draw(st.integers(1, 255))])
    for wrong in (raw[:place], raw[:place] + changed + raw[place + 1 :], raw + b"x"):
        with pytest.raises(Damaged):
            Spooled.from_bytes(wrong)


def test_files_are_for_their_owner_alone_and_their_names_tell_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "data/spool/far", ROOM)
    spool.put(spooled())
    spool.put(spooled(at=AT - timedelta(seconds=1), call_id="call-0"))
    assert (tmp_path / "data/spool/far").stat().st_mode & 0o777 == 0o700
    first, second = spool.waiting()
    assert first.name == "20261122T122959.000005Z-call-0-refused.evidence"
    assert second.name == "20261122T123000.000005Z-call-1-refused.evidence"
    assert second.stat().st_mode & 0o777 == 0o600
    assert spool.read(second) == spooled()
    assert (spool.written, spool.lost) == (2, 0)


def test_a_full_spool_takes_no_more_until_there_is_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "far", 3 * 4096)
    spool.put(spooled())
    spool.put(spooled(b"x" * 5000, call_id="call-2"))
    assert spool.is_full(spool.state())
    with pytest.raises(NotSpooled, match="full"):
        spool.put(spooled(call_id="call-3"))
    other = Spool(tmp_path / "far", 3 * 4096)  # of another process: it sees what is there
    with pytest.raises(NotSpooled, match="full"):
        other.put(spooled(call_id="call-3"))
    assert (spool.written, spool.lost, spool.state().waiting) == (2, 1, 2)
    spool.remove(spool.waiting()[0])
    assert not spool.is_full(spool.state())
    spool.put(spooled(call_id="call-3"))


def test_a_folder_that_cannot_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "far", ROOM)
    told = spool.prepare()
    assert told is not None
    assert "cannot be written: File exists" in told
    with pytest.raises(NotSpooled, match="cannot be written"):
        spool.put(spooled())
    assert spool.state() == module.SpoolState(0, 0, 0)


def test_a_disk_that_is_full_is_told_of_and_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    spool = Spool(tmp_path, ROOM)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NotSpooled, match="cannot be written: No space left on device"):
            spool.put(spooled())
    assert (list(tmp_path.iterdir()), spool.lost) == ([], 1)
    spool.put(spooled())


def test_looking_whether_it_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    assert Spool(tmp_path / "far", ROOM).prepare() is None
    assert list((tmp_path / "far").iterdir()) == []


def test_a_damaged_file_is_set_aside_and_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, ROOM)
    spool.put(spooled())
    (file,) = spool.waiting()
    file.write_bytes(file.read_bytes()[:-1])
    assert spool.read(file) is None
    state = spool.state()
    assert (state.waiting, state.damaged, state.held) == (0, 1, 4096)


def test_a_file_that_was_taken_by_another_process_is_no_error(tmp_path: Path) -> None:
    spool = Spool(tmp_path, ROOM)
    assert spool.read(tmp_path / "gone.evidence") is None
    spool.remove(tmp_path / "gone.evidence")


def test_what_a_killed_process_left_behind_does_not_wait_and_goes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, ROOM)
    young, old = (tmp_path / f"{name}.begun" for name in ("young", "old"))
    for file in (young, old):
        file.write_bytes(b"half")
    long_ago = time.time() - 3600
    os.utime(old, (long_ago, long_ago))
    assert (spool.waiting(), spool.state().waiting) == ([], 0)
    spool.clear_up()
    assert list(tmp_path.iterdir()) == [young]


def test_a_disk_that_hangs_holds_a_call_for_a_limited_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(os, "fsync", lambda _: goes_on.wait(30))
    spool = Spool(tmp_path, ROOM)
    for _ in range(2):  # the second one waits for the first
        with pytest.raises(NotSpooled, match="too slow"):
            spool.put(spooled())
    goes_on.set()
    assert spool.lost == 2
