"""How recipients are reached: their contact settings, and the addresses that do not work. Queries.

What an address refuses for good is counted in a row: a notice that is taken begins anew. One that was taken and came
back counts on from where the row stood before it was taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, true, update

from mm_soap.service_supplier.contacts import EMAIL, SMS, Contact
from mm_soap.service_supplier.tables import mailbox

_Where = tuple[ColumnElement[bool], ...]

_NAMES: Final = {EMAIL: "email", SMS: "mobile"}
_ADDRESSES: Final = {channel: mailbox.c[name] for channel, name in _NAMES.items()}
_REFUSALS: Final = {channel: mailbox.c[f"{name}_refusals"] for channel, name in _NAMES.items()}
_FAILED: Final = {channel: mailbox.c[f"{name}_failed"] for channel, name in _NAMES.items()}
_SINCE: Final = {channel: mailbox.c[f"{name}_since"] for channel, name in _NAMES.items()}

CONTACT: Final = (
    *(mailbox.c.email, mailbox.c.mobile, mailbox.c.language, mailbox.c.wanted, mailbox.c.frequency),
    *(mailbox.c.email_failed, mailbox.c.mobile_failed),
)
"""The columns of `read_contact`."""

_hold = select(*CONTACT).where(mailbox.c.recipient == bindparam("recipient")).with_for_update(key_share=True)
_save = (
    update(mailbox)
    .where(mailbox.c.recipient == bindparam("row"))
    .values(
        email=bindparam("new_email"),
        mobile=bindparam("new_mobile"),
        language=bindparam("new_language"),
        wanted=bindparam("new_wanted"),
        frequency=bindparam("new_frequency"),
    )
)


def read_contact(row: Any) -> Contact:
    """Return the contact settings in a row that has the columns of `CONTACT`."""
    since = {EMAIL: row.email_failed, SMS: row.mobile_failed}
    return Contact(
        row.email,
        row.mobile,
        row.language,
        frozenset(row.wanted.split(",")) - {""},
        row.frequency,
        {channel: moment for channel, moment in since.items() if moment is not None},
    )


def save_contact(connection: Connection, recipient: str, contact: Contact, now: datetime) -> bool:
    """Write a recipient's contact settings; False if the mailbox is not here. A new address works until it does not."""
    row = connection.execute(_hold, {"recipient": recipient}).first()
    if row is None:
        return False
    parameters = {
        "row": recipient,
        "new_email": contact.email,
        "new_mobile": contact.mobile,
        "new_language": contact.language,
        "new_wanted": ",".join(sorted(contact.wanted)),
        "new_frequency": contact.frequency,
    }
    connection.execute(_save, parameters)
    changed = ((EMAIL, row.email != contact.email), (SMS, row.mobile != contact.mobile))
    begin_anew(connection, recipient, [channel for channel, other in changed if other], now)
    return True


def begin_anew(connection: Connection, recipient: str, channels: Iterable[str], now: datetime) -> bool:
    """Let addresses count as working; False if the mailbox is not here. What was sent before counts no more."""
    found = True
    for channel in channels:
        fresh = {_REFUSALS[channel].name: 0, _FAILED[channel].name: None, _SINCE[channel].name: now}
        changed = connection.execute(update(mailbox).where(mailbox.c.recipient == recipient).values(**fresh))
        found = changed.rowcount > 0
    return found


def taken(connection: Connection, recipient: str, channel: str, to: str) -> int:
    """Write that a channel took something for an address; return the refusals in a row that this one ended."""
    count = _REFUSALS[channel]
    mine = (mailbox.c.recipient == recipient, _ADDRESSES[channel] == to)
    before = connection.execute(select(count).where(*mine, count > 0).with_for_update(key_share=True)).scalar()
    if before is None:
        return 0
    connection.execute(update(mailbox).where(*mine).values({count.name: 0}))
    return int(before)


def refused(
    connection: Connection,
    recipient: str,
    channel: str,
    to: str,
    limit: int,
    now: datetime,
) -> bool:
    """Count that an address refused something for good; tell whether it does not work from now on.

    Args:
        connection: in a transaction that writes.
        recipient: whose address.
        channel: ``EMail`` or ``SMS``.
        to: the address. One that its recipient has changed meanwhile is not counted.
        limit: how many in a row an address may refuse before it counts as one that does not work.
        now: the time.
    """
    mine = (mailbox.c.recipient == recipient, _ADDRESSES[channel] == to)
    return _add(connection, channel, 1, mine) and _judge(connection, channel, _REFUSALS[channel] >= limit, now, mine)


def came_back(
    connection: Connection,
    recipient: str,
    channel: str,
    row: int,
    sent: datetime,
    limit: int,
    now: datetime,
    *,
    last: bool,
) -> bool:
    """Count that something came back that a channel had taken; as `refused`.

    Args:
        connection, recipient, channel, limit, now: as for `refused`.
        row: how many in a row it makes: what `taken` returned for it, and itself.
        sent: when it was to be sent. What is older than the address is not counted.
        last: whether nothing was taken after it. Else the row has ended there, unless that comes back too.
    """
    mine = (mailbox.c.recipient == recipient, or_(_SINCE[channel].is_(None), _SINCE[channel] <= sent))
    if not last:
        return row >= limit and _judge(connection, channel, true(), now, mine)
    return _add(connection, channel, row, mine) and _judge(connection, channel, _REFUSALS[channel] >= limit, now, mine)


def _add(connection: Connection, channel: str, number: int, mine: _Where) -> bool:
    count = _REFUSALS[channel]
    return connection.execute(update(mailbox).where(*mine).values({count.name: count + number})).rowcount > 0


def _judge(connection: Connection, channel: str, over: ColumnElement[bool], now: datetime, mine: _Where) -> bool:
    failed = _FAILED[channel]
    changed = update(mailbox).where(*mine, failed.is_(None), over).values({failed.name: now})
    return connection.execute(changed).rowcount > 0
