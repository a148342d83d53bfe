"""The channels by which an operator tells recipients of their post, built from settings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mm_soap.bootstrap_channels import mail_channel, sms_gateway
from mm_soap.channels import ChannelError, Contact, Letter, Origin, SmsGateway, SmtpChannel
from mm_soap.clock import Clock
from mm_soap.config import OperatorSettings
from mm_soap.message import SupportInfo, new_message
from mm_soap.service_supplier import NoNotifier, Notice, NoticeNotTaken, Notifier

_EMAIL: Final = "EMail"
_SMS: Final = "SMS"
_LANGUAGES: Final = {"sv": "svSE", "en": "enGB"}


def notifier_of(own: OperatorSettings, clock: Clock) -> Notifier:
    """Return what sends on to recipients' own addresses; nothing does without a table for it.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    email = mail_channel(own.email) if own.email else None
    sms = sms_gateway(own.sms) if own.sms else None
    if email is None and sms is None:
        return NoNotifier()
    return ChannelNotifier(own.organisation, own.email.sender if own.email else "", email, sms, clock)


@dataclass(frozen=True)
class ChannelNotifier:
    """Sends notices by e-mail and SMS.

    An e-mail is from the operator's own address, since mail servers believe a sender's address only where the sender's
    own server sends; answers go to the address that the notice names.

    Args:
        organisation: the operator's organisation number.
        address: the operator's e-mail address.
        email: the mail server; None for no e-mail.
        sms: the gateway; None for no SMS.
        clock: the time.
    """

    organisation: str
    address: str
    email: SmtpChannel | None
    sms: SmsGateway | None
    clock: Clock

    @property
    def channels(self) -> Collection[str]:
        """The channels that there are."""
        return [name for name, channel in ((_EMAIL, self.email), (_SMS, self.sms)) if channel is not None]

    def send(self, notice: Notice) -> None:
        """Hand a notice to its channel.

        Raises:
            NoticeNotTaken: the channel did not take it.
        """
        try:
            if notice.channel == _EMAIL and self.email is not None:
                self.email.send(self._letter(notice))
            elif notice.channel == _SMS and self.sms is not None:
                self.sms.send(notice.sender, notice.to, notice.text, notice.key)
            else:
                raise NoticeNotTaken("there is no such channel", again=False)
        except ChannelError as error:
            raise NoticeNotTaken(str(error), again=error.technical) from None

    def _letter(self, notice: Notice) -> Letter:
        message = new_message(
            notice.subject or "",
            text=notice.text,
            language=_LANGUAGES.get(notice.language, "svSE"),
            support=SupportInfo(email_address=notice.sender),
            message_id=notice.key,
        )
        origin = Origin(self.organisation, "", self.address)
        return Letter(notice.key, origin, Contact(email=notice.to), (message,), self.clock())
