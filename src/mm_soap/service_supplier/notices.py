"""The port to the recipients' own e-mail and mobile phones. What sends stands behind it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from mm_soap.errors import MmSoapError


class NoticeNotTaken(MmSoapError):
    """A channel did not take a notice.

    Args:
        cause: why, without addresses and content: it stands in the event.
        again: whether the same notice may be taken later. If not, it is given up.
        address: whether the recipient's address is refused for good, whatever is sent there: that is counted.
    """

    def __init__(self, cause: str, *, again: bool, address: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.again = again
        self.address = address


@dataclass(frozen=True, slots=True)
class Notice:
    """What is sent on to one recipient by one channel.

    Args:
        key: names this notice, and the same one at every attempt: fit for a Message-ID.
        channel: ``EMail`` or ``SMS``.
        to: the recipient's e-mail address or mobile number.
        language: the recipient's, ``sv`` or ``en``.
        sender: who wrote it, for answers: an e-mail address, or the name over a text message. Empty for the operator.
        subject: of an e-mail; None for a text message.
        text: plain text.
        begun: when it was first to be sent, the same at every attempt.
        html: of an e-mail, the same as HTML; empty for none.
        settings: the address of the page where its recipient turns notices off; empty for none.
    """

    key: str
    channel: str
    to: str = field(repr=False)
    language: str
    sender: str = field(repr=False)
    subject: str | None = field(repr=False)
    text: str = field(repr=False)
    begun: datetime
    html: str = field(default="", repr=False)
    settings: str = ""


@dataclass(frozen=True, slots=True)
class NoticeRules:
    """How recipients are told that secure post came.

    Args:
        channels: by which channels: ``EMail``, ``SMS``. Without any, nobody is told.
        window: how long deliveries are collected for one notice, from the first one.
        refusals: how many in a row an address may refuse for good before nothing is sent there any more.
        operator: the operator's name, as recipients know it.
        inbox: the address of the web inbox; empty for none.
        settings: the address of the page with the contact settings; empty for none.
        name_senders: whether a notice says from whom post came. That may be sensitive by itself.
    """

    channels: frozenset[str] = frozenset()
    window: timedelta = timedelta(minutes=5)
    refusals: int = 3
    operator: str = ""
    inbox: str = ""
    settings: str = ""
    name_senders: bool = False


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
