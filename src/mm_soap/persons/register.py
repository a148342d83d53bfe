"""The port to the population register."""

from __future__ import annotations

from typing import Protocol

from mm_soap.errors import MmSoapError
from mm_soap.persons.model import RegisteredPerson, birth_day


class PopulationRegisterAway(MmSoapError):
    """The population register gave no answer. Technical: faults tell it as 4000.

    Args:
        cause: what happened, for the log; never any content of an answer.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"the population register gave no answer: {self.cause}"


class PopulationRegister(Protocol):
    """Where persons are looked up."""

    def find(self, number: str) -> RegisteredPerson | None:
        """Return a person by a number that the person has or had; None where nobody has.

        Raises:
            PopulationRegisterAway: there is no answer.
        """
        ...


class NumberedPersons:
    """Knows of a person what the number itself tells: the day of birth.

    The population register of an installation that has none: everybody whose number holds a real day is alive, may be
    shown, and has no known name.
    """

    def find(self, number: str) -> RegisteredPerson | None:
        """Return a person by the number; None where it holds no day that ever was."""
        born = birth_day(number)
        return None if born is None else RegisteredPerson(number, "", born)
