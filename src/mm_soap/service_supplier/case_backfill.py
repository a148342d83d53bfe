"""What messages from before there were cases say of theirs, read from the requests that brought them.

Those are kept as evidence for as long as one of their messages is, and their signatures were verified when they came.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from mm_soap.dsig.policy import SIGNED_DELIVERY
from mm_soap.errors import Refused
from mm_soap.message import AgreedDetail, Message, agreed_details, read_delivery
from mm_soap.service_supplier.case_store import add_events
from mm_soap.service_supplier.model import Kind
from mm_soap.service_supplier.tables import delivery, installation, message, official_matter
from mm_soap.soap.envelope import payload_of
from mm_soap.storage import evidence_of
from mm_soap.xml import parse_untrusted

_log = logging.getLogger(__name__)

_TOGETHER: Final = 20
"""Deliveries in one transaction: each request is parsed, and others wait for the database meanwhile."""


def learn_old_cases(connection: Connection, now: datetime) -> int:
    """Learn what some deliveries from before there were cases say of them, newest first; return how many were read."""
    until = connection.execute(select(installation.c.uncased_to).with_for_update()).scalar_one()
    if until == 0:
        return 0
    old = select(delivery.c.id).where(delivery.c.id <= until).order_by(delivery.c.id.desc()).limit(_TOGETHER)
    ids = connection.execute(old).scalars().all()
    # The lock keeps deletions away, in the order in which they too lock.
    held_fast = select(delivery).where(delivery.c.id.in_(ids)).order_by(delivery.c.id).with_for_update()
    rows = connection.execute(held_fast).all()
    for row in rows:
        held = connection.execute(
            select(message.c.position, message.c.recipient)
            .outerjoin(
                official_matter,
                (official_matter.c.delivery == message.c.delivery) & (official_matter.c.position == message.c.position),
            )
            .where(message.c.delivery == row.id, message.c.kind == Kind.SECURE.value)
            .where(official_matter.c.delivery.is_(None))
        ).all()
        if held:
            told = _read(connection, row.call_id)
            known = [(one.position, *told[one.position]) for one in held if one.position < len(told)]
            add_events(connection, row.id, held[0].recipient, row.sender, known)
    connection.execute(update(installation).values(uncased_to=min(ids) - 1 if ids else 0))
    return len(ids)


def _read(connection: Connection, call_id: str) -> Sequence[tuple[Message, tuple[AgreedDetail, ...]]]:
    accepted = (one.content for one in evidence_of(connection, call_id) if one.verdict == "accepted")
    raw = next(accepted, None)
    if raw is None or b"OfficialMatter" not in raw:
        return ()
    try:
        signed = payload_of(parse_untrusted(raw))[0].findall(SIGNED_DELIVERY)
        if len(signed) != 1:
            return ()
        return list(zip(read_delivery(signed[0]).messages, agreed_details(signed[0]), strict=True))
    except (Refused, IndexError):
        # It was read when it came. If it cannot be now, its messages stay as they are, in no case.
        _log.warning("the evidence of a delivery cannot be read for its cases")
        return ()
