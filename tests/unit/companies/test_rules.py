"""Signatory rules: what each kind means, and that evaluating agrees with trying every set of persons."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain, combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_soap.companies import (
    AnyOf,
    Board,
    Company,
    Named,
    NotEvaluable,
    OneFromEach,
    Person,
    SignatoryRule,
    Together,
    evaluate,
    signatories_of,
)

A, B, C, D, E = (f"18900{month}619800" for month in range(1, 6))
COMPLETE, INCOMPLETE, NOT_SUPPORTED = "Complete", "Incomplete", "RulesNotSupported"


def company(rule: SignatoryRule, **roles: str) -> Company:
    """A company with the persons a to e; a keyword gives the roles of one, in words."""
    listed = (
        Person(number, name.upper(), tuple(roles.get(name, "").split()))
        for name, number in zip("abcde", (A, B, C, D, E), strict=True)
    )
    return Company("165599999934", "Bolaget", "AB", rule, tuple(listed))


def outcome(of: Company, *signed: str, unable: Collection[str] = ()) -> tuple[str, str]:
    found = evaluate(of, signed, unable)
    assert [person.personal_number for person in found.signed_by] == sorted(set(signed) - set(unable))
    return found.status.value, "".join(person.name for person in found.possible_signers)


def test_each_alone() -> None:
    of = company(Together(1, (A, B)))
    assert outcome(of) == (INCOMPLETE, "AB")
    assert outcome(of, B) == (COMPLETE, "")
    assert outcome(of, C) == (INCOMPLETE, "AB")


def test_any_two_together() -> None:
    of = company(Together(2, ("board",)), a="board", b="board", c="board managing_director", d="deputy")
    assert outcome(of) == (INCOMPLETE, "ABC")
    assert outcome(of, A) == (INCOMPLETE, "BC")
    assert outcome(of, A, C) == (COMPLETE, "")


def test_without_a_group_everybody_listed_counts() -> None:
    assert outcome(company(Together(2)), A) == (INCOMPLETE, "BCDE")


def test_named_persons_together() -> None:
    of = company(Named((A, C)))
    assert outcome(of, B) == (INCOMPLETE, "AC")
    assert outcome(of, A) == (INCOMPLETE, "C")
    assert outcome(of, A, C, D) == (COMPLETE, "")


def test_one_from_each_group() -> None:
    of = company(OneFromEach(((A, B), ("board",))), c="board", d="board")
    assert outcome(of) == (INCOMPLETE, "ABCD")
    assert outcome(of, A) == (INCOMPLETE, "CD")
    assert outcome(of, A, B) == (INCOMPLETE, "CD")
    assert outcome(of, B, D) == (COMPLETE, "")


def test_who_is_in_both_groups_counts_for_one() -> None:
    of = company(OneFromEach(((A, B), (A, C))))
    assert outcome(of, A) == (INCOMPLETE, "BC")
    assert outcome(of, A, B) == (COMPLETE, "")
    assert outcome(company(OneFromEach(((A,), (A,))))) == (NOT_SUPPORTED, "")


def test_the_whole_board_and_its_majority() -> None:
    board = {"a": "board", "b": "board", "c": "board", "d": "board", "e": "deputy"}
    assert outcome(company(Board("all"), **board), A, B, C) == (INCOMPLETE, "D")
    assert outcome(company(Board("all"), **board), A, B, C, D) == (COMPLETE, "")
    assert outcome(company(Board("majority"), **board), A, B) == (INCOMPLETE, "CD")
    assert outcome(company(Board("majority"), **board), A, B, C) == (COMPLETE, "")
    assert outcome(company(Board())) == (NOT_SUPPORTED, "")


def test_any_of_several_rules() -> None:
    of = company(
        AnyOf((Together(1, ("managing_director",)), Together(2, ("board",)))),
        a="managing_director",
        b="board",
        c="board",
    )
    assert outcome(of) == (INCOMPLETE, "ABC")
    assert outcome(of, A) == (COMPLETE, "")
    assert outcome(of, B) == (INCOMPLETE, "AC")


def test_who_only_signs_beside_one_that_needs_nobody_is_no_signatory() -> None:
    of = company(AnyOf((Named((A,)), Named((A, B)))))
    assert outcome(of) == (INCOMPLETE, "A")
    assert [person.name for person in signatories_of(of)] == ["A"]


def test_a_rule_that_nobody_can_evaluate() -> None:
    assert outcome(company(NotEvaluable()), A, B, C, D, E) == (NOT_SUPPORTED, "")
    assert len(signatories_of(company(NotEvaluable()), unable=(A,))) == 4
    assert outcome(company(Together(6))) == (NOT_SUPPORTED, "")


def test_an_alternative_that_cannot_be_evaluated_leaves_the_others() -> None:
    of = company(AnyOf((NotEvaluable(), Together(2, (A, B)))))
    assert outcome(of, A) == (INCOMPLETE, "B")
    assert outcome(of, A, B) == (COMPLETE, "")
    assert outcome(company(AnyOf((NotEvaluable(), NotEvaluable())))) == (NOT_SUPPORTED, "")


def test_who_is_dead_neither_counts_nor_is_waited_for() -> None:
    of = company(Together(2, (A, B, C)))
    assert outcome(of, A, unable=[A]) == (INCOMPLETE, "BC")
    assert outcome(of, A, unable=[B]) == (INCOMPLETE, "C")
    assert outcome(of, unable=[B, C]) == (NOT_SUPPORTED, "")


def test_a_large_board_is_quick() -> None:
    board = tuple(Person(str(190001010000 + n), str(n), ("board",)) for n in range(150))
    of = Company("165599999934", "Stor", "AB", AnyOf((Board("majority"), Board("all"))), board)
    found = evaluate(of, [board[0].personal_number])
    assert len(found.possible_signers) == 149


def test_a_rule_that_is_too_intricate_is_not_evaluated() -> None:
    persons = tuple(Person(str(190001010000 + n), str(n)) for n in range(60))
    pairs = tuple(
        Named((a.personal_number, b.personal_number)) for a, b in zip(persons[::2], persons[1::2], strict=True)
    )
    of = Company("165599999934", "Krånglig", "AB", AnyOf(pairs), persons)
    assert evaluate(of, ()).status.value == NOT_SUPPORTED


# Trying out ------------------------------------------------------------------

_PEOPLE = (A, B, C, D, E)
_groups = st.lists(st.sampled_from([*_PEOPLE, "board", "owner"]), min_size=1, max_size=4, unique=True).map(tuple)
_simple = st.one_of(
    st.builds(Together, st.integers(1, 4), st.one_of(_groups, st.just(()))),
    st.builds(Named, st.lists(st.sampled_from(_PEOPLE), min_size=1, max_size=4, unique=True).map(tuple)),
    st.builds(OneFromEach, st.lists(_groups, min_size=1, max_size=3).map(tuple)),
    st.builds(Board, st.sampled_from(["all", "majority"])),
    st.just(NotEvaluable()),
)
_rules = st.recursive(
    _simple, lambda inner: st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)), max_leaves=4
)
_companies = st.builds(
    lambda rule, roles: company(rule, **dict(zip("abcde", roles, strict=True))),
    _rules,
    st.lists(st.sampled_from(["", "board", "owner", "board owner"]), min_size=5, max_size=5),
)
_some = st.sets(st.sampled_from(_PEOPLE))


def tried(of: Company, rule: SignatoryRule, signed: frozenset[str]) -> bool:
    """Whether persons may sign together, by the words of the rule and nothing else."""

    def group(names: tuple[str, ...]) -> set[str]:
        return {
            p.personal_number
            for p in of.signatories
            if not names or p.personal_number in names or {*p.roles} & {*names}
        }

    match rule:
        case Together(count, who):
            return len(signed & group(who)) >= count
        case Named(persons):
            return signed >= set(persons)
        case OneFromEach(groups):
            return any(
                all(one in group(names) for one, names in zip(order, groups, strict=True))
                for order in permutations(signed, len(groups))
            )
        case Board(quorum):
            board = group(("board",))
            present = len(signed & board)
            return bool(board) and (present == len(board) if quorum == "all" else 2 * present > len(board))
        case AnyOf(rules):
            return any(tried(of, one, signed) for one in rules)
        case _:
            return False


def sets(of: Collection[str]) -> Iterator[frozenset[str]]:
    return map(frozenset, chain.from_iterable(combinations(sorted(of), size) for size in range(len(of) + 1)))


@settings(max_examples=300)
@given(_companies, _some, _some)
def test_evaluating_is_the_same_as_trying_every_set(of: Company, some: set[str], unable: set[str]) -> None:
    signed = frozenset(some) - unable
    able = frozenset(_PEOPLE) - unable
    found = evaluate(of, some, unable)
    if not tried(of, of.rule, able):
        assert found.status.value == NOT_SUPPORTED
        return
    assert found.status.value == (COMPLETE if tried(of, of.rule, signed) else INCOMPLETE)
    expected = {
        one
        for others in sets(able - signed)
        for one in able - signed - others
        if tried(of, of.rule, signed | others | {one}) and not tried(of, of.rule, signed | others)
    }
    assert {person.personal_number for person in found.possible_signers} == expected


@settings(max_examples=100)
@given(_companies)
def test_asking_possible_signers_one_after_another_completes_the_rule(of: Company) -> None:
    signed: list[str] = []
    while (found := evaluate(of, signed)).status.value == INCOMPLETE:
        assert found.possible_signers
        signed.append(found.possible_signers[0].personal_number)
    assert len(signed) <= len(_PEOPLE)


@pytest.mark.parametrize("signed", [[A, A], ["190001010000"], ["someone"]])
def test_who_signs_twice_counts_once_and_strangers_never(signed: list[str]) -> None:
    assert evaluate(company(Together(2)), signed).status.value == INCOMPLETE
