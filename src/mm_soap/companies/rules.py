"""Evaluate a signatory rule.

Every rule is brought to one shape: it is met when any of its demands is met, and a demand is a list of places, each a
number of signatures to come from a set of persons, where nobody's signature fills two places.

Whether places can be filled is Hall's condition: for each choice of places, those who signed and stand in any of their
sets are at least as many as the signatures that these places need. That depends only on how many of each class of
interchangeable persons have signed, so counts are looked at and never persons: a majority of a board of twenty is
twenty steps and not a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import Final

from mm_soap.companies.model import (
    BOARD,
    AnyOf,
    Board,
    Company,
    Evaluation,
    Group,
    Named,
    NotEvaluable,
    OneFromEach,
    Person,
    SignatoryRule,
    Status,
    Together,
)

MOST_STEPS: Final = 2_000_000
"""The most work that one evaluation may be; a rule that would be more counts as one that cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class _Place:
    count: int
    persons: frozenset[str]


_Demand = tuple[_Place, ...]


@dataclass(frozen=True, slots=True)
class _Condition:
    """At least ``needed`` signatures from these classes, which are named by their index."""

    classes: tuple[int, ...]
    needed: int


@dataclass(frozen=True, slots=True)
class _Counted:
    """A rule over classes of persons who are interchangeable: each class is a set of them."""

    classes: tuple[frozenset[str], ...]
    alternatives: tuple[tuple[_Condition, ...], ...]

    def met(self, counts: Sequence[int]) -> bool:
        """Tell whether so many signatures from each class are enough."""
        return any(
            all(sum(counts[index] for index in one.classes) >= one.needed for one in conditions)
            for conditions in self.alternatives
        )

    def counts(self, signed: frozenset[str]) -> list[int]:
        """Return how many of each class have signed."""
        return [len(persons & signed) for persons in self.classes]

    @property
    def steps(self) -> int:
        """The most work that finding those who help can be: each state times each condition."""
        states = prod(len(persons) + 1 for persons in self.classes)
        return states * sum(len(conditions) for conditions in self.alternatives)

    def helpful(self, counts: Sequence[int]) -> frozenset[int]:
        """Return the classes of whom one more signature makes the difference after some others."""
        sizes = [len(persons) for persons in self.classes]
        sought = {index for index, size in enumerate(sizes) if counts[index] < size}
        found: set[int] = set()
        for state in product(*(range(count, size + 1) for count, size in zip(counts, sizes, strict=True))):
            if found == sought:
                break
            if self.met(state):
                continue
            for index in sought - found:
                if state[index] < sizes[index]:
                    with_one = list(state)
                    with_one[index] += 1
                    if self.met(with_one):
                        found.add(index)
        return frozenset(found)


def evaluate(company: Company, signed_by: Collection[str], unable: Collection[str] = ()) -> Evaluation:
    """Return how far the signatures of some persons have come by a company's signatory rule.

    A possible signer is one who has not signed and whose signature makes the difference in some set of signatures that
    completes the rule together with those already there. Who is not listed for the company counts for nothing: callers
    refuse such a signature first, see `signatories_of`.

    Args:
        company: the company.
        signed_by: the personal numbers of those who have signed.
        unable: the personal numbers of those who can sign no more, such as the dead. They still count among the
            members of a board.

    The status is ``RULES_NOT_SUPPORTED`` where the rule is for people alone, where nobody could ever complete it, and
    where it is too intricate (`MOST_STEPS`). Of the alternatives in a rule, those that cannot be evaluated are left
    out.
    """
    signed = frozenset(signed_by) - frozenset(unable)
    who = tuple(person for person in company.signatories if person.personal_number in signed)
    rule = _counted(company, frozenset(unable))
    if rule is None or rule.steps > MOST_STEPS or not rule.met([len(persons) for persons in rule.classes]):
        return Evaluation(Status.RULES_NOT_SUPPORTED, who)
    counts = rule.counts(signed)
    if rule.met(counts):
        return Evaluation(Status.COMPLETE, who)
    able = frozenset[str]().union(*(rule.classes[index] for index in rule.helpful(counts))) - signed
    possible = tuple(person for person in company.signatories if person.personal_number in able)
    return Evaluation(Status.INCOMPLETE, who, possible)


def signatories_of(company: Company, unable: Collection[str] = ()) -> tuple[Person, ...]:
    """Return those whose signature can count for a company: the possible signers before anybody has signed.

    Where the rule cannot be evaluated these are all whom the company register lists, without those who are unable.
    """
    nobody_yet = evaluate(company, (), unable)
    if nobody_yet.status is Status.RULES_NOT_SUPPORTED:
        return tuple(person for person in company.signatories if person.personal_number not in unable)
    return nobody_yet.possible_signers


def members(company: Company, group: Group) -> frozenset[str]:
    """Return the personal numbers of those in a group of a rule."""
    return frozenset(
        person.personal_number
        for person in company.signatories
        if not group or person.personal_number in group or not frozenset(group).isdisjoint(person.roles)
    )


def _demands(company: Company, rule: SignatoryRule) -> Iterator[_Demand]:
    match rule:
        case Together(count, who):
            yield (_Place(count, members(company, who)),)
        case Named(persons):
            yield (_Place(len(frozenset(persons)), frozenset(persons)),)
        case OneFromEach(groups):
            yield tuple(_Place(1, members(company, group)) for group in groups)
        case Board(quorum):
            board = members(company, (BOARD,))
            # A company without a board is signed for by nobody rather than by an empty one.
            yield (_Place(max(1, len(board) if quorum == "all" else len(board) // 2 + 1), board),)
        case AnyOf(rules):
            for one in rules:
                yield from _demands(company, one)
        case NotEvaluable():
            return


def _counted(company: Company, unable: frozenset[str]) -> _Counted | None:
    demands = list(dict.fromkeys(_demands(company, company.rule)))
    able = frozenset(person.personal_number for person in company.signatories) - unable
    kinds: dict[tuple[tuple[int, int], ...], set[str]] = {}
    for person in able:
        stands_in = tuple(
            (first, second)
            for first, demand in enumerate(demands)
            for second, place in enumerate(demand)
            if person in place.persons
        )
        if stands_in:
            kinds.setdefault(stands_in, set()).add(person)
    if not kinds:
        return None
    alternatives = tuple(tuple(_conditions(number, demand, kinds)) for number, demand in enumerate(demands))
    return _Counted(tuple(frozenset(persons) for persons in kinds.values()), alternatives)


def _conditions(number: int, demand: _Demand, kinds: Iterable[tuple[tuple[int, int], ...]]) -> Iterator[_Condition]:
    """Yield Hall's condition of each choice of places of one demand."""
    kinds = list(kinds)
    for size in range(1, len(demand) + 1):
        for chosen in combinations(range(len(demand)), size):
            wanted = {(number, place) for place in chosen}
            classes = tuple(index for index, stands_in in enumerate(kinds) if not wanted.isdisjoint(stands_in))
            yield _Condition(classes, sum(demand[place].count for place in chosen))
