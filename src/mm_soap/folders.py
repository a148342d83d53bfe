"""Folders on disk."""

from __future__ import annotations

import os
from pathlib import Path


def synchronise(folder: Path) -> None:
    """Put on disk which files a folder has, and by which names: what was made, renamed or removed in it.

    Raises:
        OSError: it is not there, or the disk failed.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
