"""What the shell tells others of calls, for their evidence."""

from __future__ import annotations

from dataclasses import dataclass

from mm_soap.errors import Refused
from mm_soap.soap.model import RefusedHook, SentHook
from mm_soap.soap.report import Progress, log_not_kept
from mm_soap.soap.request import HttpError


@dataclass(frozen=True)
class Hooks:
    """Those who are told.

    Args:
        refused: of every refusal, also by HTTP. What it raises changes no answer.
        as_sent: of what comes in another encoding than UTF-8. What it raises refuses the call.
    """

    refused: RefusedHook | None = None
    as_sent: SentHook | None = None

    def tell_refused(self, progress: Progress, refused: Refused | HttpError) -> None:
        """Tell of a refusal."""
        if self.refused is None:
            return
        try:
            self.refused(progress.call_id, progress.operation_name, progress.caller, progress.raw, refused)
        except Exception as failure:
            verdict = refused.refusal.name if isinstance(refused, Refused) else f"HTTP {refused.code}"
            log_not_kept(progress, verdict, failure)

    def tell_converted(self, progress: Progress, sent: bytes) -> None:
        """Tell of a request as it came, unless it is in UTF-8."""
        if progress.raw is not sent and self.as_sent is not None:
            self.as_sent(progress.call_id, progress.caller, sent)
