"""What the population register tells of a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

ADULT_AGE: Final = 18
"""The age from which a person may have an account, in years. Source: contract, services, Parties."""

_COORDINATION: Final = 60


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """A person.

    Args:
        number: the personal or coordination number that was asked for: twelve digits.
        name: the name; empty where it is not known.
        born: the day of birth.
        dead: whether the person is dead.
        protected: whether name and number may be shown to nobody.
        now_number: the number that the person has now, where it is another one than was asked for.
        earlier_numbers: the numbers that the person had before the one of now.
    """

    number: str = field(repr=False)
    name: str = field(repr=False)
    born: date = field(repr=False)
    dead: bool = False
    protected: bool = False
    now_number: str | None = field(default=None, repr=False)
    earlier_numbers: tuple[str, ...] = field(default=(), repr=False)

    @property
    def current_number(self) -> str:
        """The number that the person has now."""
        return self.now_number or self.number

    @property
    def all_numbers(self) -> tuple[str, ...]:
        """Every number that the person has or had, the one of now first."""
        return (self.current_number, *self.earlier_numbers)

    def is_adult(self, day: date) -> bool:
        """Tell whether the person is 18 or older on a day. Who was born on 29 February has a birthday on 1 March."""
        years = day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))
        return years >= ADULT_AGE


def birth_day(number: str) -> date | None:
    """Return the day of birth that a personal or coordination number holds; None where that day never was."""
    if len(number) != 12 or not (number.isascii() and number.isdigit()):
        return None
    year, month, day = int(number[:4]), int(number[4:6]), int(number[6:8])
    try:
        return date(year, month, day - _COORDINATION if day > _COORDINATION else day)
    except ValueError:
        return None


def swedish_day(moment: datetime) -> date:
    """Return the day that it is in Sweden at a moment with a time zone: ages are counted by it."""
    return moment.astimezone(ZoneInfo("Europe/Stockholm")).date()
