"""What gunicorn says of its processes, in the log of mm-soap: how a worker ended, and nothing of any request."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from mm_soap.unexpected import places

_log = logging.getLogger(__name__)

_OF_PROCESSES: Final = ("Worker (pid:", "WORKER TIMEOUT")
"""How the messages begin that hold numbers of processes and names of signals alone."""


class ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's log without what clients sent: its other lines hold paths, header values and texts of exceptions.

    A worker that ends by a signal or an exception takes its connections with it. Whoever operates the server must see
    that, and where it was.
    """

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log that a worker was ended by a signal."""
        self._of_processes(logging.WARNING, msg, args)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log that a worker was killed, or ended with another code than 0."""
        self._of_processes(logging.ERROR, msg, args)

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log that a worker gave no sign of life."""
        self._of_processes(logging.CRITICAL, msg, args)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log what kind of exception came out of a worker, and where it was raised."""
        error = sys.exception()
        _log.error("unexpected in the server: %s", places(error) if error is not None else "-")

    @staticmethod
    def _of_processes(level: int, msg: Any, args: tuple[Any, ...]) -> None:
        if str(msg).startswith(_OF_PROCESSES):
            _log.log(level, str(msg), *args)
