"""The journal of a batch: what was checked, what may have been sent, and what came of it.

An SQLite file beside the batch. A row's signed bytes are in it before they are sent for the first time, and they alone
are sent from then on: the dispatcher answers the same bytes with the same distribution id, so a crash between any two
lines of the sender sends nothing twice.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import and_, bindparam, case, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from mm_soap.batch import journal_tables as tables
from mm_soap.batch.model import Counts, Outcome, State
from mm_soap.errors import ConfigurationError
from mm_soap.storage import open_database, reading, writing

_PAGE: Final = 1000
_DOCUMENTS: Final = 8
"""Documents that are read at once: each may be of some megabytes."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the dispatcher said of an accepted row."""

    line: int
    type: str | None
    delivery_status: str | None
    ended: bool


class Journal:
    """The journal of one batch. One process at a time has it open; its methods are for one thread.

    Args:
        path: the journal's file, made if it is missing.
        file_sha256: the SHA-256 of the batch file.
        sender: the sender's organisation number.

    Raises:
        ConfigurationError: it belongs to another file or sender, another process has it, or it cannot be written.
    """

    def __init__(self, path: Path, file_sha256: str, sender: str) -> None:
        self._open = ExitStack()
        self._take(path)
        self._database = open_database(path)
        self._open.callback(self._database.dispose)
        tables.metadata.create_all(self._database)
        wanted = {"form": tables.FORM, "file_sha256": file_sha256, "sender": sender}
        with writing(self._database) as connection:
            known = connection.execute(select(tables.batch)).mappings().one_or_none()
            if known is None or not known["checked"]:  # nothing of it was sent
                connection.execute(tables.batch.delete())
                connection.execute(insert(tables.batch).values(**wanted, checked=False))
                known = None
        if known is not None and {name: known[name] for name in wanted} != wanted:
            self.close()
            raise ConfigurationError(
                f"The journal {path} belongs to another batch, or the file was changed since: finish that one with the "
                "file as it was, or name another journal with --journal."
            )
        self.checked = known is not None
        """Whether all rows were checked and stand in the journal."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let others have it."""
        self._open.close()

    def _take(self, path: Path) -> None:
        try:
            lock = self._open.enter_context(path.with_name(f"{path.name}.lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It holds personal numbers. SQLite makes the files beside it as the file is when it opens it.
            path.touch(0o600)
            path.chmod(0o600)
        except BlockingIOError:
            self._open.close()
            raise ConfigurationError(f"The journal {path} is in use: wait until the other run has ended.") from None
        except OSError as error:
            self._open.close()
            raise ConfigurationError(f"The journal {path} cannot be written: {error.strerror}.") from None

    # Checking

    def begin_check(self) -> None:
        """Forget the rows of a check that did not end."""
        with writing(self._database) as connection:
            connection.execute(tables.row.delete())

    def add(self, good: Sequence[tuple[int, str, str]], bad: Sequence[tuple[int, str]]) -> None:
        """Write down rows that were checked: line, recipient and message id, or line and why it cannot be sent."""
        checked = {"state": State.CHECKED.value, "washed": False, "reason": None}
        invalid = {"state": State.INVALID.value, "washed": False, "recipient": "", "message_id": ""}
        with writing(self._database, durable=False) as connection:
            if good:
                rows = [{"line": line, "recipient": to, "message_id": name, **checked} for line, to, name in good]
                connection.execute(insert(tables.row), rows)
            if bad:
                connection.execute(insert(tables.row), [{"line": line, "reason": why, **invalid} for line, why in bad])

    def refuse_repeated(self, why: str) -> None:
        """Refuse each row whose message id an earlier row has."""
        earlier = tables.row.alias()
        first = (
            select(func.min(earlier.c.line)).where(earlier.c.message_id == tables.row.c.message_id).scalar_subquery()
        )
        repeated = (tables.row.c.state == State.CHECKED.value, tables.row.c.line > first)
        with writing(self._database) as connection:
            connection.execute(update(tables.row).where(*repeated).values(state=State.INVALID.value, reason=why))

    def end_check(self) -> None:
        """Write down that every row was checked."""
        with writing(self._database) as connection:
            connection.execute(update(tables.batch).values(checked=True))
        self.checked = True

    # Washing

    def unwashed(self) -> list[tuple[int, str]]:
        """Return the next rows whose recipients the register was not asked about: line and recipient."""
        query = (
            select(tables.row.c.line, tables.row.c.recipient)
            .where(tables.row.c.state == State.CHECKED.value, tables.row.c.washed.is_(False))
            .order_by(tables.row.c.line)
            .limit(_PAGE)
        )
        with reading(self._database) as connection:
            return [(row.line, row.recipient) for row in connection.execute(query)]

    def washed(self, obstacles: Mapping[int, str]) -> None:
        """Write down, by line, why the register does not let the sender reach a recipient; nothing where it does."""
        values = [
            {"at": line, "to": (State.UNREACHABLE if why else State.CHECKED).value, "why": why or None}
            for line, why in obstacles.items()
        ]
        with writing(self._database, durable=False) as connection:
            connection.execute(tables.WASHED, values)

    # Sending

    def to_sign(self, lines: Sequence[int]) -> dict[int, str]:
        """Return which of some lines are still to be signed, with their message ids."""
        query = select(tables.row.c.line, tables.row.c.message_id).where(
            tables.row.c.line.between(min(lines), max(lines)), tables.row.c.state == State.CHECKED.value
        )
        with reading(self._database) as connection:
            return {row.line: row.message_id for row in connection.execute(query)}

    def signed(self, documents: Mapping[int, bytes]) -> None:
        """Keep signed bytes, by line. They may be sent when this has returned."""
        with writing(self._database) as connection:
            connection.execute(tables.SIGNED, [{"at": line, "bytes": document} for line, document in documents.items()])

    def unsent(self, after: int) -> dict[int, bytes]:
        """Return the next signed bytes whose answers did not come in an earlier run, by line, from beyond a line."""
        query = (
            select(tables.row.c.line, tables.row.c.document)
            .where(tables.row.c.state == State.SIGNED.value, tables.row.c.line > after)
            .order_by(tables.row.c.line)
            .limit(_DOCUMENTS)
        )
        with reading(self._database) as connection:
            return {row.line: row.document for row in connection.execute(query)}

    def sent(self, accepted: Mapping[int, str], refused: Mapping[int, str]) -> None:
        """Write down answers by line: distribution ids, and reasons of refusals."""
        with writing(self._database) as connection:
            if accepted:
                connection.execute(tables.ACCEPTED, [{"at": line, "id": each} for line, each in accepted.items()])
            if refused:
                connection.execute(tables.REFUSED, [{"at": line, "why": each} for line, each in refused.items()])

    # Following

    def accepted(self, after: int) -> list[tuple[int, str]]:
        """Return the next rows that have not ended, from beyond a line: line and distribution id."""
        query = (
            select(tables.row.c.line, tables.row.c.distribution_id)
            .where(tables.row.c.state == State.ACCEPTED.value, tables.row.c.line > after)
            .order_by(tables.row.c.line)
            .limit(_PAGE)
        )
        with reading(self._database) as connection:
            return [(row.line, row.distribution_id) for row in connection.execute(query)]

    def told(self, answers: Iterable[Told]) -> None:
        """Write down what the dispatcher says of rows."""
        values = [
            {
                "at": each.line,
                "to": (State.ENDED if each.ended else State.ACCEPTED).value,
                "kind": each.type,
                "status": each.delivery_status,
            }
            for each in answers
        ]
        if values:
            with writing(self._database, durable=False) as connection:
                connection.execute(tables.TOLD, values)

    # Telling

    def counts(self) -> Counts:
        """Count the rows by what became of them."""
        delivered = case((tables.row.c.delivery_status == "Delivered", 1), else_=0)
        failed = func.coalesce(tables.row.c.delivery_status, "") == "DeliveryFailed"
        printed = case(((tables.row.c.type == "Paper") & ~failed, 1), else_=0)
        query = select(
            tables.row.c.state, func.count().label("rows"), func.sum(func.max(delivered, printed)).label("delivered")
        ).group_by(tables.row.c.state)
        with reading(self._database) as connection:
            found: dict[str, Any] = {each.state: each for each in connection.execute(query)}
        by_state = {state: found[state.value].rows if state.value in found else 0 for state in State}
        ended = by_state[State.ENDED]
        good = int(found[State.ENDED.value].delivered) if ended else 0
        return Counts(
            rows=sum(by_state.values()),
            invalid=by_state[State.INVALID],
            unreachable=by_state[State.UNREACHABLE],
            waiting=by_state[State.CHECKED] + by_state[State.SIGNED],
            accepted=by_state[State.ACCEPTED],
            refused=by_state[State.REFUSED],
            delivered=good,
            failed=ended - good,
        )

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what is known of each row, by line."""
        return self._outcomes(tables.row.c.line > bindparam("after"))

    def of(self, state: State) -> Iterator[Outcome]:
        """Yield the rows of one state, by line."""
        return self._outcomes(and_(tables.row.c.line > bindparam("after"), tables.row.c.state == state.value))

    def _outcomes(self, condition: ColumnElement[bool]) -> Iterator[Outcome]:
        columns = [column for column in tables.row.c if column.name not in ("document", "washed")]
        query = select(*columns).where(condition).order_by(tables.row.c.line).limit(_PAGE)
        after = 0
        while True:
            with reading(self._database) as connection:
                page = connection.execute(query, {"after": after}).all()
            if not page:
                return
            for row in page:
                yield Outcome(
                    row.line,
                    row.recipient,
                    row.message_id,
                    State(row.state),
                    row.distribution_id,
                    row.type,
                    row.delivery_status,
                    row.reason,
                )
            after = page[-1].line
