"""What stands in a dispatcher's database at the end, and a clock that can be set while a process runs."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from mm_soap.config import load
from mm_soap.storage import open_database, reading
from tests.conftest import missing
from tests.e2e.suite import Demonstration

_SOURCE = Path(__file__).with_name("fake_clock.c")


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
        folder: where the setting is kept, and what is preloaded.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            missing("no compiler of C is installed")
        folder.mkdir()
        self._file = folder / "ahead"
        self._preloaded = folder / "fake_clock.so"
        options = ("-O2", "-Wall", "-Werror", "-shared", "-fPIC")
        subprocess.run([compiler, *options, "-o", self._preloaded, _SOURCE, "-ldl"], check=True)
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        """What lets a process have this clock."""
        return {"LD_PRELOAD": str(self._preloaded), "FAKE_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """Let the clock go so much before the right time, or behind it."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
