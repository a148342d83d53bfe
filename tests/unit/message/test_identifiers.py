"""Identifiers: their forms and their check digit."""

from __future__ import annotations

import pytest

from mm_soap.message.identifiers import (
    check_digit,
    is_coordination,
    is_identifier,
    is_organisation,
    is_person,
    valid_check_digit,
)


@pytest.mark.parametrize("identifier", ["162021004748", "162021003898", "192705178354", "191212121212"])
def test_known_identities_have_a_right_check_digit(identifier: str) -> None:
    assert is_identifier(identifier)
    assert valid_check_digit(identifier)


def test_every_other_last_digit_is_wrong() -> None:
    wrong = [digit for digit in "0123456789" if not valid_check_digit(f"16202100474{digit}")]
    assert wrong == list("012345679")


def test_the_three_kinds() -> None:
    assert is_organisation("162021004748")
    assert not is_organisation("192705178354")
    assert is_person("192705178354")
    assert not is_person("192705778354")
    assert is_coordination("192705778354")
    assert not is_coordination("192705178354")


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "2021004748",
        "172021004748",
        "192713178354",
        "192705328354",
        "192705608354",
        "192705928354",
        "16202100474\u0668",
        " 162021004748",
        "162021004748\n",
        "162021-004748",
        "1620210047481",
    ],
)
def test_other_forms_are_none_of_them(identifier: str) -> None:
    assert not is_identifier(identifier)


@pytest.mark.parametrize("identifier", ["", "16202100474", "1620210047480", "16202100474x", "16202100474\u0668"])
def test_no_check_digit_in_what_is_not_12_digits(identifier: str) -> None:
    assert not valid_check_digit(identifier)


def test_check_digit_needs_nine_digits() -> None:
    assert check_digit("202100474") == 8
    with pytest.raises(ValueError, match="nine digits"):
        check_digit("20210047")
