"""The companies and the persons of the demonstration. None of them exists."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

from mm_soap.companies import Company, Named, NotEvaluable, Person, Together, write_companies
from mm_soap.persons import RegisteredPerson, write_persons

COMPANIES_FILE: Final = "companies.json"
PERSONS_FILE: Final = "persons.json"

# Coordination numbers of people born in 1890, which were never anybody's; one is the contract's known recipient.
_BORN: Final = date(1890, 1, 1)
ANNA: Final = RegisteredPerson("192705178354", "Anna Demo", date(1927, 5, 17))
BERTIL: Final = RegisteredPerson("189001619809", "Bertil Demo", _BORN)
CECILIA: Final = RegisteredPerson("189002619808", "Cecilia Demo", date(1890, 2, 1))
PROTECTED: Final = RegisteredPerson("189004619806", "Dold Demo", date(1890, 4, 1), protected=True)
DEAD: Final = RegisteredPerson("189005619805", "Erik Demo", date(1890, 5, 1), dead=True)
CHILD: Final = RegisteredPerson("189006619804", "Frida Demo", date(2020, 6, 1))
PERSONS: Final = (ANNA, BERTIL, CECILIA, PROTECTED, DEAD, CHILD)
"""A file with these says too that others exist, with what their numbers tell: whoever tries may be anybody."""


def _listed(person: RegisteredPerson, *roles: str) -> Person:
    return Person(person.number, person.name, roles)


COMPANIES: Final = (
    Company(
        "165599999934",
        "Demobolaget AB",
        "AB",
        Together(2, ("board",)),
        (_listed(ANNA, "board", "managing_director"), _listed(BERTIL, "board"), _listed(CECILIA, "board")),
        "Firman tecknas av två styrelseledamöter i förening.",
    ),
    Company(
        "165599999942",
        "Ensam Demo AB",
        "AB",
        Together(1, ("board",)),
        (_listed(ANNA, "board"), _listed(PROTECTED, "board")),
        "Firman tecknas av varje styrelseledamot för sig.",
    ),
    Company(
        "165599999959",
        "Handelsbolaget Demo",
        "HB",
        Named((ANNA.number, BERTIL.number)),
        (_listed(ANNA, "partner"), _listed(BERTIL, "partner")),
        "Firman tecknas av Anna Demo och Bertil Demo i förening.",
    ),
    Company(
        "165599999967",
        "Svårtydda Demo AB",
        "AB",
        NotEvaluable(),
        (_listed(ANNA, "board"),),
        "Firman tecknas enligt särskilt beslut av bolagsstämman.",
    ),
    Company(
        "165599999975", "Stiftelsen Demo", "S", Together(1), (_listed(ANNA, "board"),), "Styrelsen tecknar firman."
    ),
)
"""A company for each thing to try: any two together, each alone, named persons, a rule for people alone, and a form
that is not served."""


def write_registers(folder: Path) -> None:
    """Write the files of companies and persons into a folder.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    write_companies(folder / COMPANIES_FILE, COMPANIES)
    write_persons(folder / PERSONS_FILE, PERSONS, complete=False)
