"""A mailbox with many messages: ``python -m benchmarks.mailbox``.

Fills a mailbox through the use case of deliverSecure, among others', and measures what its owner does: lists, searches,
opens, counts. One JSON object a line goes to standard output, times in milliseconds, and beside them the processor time
of this process, which tells on a busy machine what the other does not; progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.filling import RARE, fill, written
from mm_soap.message import Message
from mm_soap.service_supplier import INBOX, Contents, FolderBlobs, Inbox, store
from mm_soap.storage import migrate, open_database, writing
from mm_soap.testing import FrozenClock
from mm_soap.testing.databases import fresh_schema

_MESSAGES = 20_000
_OTHERS = 20
_ROUNDS = 50
_OWNER = "192705178354"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mailbox", description=__doc__)
    parser.add_argument("--messages", type=int, default=_MESSAGES, help="in the mailbox (default: %(default)s)")
    parser.add_argument("--words", type=int, default=110, help="in each message (default: %(default)s)")
    parser.add_argument("--database", help="postgresql://…; a schema of its own is made there. SQLite without it")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mm-soap-mailbox-")))
        target = str(folder / "operator.sqlite3")
        if options.database:
            target = stack.enter_context(fresh_schema(options.database))
        engine = open_database(target)
        stack.callback(engine.dispose)
        migrate(engine, "service_supplier")
        inbox = Inbox(engine, Contents(FolderBlobs(folder / "blobs"), 65_536), FrozenClock())
        for line in _measured(inbox, options.messages, options.words):
            print(json.dumps({"database": engine.dialect.name, "messages": options.messages, **line}), flush=True)
    return 0


def _measured(inbox: Inbox, messages: int, words: int) -> Iterator[dict[str, Any]]:
    begun = time.perf_counter()
    _fill(inbox, messages, words)
    yield {"what": "fill", "seconds": round(time.perf_counter() - begun, 1)}
    keys = [line.key for line in inbox.page(_OWNER, INBOX, most=200).lines]
    middle = inbox.page(_OWNER).next
    for _ in range(min(100, messages // 200)):
        middle = inbox.page(_OWNER, INBOX, middle, 100).next or middle
    asked: dict[str, Callable[[], object]] = {
        "list, first page": lambda: inbox.page(_OWNER),
        "list, a page in the middle": lambda: inbox.page(_OWNER, INBOX, middle),
        "list, unread": lambda: inbox.page(_OWNER, unread=True),
        "folders with counts": lambda: inbox.folders(_OWNER),
        "search, a common word": lambda: inbox.search(_OWNER, "ord1"),
        "search, a rare word": lambda: inbox.search(_OWNER, RARE),
        "search, no such word": lambda: inbox.search(_OWNER, "saknas"),
        "search, two words": lambda: inbox.search(_OWNER, f"ord1 {RARE}"),
        "open": lambda: inbox.open(_OWNER, random.choice(keys), mark=False),
        "open the first time": lambda: inbox.open(_OWNER, keys.pop()),
        "download": lambda: b"".join(inbox.attachment(_OWNER, keys[-1], 0).pieces),
    }
    for what, ask in asked.items():
        times, used = [], []
        for _ in range(_ROUNDS):
            begun, before = time.perf_counter(), time.process_time()
            ask()
            times.append(1000 * (time.perf_counter() - begun))
            used.append(1000 * (time.process_time() - before))
        middling = {"median": statistics.median(times), "processor": statistics.median(used), "worst": max(times)}
        yield {"what": what, **{name: round(value, 2) for name, value in middling.items()}}


def _fill(inbox: Inbox, messages: int, words: int) -> None:
    some = random.Random(7)
    others = [f"1927051{number:05}" for number in range(_OTHERS)]
    clock = inbox.clock
    assert isinstance(clock, FrozenClock)
    begin = clock()
    with writing(inbox.database) as connection:
        store.save_mailboxes(connection, [_OWNER, *others], begin)

    def filled() -> Iterator[tuple[str, Message]]:
        shown = Console(stderr=True)
        for each in track(range(messages), "filling", console=shown, disable=not sys.stderr.isatty()):
            for owner in (_OWNER, some.choice(others)):
                yield owner, written(some, each, words)

    clock.advance(timedelta(seconds=fill(inbox, filled(), begin)))


if __name__ == "__main__":
    sys.exit(main())
