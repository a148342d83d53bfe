"""What the operating system says of a process and those it started: processor time and memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICK_MS = 1e3 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants, the process first."""
    parents = {int(entry.name): parent for entry in Path("/proc").iterdir() if (parent := _parent(entry)) is not None}
    return list(_below(pid, parents))


def parent(pid: int) -> int:
    """Return the process that started another one."""
    found = _parent(Path(f"/proc/{pid}"))
    assert found is not None
    return found


def cpu_ms(pid: int) -> float:
    """Return the processor time, user and system, that a process and its descendants have used, in ms.

    Of descendants that ended, the time counts with the parent that waited for them.
    """
    # utime, stime, cutime and cstime are fields 14 to 17; what is split here begins with field 3.
    return sum(int(tick) for one in tree(pid) for tick in _stat(Path(f"/proc/{one}"))[11:15]) * _TICK_MS


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process and its descendants, in MB (10^6 bytes).

    Pages that they share count once for each.
    """
    pages = (int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in tree(pid))
    return sum(pages) * _PAGE / 1e6


def own_rss_mb(pid: int | str = "self") -> float:
    """Return the resident memory of one process, this one by default, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def _below(pid: int, parents: dict[int, int]) -> Iterator[int]:
    yield pid
    for child, parent in parents.items():
        if parent == pid:
            yield from _below(child, parents)


def _parent(entry: Path) -> int | None:
    if not entry.name.isdigit():
        return None
    try:
        return int(_stat(entry)[1])
    except OSError:  # it ended while we looked
        return None


def _stat(entry: Path) -> list[str]:
    # The second field is the program's name in parentheses, and may hold spaces.
    return (entry / "stat").read_text().rpartition(")")[2].split()
