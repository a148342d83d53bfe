"""What the log says of a call: who, what, how long, and of a failure where; never anything that was sent."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from hashlib import sha256

from mm_soap.contract import OperationContract
from mm_soap.errors import MmSoapError
from mm_soap.soap.model import Caller
from mm_soap.unexpected import places

_log = logging.getLogger(__name__)


@dataclass
class Progress:
    """What is known of one call so far; spyne carries it through its steps."""

    port: str
    caller: Caller
    call_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    raw: bytes = b""
    operation: OperationContract | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def operation_name(self) -> str | None:
        """The operation's name, or None while it is unknown."""
        return self.operation.name if self.operation is not None else None


def log_call(progress: Progress, code: int, seconds: float) -> None:
    """Log the one line of a call. ``code`` is the ErrorCode of its fault, or 0."""
    _log.info(
        "call port=%s operation=%s call_id=%s caller=%s code=%d bytes=%d ms=%.1f",
        progress.port,
        progress.operation_name or "-",
        progress.call_id,
        progress.caller.organisation or "-",
        code,
        len(progress.raw),
        seconds * 1000,
    )


def log_bad_answer(progress: Progress, where: str) -> None:
    """Log that an answer was not sent, since it breaks the schema. ``where`` is a place in the contract's names."""
    _log.error(
        "answer not sent, it breaks the schema: port=%s operation=%s call_id=%s where=%s",
        progress.port,
        progress.operation_name or "-",
        progress.call_id,
        where,
    )


def log_not_kept(progress: Progress, verdict: str, failure: BaseException) -> None:
    """Log that the evidence of a refusal could not be written: its digest shows later whether that is what came."""
    _log.error(
        "evidence not kept: port=%s operation=%s call_id=%s caller=%s verdict=%s bytes=%d sha256=%s: %s",
        progress.port,
        progress.operation_name or "-",
        progress.call_id,
        progress.caller.organisation or "-",
        verdict,
        len(progress.raw),
        sha256(progress.raw).hexdigest(),
        failure if isinstance(failure, MmSoapError) else places(failure),
    )


def log_unexpected(error: BaseException, progress: Progress) -> None:
    """Log an exception that a call ended in, by its class and the places it passed."""
    _log.error(
        "unexpected: port=%s operation=%s call_id=%s %s",
        progress.port,
        progress.operation_name or "-",
        progress.call_id,
        places(error),
    )
