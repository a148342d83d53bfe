"""What stands in a dispatcher's database at the end, and a clock that can be set while a process runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from mm_soap.config import load
from mm_soap.storage import open_database, reading
from tests.conftest import missing
from tests.e2e.suite import Demonstration

_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@dataclass(frozen=True)
class Entry:
    """A delivery as the dispatcher has it."""

    state: str
    reason: str | None
    ended: bool
    """Whether nothing more is to come."""
    claim: str | None


@contextmanager
def dispatcher_database(demonstration: Demonstration) -> Iterator[Engine]:
    """The dispatcher's database."""
    settings = load(demonstration.config).dispatcher
    assert settings is not None
    database = open_database(settings.database)
    try:
        yield database
    finally:
        database.dispose()


def entries(database: Engine) -> dict[str, Entry]:
    """All deliveries by their distribution ids."""
    with reading(database) as connection:
        found = connection.execute(
            text("SELECT distribution_id, state, reason, next_attempt IS NULL, claimed_by FROM delivery")
        )
        return {row[0]: Entry(row[1], row[2], bool(row[3]), row[4]) for row in found}


def count(database: Engine, state: str) -> int:
    """How many deliveries are in a state."""
    with reading(database) as connection:
        found: int = connection.execute(
            text("SELECT count(*) FROM delivery WHERE state = :state"), {"state": state}
        ).scalar_one()
    return found


def waiting(database: Engine) -> int:
    """How many deliveries have not ended."""
    with reading(database) as connection:
        found: int = connection.execute(
            text("SELECT count(*) FROM delivery WHERE next_attempt IS NOT NULL")
        ).scalar_one()
    return found


class FakeClock:
    """The clock of processes that start with `environment`; it may be set while they run.

    Args:
        file: where the setting is kept.
    """

    def __init__(self, file: Path) -> None:
        if not _FAKETIME.exists():
            missing("libfaketime is not installed")
        self._file = file
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        """What lets a process have this clock."""
        return {
            "LD_PRELOAD": str(_FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> None:
        """Let the clock go so much before the right time, or behind it."""
        self._file.write_text(f"{seconds:+d}\n")
