"""asn1crypto, made ready for threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from asn1crypto.core import Asn1Value  # type: ignore[import-untyped]

_lock: Final = threading.Lock()


def make_ready() -> None:
    """Let each class of asn1crypto's kind that is loaded make its tables. Call it after the imports of such classes.

    A class makes them for its first object, without a lock, by adding to what another thread may be making too. Two
    threads that read their first certificates at once left it with wrong tables, and the process refused every
    certificate from then on.
    """
    with _lock:
        for each in _below(Asn1Value):
            with suppress(Exception):  # some want arguments, and ask for them once the tables are made
                each()


def _below(kind: type[Asn1Value]) -> Iterator[type[Asn1Value]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
