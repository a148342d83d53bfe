"""The accounts of a country that does not exist: who has one, and who is asked about.

The recipients are coordination numbers of people born from 1800 to 1889. Such numbers began a century later, so these
were never anybody's; those of the demonstration were born in 1890. Their check digits are right. Every number has a
place in a row that goes through the dates in a shuffled order, then through the dates again with the next serial
number. The first ones have accounts, the others do not: both are spread evenly over the keys, and neither needs a list.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from mm_soap.demonstration import OPERATOR_ONE, OPERATOR_TWO
from mm_soap.message.identifiers import check_digit

HEADER = "recipient,operator,type,registered\n"
"""The first line of an accounts file."""

_SEED = 4
_SERIALS = 1000
_CHECK_DIGITS = 10
_ENDS = 997
"""How many different operators, types and times follow a number, in turn. A prime, so that no date keeps its own."""


@cache
def _dates() -> Sequence[tuple[str, int]]:
    """Return all dates of birth in a shuffled order, as coordination numbers write them, with their Luhn sums."""
    first = date(1800, 1, 1)
    days = [first + timedelta(days) for days in range((date(1890, 1, 1) - first).days)]
    written = [f"{day:%Y%m}{day.day + 60}" for day in days]
    random.Random(_SEED).shuffle(written)
    return [(one, -check_digit(f"{one[2:]}000") % _CHECK_DIGITS) for one in written]


@cache
def _serials() -> Sequence[int]:
    serials = list(range(_SERIALS))
    random.Random(_SEED + 1).shuffle(serials)
    return serials


@cache
def _endings(serial: int) -> Sequence[str]:
    """Return the last four digits for each Luhn sum of a date."""
    own = check_digit(f"000000{serial:03}")
    return [f"{serial:03}{(own - of_date) % _CHECK_DIGITS}" for of_date in range(_CHECK_DIGITS)]


def everybody() -> int:
    """Return how many recipients there can be."""
    return len(_dates()) * _SERIALS


def recipient(place: int) -> str:
    """Return the recipient at a place in the row."""
    turn, at = divmod(place, len(_dates()))
    written, luhn = _dates()[at]
    return written + _endings(_serials()[turn])[luhn]


def account_rows(accounts: int) -> Iterator[str]:
    """Yield the rows of an accounts file for the first recipients, several thousand lines at a time."""
    ends = list(_ends())
    done = turn = 0
    while done < accounts:
        dates = _dates()[: accounts - done]
        endings = _endings(_serials()[turn])
        start = done % _ENDS
        tails = (ends[start:] + ends[:start]) * (len(dates) // _ENDS + 1)
        yield "".join(
            [f"{one}{endings[luhn]}{tail}" for (one, luhn), tail in zip(dates, tails[: len(dates)], strict=True)]
        )
        done, turn = done + len(dates), turn + 1


def write_accounts(file: Path, accounts: int, moved: Callable[[int], None] = lambda _: None) -> None:
    """Write an accounts file; ``moved`` is told how many rows are written."""
    done = 0
    with file.open("w", encoding="ascii", newline="") as out:
        out.write(HEADER)
        for rows in account_rows(accounts):
            out.write(rows)
            done += rows.count("\n")
            moved(done)


def ids_to_ask(chance: random.Random, accounts: int, number: int, deselected: int) -> list[str]:
    """Return ids for one call: of ten, eight with an account, one that is among those who chose, one without account.

    Args:
        chance: chooses them.
        accounts: how many have one.
        number: how many ids.
        deselected: of how many recipients, the first ones, a choice is stored.
    """
    places = [
        chance.randrange(deselected)
        if kind == 0
        else chance.randrange(accounts, everybody())
        if kind == 1
        else chance.randrange(accounts)
        for kind in (chance.randrange(10) for _ in range(number))
    ]
    return [recipient(place) for place in places]


def _ends() -> Iterator[str]:
    """Yield what stands after a number: seven of ten at one operator, one of fifty anonymous, all with a time."""
    chance = random.Random(_SEED + 2)
    begin = datetime(2016, 1, 1)
    for _ in range(_ENDS):
        operator = OPERATOR_ONE if chance.random() < 0.7 else OPERATOR_TWO
        kind = "Anonymous" if chance.random() < 0.02 else "Secure"
        at = begin + timedelta(seconds=chance.randrange(10 * 365 * 86400), milliseconds=chance.randrange(1000))
        yield f",{operator.number},{kind},{at.isoformat(timespec='milliseconds')}Z\n"
