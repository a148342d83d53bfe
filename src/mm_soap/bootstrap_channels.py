"""The channels besides the mailbox, built from settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from mm_soap.bootstrap_delivery import delivery_policies
from mm_soap.channels import (
    Channel,
    ChannelName,
    ElksGateway,
    FileContacts,
    Origin,
    PrintFolder,
    SmsChannel,
    SmtpChannel,
    Typesetter,
    Window,
)
from mm_soap.clock import Clock
from mm_soap.config import ChannelSettings, DispatcherSettings, PrintSettings
from mm_soap.config_channels import MailServerSettings, SmsGatewaySettings
from mm_soap.dispatcher import Cause, ChannelPlan, ChannelSwitch
from mm_soap.errors import ConfigurationError


def channel_switch(own: DispatcherSettings, database: Engine, clock: Clock) -> ChannelSwitch | None:
    """Return what takes other channels where no mailbox takes a message; None where the settings name no sender.

    What is still under way on a channel when its sender is taken out of the settings fails, with a reason.

    Raises:
        ConfigurationError: a file of contacts or a password cannot be read, or a sender's channel is not set.
    """
    for plan in own.channels:
        for name in plan.order:
            if getattr(own, name) is None:
                raise ConfigurationError(
                    f"Add a table [dispatcher.{name}], or take {name} out of dispatcher.channels.order."
                )
    channels: dict[ChannelName, Channel] = {}
    usual = delivery_policies(own).default
    waits = {ChannelName.MAILBOX: usual.give_up_after}
    if own.email is not None:
        channels[ChannelName.EMAIL] = mail_channel(own.email)
        waits[ChannelName.EMAIL] = own.email.give_up_after
    if own.sms is not None:
        channels[ChannelName.SMS] = SmsChannel(sms_gateway(own.sms), own.sms.longest)
        waits[ChannelName.SMS] = own.sms.give_up_after
    acknowledge_within = timedelta()
    if own.print is not None:
        channels[ChannelName.PRINT] = _print(own.print)
        waits[ChannelName.PRINT] = own.print.give_up_after
        acknowledge_within = timedelta(seconds=own.print.acknowledge_within)
    if not channels and not own.channels:
        return None
    plans = {one.sender: _plan(one) for one in own.channels}
    retry = {name: replace(usual, give_up_after=wait) for name, wait in waits.items()}
    return ChannelSwitch(database, plans, channels, retry, acknowledge_within, clock)


def _plan(own: ChannelSettings) -> ChannelPlan:
    return ChannelPlan(
        origin=Origin(own.sender, "", own.email_from, own.sms_from, own.return_address),
        order=tuple(ChannelName(name) for name in own.order),
        contacts=FileContacts(own.contacts),
        causes=frozenset(Cause(one) for one in own.after),
        sensitive=own.sensitive,
    )


def mail_channel(own: MailServerSettings) -> SmtpChannel:
    """Return what hands e-mail to a mail server."""
    anchors = Path(own.anchors) if own.anchors else None
    return SmtpChannel(own.host, own.port, own.security, own.user, _password(own.password_file), own.timeout, anchors)


def sms_gateway(own: SmsGatewaySettings) -> ElksGateway:
    """Return what sends text messages."""
    password = _password(str(own.password_file))
    return ElksGateway(own.user, password, url=own.url, timeout=own.timeout, ca=own.anchors or None)


def _print(own: PrintSettings) -> Channel:
    window = Window(own.window_left, own.window_top)
    return PrintFolder(own.folder, Typesetter(window, Path(own.fonts) if own.fonts else None))


def _password(file: str) -> str:
    if not file:
        return ""
    try:
        return (Path(file).read_text(encoding="utf-8").splitlines() or [""])[0].strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"The password file {file} cannot be read: put the password into its first line."
        ) from None
