"""Which channels a sender's messages take, in which order, and what keeps a message from one of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mm_soap.channels import OPEN_CHANNELS, Channel, ChannelName, Contact, Contacts, Letter, Origin
from mm_soap.dispatcher.model import Cause
from mm_soap.message import Message, is_marked_sensitive


@dataclass(frozen=True)
class ChannelPlan:
    """What a sender has set.

    Args:
        origin: how the sender names itself. The name is that of the delivery.
        order: the channels after the mailbox, the first first.
        contacts: where its recipients' contact details are.
        causes: why a message takes another channel than the mailbox.
        sensitive: whether a message counts as sensitive that says nothing of it.
    """

    origin: Origin
    order: tuple[ChannelName, ...]
    contacts: Contacts
    causes: frozenset[Cause]
    sensitive: bool = True

    def choose(
        self, letter: Letter, channels: Mapping[ChannelName, Channel], ended: Collection[ChannelName]
    ) -> tuple[ChannelName | None, dict[str, str]]:
        """Return the first channel that a letter can take and was not tried, and why not those before it."""
        obstacles: dict[str, str] = {}
        for name in self.order:
            if name in ended:
                continue
            obstacle = self.obstacle(letter, name, channels.get(name))
            if obstacle is None:
                return name, obstacles
            obstacles[name.value] = obstacle
        return None, obstacles

    def obstacle(self, letter: Letter, name: ChannelName, channel: Channel | None) -> str | None:
        """Return why a letter cannot take a channel, as part of a sentence; None if it can."""
        if name in OPEN_CHANNELS and any(map(self._is_sensitive, letter.messages)):
            return "the message is sensitive"
        return "it is not in the settings" if channel is None else channel.obstacle(letter)

    def _is_sensitive(self, message: Message) -> bool:
        marked = is_marked_sensitive(message)
        return self.sensitive if marked is None else marked


NOBODY = Contact()
"""Of a recipient of whom the sender has told nothing."""
