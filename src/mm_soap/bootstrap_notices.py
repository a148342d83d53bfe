"""The channels by which an operator tells recipients of their post, built from settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine

from mm_soap.bootstrap_channels import mail_channel, sms_gateway
from mm_soap.channels import ChannelError, Origin, SmsGateway, SmtpChannel, WrittenEmail
from mm_soap.clock import Clock
from mm_soap.config import OperatorSettings, Settings
from mm_soap.errors import Refused
from mm_soap.message import language_tag
from mm_soap.service_supplier import (
    EMAIL,
    SMS,
    NoNotifier,
    Notice,
    NoticeNotTaken,
    NoticeRules,
    Notifier,
    late_notices,
)
from mm_soap.soap import Metrics
from mm_soap.storage import reading

_LANGUAGES: Final = {"sv": "svSE", "en": "enGB"}


def notice_rules(settings: Settings, own: OperatorSettings) -> NoticeRules:
    """Return how an operator's recipients are told of secure post. Channels that are not set up are left out."""
    rules = own.notices
    there = {EMAIL: own.email is not None, SMS: own.sms is not None and bool(own.sms.sender)}
    pages = f"{settings.base_url}{own.path}/Inbox" if own.web else ""
    return NoticeRules(
        channels=frozenset(channel for channel in rules.channels if there[channel]),
        window=timedelta(seconds=rules.collect_seconds),
        refusals=rules.refusals,
        operator=own.name,
        inbox=rules.inbox_url or pages,
        settings=rules.settings_url or (f"{pages}/contact" if pages else ""),
        name_senders=rules.name_senders,
    )


def count_notices(metrics: Metrics, operators: Mapping[str, Engine], clock: Clock) -> None:
    """Show how many notices to recipients are late.

    Args:
        metrics: where.
        operators: the database of each operator by its party's name.
        clock: the time.
    """
    if not operators:
        return

    def late() -> list[tuple[Mapping[str, str], float]]:
        found: list[tuple[Mapping[str, str], float]] = []
        for name, database in operators.items():
            with suppress(Refused), reading(database) as connection:  # without a database there is no number
                counts = late_notices(connection, clock())
                found += [({"party": name, "channel": each}, number) for each, number in counts.items()]
        return found

    metrics.add_gauge("mm_soap_notices_late", "Notices that were tried in vain, or wait for more than a minute.", late)


def notifier_of(own: OperatorSettings) -> Notifier:
    """Return what sends on to recipients' own addresses; nothing does without a table for it.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    email = mail_channel(own.email) if own.email else None
    sms = sms_gateway(own.sms) if own.sms else None
    if email is None and sms is None:
        return NoNotifier()
    origin = Origin(
        own.organisation, own.name, own.email.sender if own.email else "", own.sms.sender if own.sms else ""
    )
    return ChannelNotifier(origin, email, sms)


@dataclass(frozen=True)
class ChannelNotifier:
    """Sends notices by e-mail and SMS.

    An e-mail is from the operator's own address, since mail servers believe a sender's address only where the sender's
    own server sends; answers go to the address that the notice names.

    Args:
        origin: the operator, as recipients see it.
        email: the mail server; None for no e-mail.
        sms: the gateway; None for no SMS.
    """

    origin: Origin
    email: SmtpChannel | None
    sms: SmsGateway | None

    @property
    def channels(self) -> Collection[str]:
        """The channels that there are."""
        return [name for name, channel in ((EMAIL, self.email), (SMS, self.sms)) if channel is not None]

    def send(self, notice: Notice) -> None:
        """Hand a notice to its channel.

        Raises:
            NoticeNotTaken: the channel did not take it.
        """
        try:
            if notice.channel == EMAIL and self.email is not None:
                self.email.send_written(self._written(notice))
            elif notice.channel == SMS and self.sms is not None:
                self.sms.send(notice.sender or self.origin.sms, notice.to, notice.text, notice.key)
            else:
                raise NoticeNotTaken("there is no such channel", again=False)
        except ChannelError as error:
            raise NoticeNotTaken(str(error), again=error.technical, address=error.address) from None

    def _written(self, notice: Notice) -> WrittenEmail:
        return WrittenEmail(
            id=notice.key,
            origin=self.origin,
            to=notice.to,
            subject=notice.subject or "",
            text=notice.text,
            language=language_tag(_LANGUAGES.get(notice.language, "svSE")),
            begun=notice.begun,
            html=notice.html,
            reply_to=notice.sender,
            unsubscribe=notice.settings,
        )
