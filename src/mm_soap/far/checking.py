"""Whether the rows of an accounts file are right, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Final

from mm_soap.far.model import AccountType
from mm_soap.far.staging import StagedRow, Staging
from mm_soap.message.identifiers import is_identifier
from mm_soap.row_files import Columns, FileRow

ACCOUNT_COLUMNS: Final = Columns(("recipient", "operator"), ("type", "registered"))
"""What an accounts file holds."""

_TYPES: Final = {"": "Secure", **{kind.value: kind.value for kind in (AccountType.SECURE, AccountType.ANONYMOUS)}}
_REPORT_EVERY: Final = 10_000

Progress = Callable[[str, int, int | None], None]
"""Called now and then with what is being done, how many rows are done, and of how many if that is known."""


class Counter:
    """How many rows an import has read, and whom to tell of it."""

    def __init__(self, progress: Progress) -> None:
        self.rows = 0
        self.progress = progress


def checked_rows(
    rows: Iterable[FileRow], operators: Collection[str], check_digits: bool, staged: Staging, counter: Counter
) -> Iterator[StagedRow]:
    """Yield each good row as it is staged; refuse the others."""
    # The one loop that runs ten million times in Python: what it needs is held in local names.
    high, low = luhn_tables()
    types, refuse, is_form, count = _TYPES, staged.refuse, is_identifier, 0
    dates: set[str] = set()  # dates of birth that were seen: some ten thousand
    endings = frozenset(f"{number:04}" for number in range(10_000))
    for line, values, problem in rows:
        count += 1
        if count % _REPORT_EVERY == 0:
            counter.progress("reading", count, None)
        if values is None:
            refuse(line, problem)
            continue
        recipient, at, kind, registered = values
        if not (recipient[:8] in dates and recipient[8:] in endings):
            if not is_form(recipient):
                refuse(line, "the recipient is not 12 digits that name a person or an organisation")
                continue
            if recipient[:2] != "16":
                dates.add(recipient[:8])
        number = int(recipient)
        if check_digits and (high[number // 100_000 % 100_000] + low[number % 100_000]) % 10:
            refuse(line, "the check digit of the recipient is wrong")
        elif at not in operators:
            refuse(line, "the operator is not the organisation number of a connected operator")
        elif kind not in types:
            refuse(line, "the type is neither Secure nor Anonymous")
        elif not registered:
            yield number, types[kind], at, None, line
        else:
            moment = _moment(registered)
            if moment is None:
                refuse(line, "the time of registration is not an ISO 8601 time with a time zone")
            else:
                yield number, types[kind], at, moment, line
    counter.rows = count


def _moment(text: str) -> str | None:
    """Return a moment as SQLite stores it, in UTC; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        if moment.tzinfo is UTC:
            # The text is valid. Cut up, it gives in a tenth of the time what isoformat gives.
            if len(text) == 24 and text[4:20:3] == "--T::." and text[23] == "Z":
                return f"{text[:10]} {text[11:23]}000"
            if len(text) == 20 and text[4:17:3] == "--T::" and text[19] == "Z":
                return f"{text[:10]} {text[11:19]}.000000"
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    except (ValueError, OverflowError):
        return None


@cache
def luhn_tables() -> tuple[bytes, bytes]:
    """Return the Luhn sums, modulo 10, of the digits that stand first and last among ten: five each, by their number.

    A recipient's check digit is right when the two sums add up to a multiple of ten. This is
    `mm_soap.message.identifiers.valid_check_digit` in two look-ups, for an import's ten million rows.
    """
    once, twice = tuple(range(10)), (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

    def table(digits: Sequence[Sequence[int]]) -> bytes:
        sums = [0]
        for values in digits:
            sums = [(one + value) % 10 for one in sums for value in values]
        return bytes(sums)

    return table((twice, once, twice, once, twice)), table((once, twice, once, twice, once))
