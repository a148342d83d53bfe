"""Text messages, through whichever gateway there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mm_soap.channels.model import ChannelError, ChannelName, Letter, Sent
from mm_soap.message import blocks_of, text_of_blocks


class SmsGateway(Protocol):
    """Sends one text message."""

    def send(self, origin: str, mobile: str, text: str, mark: str) -> str:
        """Send a text and return the gateway's id for it.

        Args:
            origin: who it is from: a name of at most 11 letters and digits, or a number.
            mobile: where it goes: ``+46`` and so on.
            text: of any length; the gateway splits it.
            mark: the same at each attempt for the same text, for gateways that know what they sent.

        Raises:
            ChannelError: it did not go, or nobody knows whether it went; then the error is technical.
        """
        ...


@dataclass(frozen=True)
class SmsChannel:
    """Sends short letters as text messages: the subject, then the body.

    Args:
        gateway: sends them.
        longest: how many characters a text may have.
    """

    gateway: SmsGateway
    longest: int = 600
    name: ChannelName = field(default=ChannelName.SMS, init=False)

    def obstacle(self, letter: Letter) -> str | None:
        """Return why this letter cannot go as a text message."""
        if not letter.contact.mobile:
            return "no mobile is known"
        if not letter.origin.sms:
            return "the sender has no name for text messages in the settings"
        if len(letter.messages) > 1:
            return "several messages do not fit in one text message"
        if letter.messages[0].attachments:
            return "a text message takes no attachments"
        if len(_text(letter)) > self.longest:
            return f"it is longer than {self.longest} characters"
        return None

    def send(self, letter: Letter) -> Sent:
        """Send a letter. Where the gateway knows no marks, one that is sent again arrives twice."""
        obstacle = self.obstacle(letter)
        if obstacle:
            raise ChannelError(obstacle, technical=False)
        return Sent(self.gateway.send(letter.origin.sms, letter.contact.mobile, _text(letter), letter.id))


def _text(letter: Letter) -> str:
    message = letter.messages[0]
    return f"{' '.join(message.subject.split())}\n{text_of_blocks(blocks_of(message))}"
