"""The port to the recipients' own e-mail and mobile phones. What sends stands behind it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from mm_soap.errors import MmSoapError


class NoticeNotTaken(MmSoapError):
    """A channel did not take a notice.

    Args:
        cause: why, without addresses and content: it stands in the event.
        again: whether the same notice may be taken later. If not, it is given up.
    """

    def __init__(self, cause: str, *, again: bool) -> None:
        super().__init__(cause)
        self.cause = cause
        self.again = again


@dataclass(frozen=True, slots=True)
class Notice:
    """What is sent on to one recipient by one channel.

    Args:
        key: names this notice, and the same one at every attempt: fit for a Message-ID.
        channel: ``EMail`` or ``SMS``.
        to: the recipient's e-mail address or mobile number.
        language: the recipient's, ``sv`` or ``en``.
        sender: what stands in From.
        subject: of an e-mail; None for a text message.
        text: plain text.
    """

    key: str
    channel: str
    to: str = field(repr=False)
    language: str
    sender: str = field(repr=False)
    subject: str | None = field(repr=False)
    text: str = field(repr=False)


class Notifier(Protocol):
    """Sends notices. Safe for threads."""

    @property
    def channels(self) -> Collection[str]:
        """The channels that there are: ``EMail``, ``SMS``, both or none."""
        ...

    def send(self, notice: Notice) -> None:
        """Hand a notice to its channel; back once that has taken it over.

        The same notice may come again after a crash: a channel that knows the key sends it once.

        Raises:
            NoticeNotTaken: the channel did not take it.
        """
        ...


class NoNotifier:
    """The default: there is no channel. Messages are in the mailbox and nowhere else."""

    channels: Collection[str] = ()

    def send(self, notice: Notice) -> None:
        """Refuse: nothing asks for it while there is no channel."""
        raise NoticeNotTaken("no channel is set up", again=True)
