"""Errors that nobody expected: what the log says of them, and threads beside the calls that they must not end."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from typing import Final

from mm_soap.errors import MmSoapError

_MOST_CAUSES: Final = 5


def places(error: BaseException) -> str:
    """Return, in one line, an exception's class and the places that it passed, and the same of its causes.

    Its text is left out, and so are the texts of its causes: they may hold personal numbers.
    """
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < _MOST_CAUSES:
        frames = traceback.StackSummary.extract(traceback.walk_tb(cause.__traceback__), lookup_lines=False)
        passed = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        parts.append(f"{type(cause).__name__} at {passed or '-'}")
        cause = cause.__cause__ or cause.__context__
    return "; because of ".join(parts)


def guarded(turn: Callable[[], None], log: logging.Logger, who: str) -> bool:
    """Do one turn of work; an error of any kind is logged and goes no further.

    Args:
        turn: the work. What it left undone is there for the next turn.
        log: where an error is told of.
        who: the subject of the sentence, such as ``The outbox``.

    Returns:
        whether it ended without an error.
    """
    try:
        turn()
    except MmSoapError as error:
        log.error("%s waits: %s", who, error)
    except Exception as error:
        log.error("%s waits after %s", who, places(error))
    else:
        return True
    return False


class Repeated:
    """Work that is repeated beside the calls, in a thread of its own, until it is stopped.

    Args:
        name: the thread's.
        turn: does some of the work, and returns how many seconds to wait then.
        log: where an error is told of.
        who: the subject of the sentence, such as ``The outbox``.
        pause: how many seconds to wait after an error.
    """

    def __init__(self, name: str, turn: Callable[[], float], log: logging.Logger, who: str, pause: float) -> None:
        self._name = name
        self._turn = turn
        self._log = log
        self._who = who
        self._pause = pause
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stopping(self) -> bool:
        """Whether the turn under way is to be the last, and to be cut short where it may."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin, and return at once."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """End; by default after the turn that is under way."""
        self._stopping.set()
        if wait and self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._next = self._pause
            guarded(self._once, self._log, self._who)
            self._stopping.wait(self._next)

    def _once(self) -> None:
        self._next = self._turn()
