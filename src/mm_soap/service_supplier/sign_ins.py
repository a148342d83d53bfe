"""Who is signed in to an operator's pages: a record of each sign-in, until it is ended or its time is over.

The session itself is a signed cookie in the browser. A cookie can be copied; without its record it is worth nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select

from mm_soap.service_supplier.tables import sign_in
from mm_soap.storage import reading, writing

_FORGOTTEN_TOGETHER: Final = 500
_held = select(sign_in.c.id).where(sign_in.c.id == bindparam("wanted"), sign_in.c.until > bindparam("now"))
_end = delete(sign_in).where(sign_in.c.id == bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class SignIns:
    """The sign-ins to an operator's pages.

    Args:
        database: the operator's own, migrated.

    Every method raises ``Refused`` with ``UNAVAILABLE`` when the database is away or busy.
    """

    database: Engine

    def begin(self, until: datetime) -> str:
        """Write a sign-in that ends at a time, if nobody ends it before, and return its id. Who it was is not kept."""
        made = token_urlsafe(32)
        with writing(self.database) as connection:
            connection.execute(insert(sign_in), {"id": made, "until": until})
        return made

    def holds(self, sign_in_id: str, now: datetime) -> bool:
        """Tell whether a sign-in was begun here and has not ended."""
        with reading(self.database) as connection:
            return connection.execute(_held, {"wanted": sign_in_id, "now": now}).first() is not None

    def end(self, sign_in_id: str) -> None:
        """End a sign-in; whatever copies there are of its cookie let nobody in from now on."""
        with writing(self.database) as connection:
            connection.execute(_end, {"wanted": sign_in_id})


def forget_sign_ins(connection: Connection, now: datetime) -> int:
    """Delete some of the sign-ins whose time is over, and return how many."""
    over = select(sign_in.c.id).where(sign_in.c.until <= now).limit(_FORGOTTEN_TOGETHER)
    return connection.execute(delete(sign_in).where(sign_in.c.id.in_(over))).rowcount
