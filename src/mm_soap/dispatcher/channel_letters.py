"""From a delivery in the database to the letter that a channel carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from mm_soap.channels import ChannelError, Letter
from mm_soap.dispatcher.channel_plan import NOBODY, ChannelPlan
from mm_soap.dispatcher.documents import documents_of
from mm_soap.message import read_delivery
from mm_soap.storage import reading
from mm_soap.xml import parse_untrusted


@dataclass(frozen=True)
class Letters:
    """Makes letters.

    Args:
        database: the dispatcher's own.
        plans: what each sender has set, by its organisation number.
    """

    database: Engine
    plans: Mapping[str, ChannelPlan]

    def plan_of(self, sender: str) -> ChannelPlan:
        """Return a sender's plan.

        Raises:
            ChannelError: it is not in the settings any more.
        """
        plan = self.plans.get(sender)
        if plan is None:
            raise ChannelError("the settings have no channels for the sender any more", technical=False)
        return plan

    def letter(self, delivery: int, distribution_id: str, plan: ChannelPlan, begun: datetime) -> Letter:
        """Return what goes to a recipient.

        Args:
            delivery: the row.
            distribution_id: its id.
            plan: the sender's.
            begun: when the channel was chosen.

        Raises:
            ChannelError: technical: the contact details cannot be looked up now.
        """
        with reading(self.database) as connection:
            document = documents_of(connection, [delivery])[delivery]
        content = read_delivery(parse_untrusted(document))
        return Letter(
            distribution_id,
            replace(plan.origin, name=content.sender.name),
            plan.contacts.find(content.recipient) or NOBODY,
            content.messages,
            begun,
            content.attention or "",
        )
