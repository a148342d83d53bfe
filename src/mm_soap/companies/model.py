"""Companies, those who may sign for them, and signatory rules as data.

A rule is built from a few kinds. Where a kind speaks of a group, the group is a tuple of role names and personal
numbers; the empty tuple is everybody whom the company register lists for the company.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

BOARD: Final = "board"
"""The role of a member of the board. A deputy is none."""

MANAGING_DIRECTOR: Final = "managing_director"
"""The role of the managing director (verkställande direktör)."""

PROCURIST: Final = "procurist"
"""The role of one who holds a procuration (prokura)."""

ROLES: Final[Mapping[str, str]] = {
    BOARD: "Styrelseledamot",
    "deputy": "Styrelsesuppleant",
    MANAGING_DIRECTOR: "Verkställande direktör",
    "deputy_managing_director": "Vice verkställande direktör",
    PROCURIST: "Prokurist",
    "partner": "Bolagsman",
    "general_partner": "Komplementär",
    "owner": "Innehavare",
    "signatory": "Särskild firmatecknare",
}
"""The roles that a person may have at a company, with their names in Swedish."""

FORMS: Final[Mapping[str, str]] = {
    "AB": "Aktiebolag",
    "BAB": "Bankaktiebolag",
    "FAB": "Försäkringsaktiebolag",
    "HB": "Handelsbolag",
    "KB": "Kommanditbolag",
    "EF": "Enskild firma",
    "EK": "Ekonomisk förening",
    "BF": "Bostadsförening",
    "BRF": "Bostadsrättsförening",
    "KHF": "Kooperativ hyresrättsförening",
}
"""The company forms that are served, by code. Any other form is refused with 6004."""

Group = tuple[str, ...]
"""Role names and personal numbers; empty for everybody whom the company register lists."""


@dataclass(frozen=True, slots=True)
class Together:
    """Any ``count`` persons of a group, together; with a count of 1, each of them alone."""

    count: int
    who: Group = ()


@dataclass(frozen=True, slots=True)
class Named:
    """These persons, all of them together."""

    persons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneFromEach:
    """One person from each group, together. One who is in two groups still counts once."""

    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """The board: all its members, or more than half of them."""

    quorum: Literal["all", "majority"] = "all"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Any one of several rules is enough."""

    rules: tuple[SignatoryRule, ...]


@dataclass(frozen=True, slots=True)
class NotEvaluable:
    """A rule that only people can read; its text says it."""


SignatoryRule = Together | Named | OneFromEach | Board | AnyOf | NotEvaluable
"""Who must sign together for a company."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person whom the company register lists for a company.

    Args:
        personal_number: twelve digits.
        name: as the company register writes it.
        roles: keys of `ROLES`.
    """

    personal_number: str = field(repr=False)
    name: str = field(repr=False)
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Company:
    """What the company register tells of a company.

    Args:
        number: ``16`` and the organisation number.
        name: its name.
        form: the code of its form; those in `FORMS` are served.
        rule: who must sign together.
        signatories: everybody whom the company register lists: those who may sign, and those with a role alone.
        rule_text: the rule in words, for people.
    """

    number: str
    name: str
    form: str
    rule: SignatoryRule
    signatories: tuple[Person, ...] = ()
    rule_text: str = ""


class Status(StrEnum):
    """Whether the signatures so far are enough, in the contract's words."""

    COMPLETE = "Complete"
    INCOMPLETE = "Incomplete"
    RULES_NOT_SUPPORTED = "RulesNotSupported"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How far some signatures have come.

    Args:
        status: whether they are enough.
        signed_by: those who have signed, in the company register's order, each once.
        possible_signers: those whose signature could still help to complete the rule, in the same order.
    """

    status: Status
    signed_by: tuple[Person, ...] = ()
    possible_signers: tuple[Person, ...] = ()
