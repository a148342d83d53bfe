"""Fuzzes one target, led by coverage: ``python -m tests.fuzz.run TARGET [options of libFuzzer]``.

What it finds new is kept in build/fuzz/TARGET; what it finds wrong is written to build/fuzz/crash-*.
A crash goes into the corpus once it is mended.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mm_soap", "tests.fuzz"]):
    from tests.fuzz.targets import CORPUS, TARGETS


def main() -> None:
    """Fuzz until the options say stop, or something is found."""
    name, *options = sys.argv[1:]
    target, corpus = TARGETS[name]
    found = Path("build/fuzz") / name
    found.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], "-artifact_prefix=build/fuzz/", "-timeout=30", "-rss_limit_mb=2048", *options]
    atheris.Setup([*arguments, str(found), str(CORPUS / corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
