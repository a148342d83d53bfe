"""The identifiers of organisations and persons: 12 digits. Source: the contract's messages, "Identifiers".

The form is the schema's ``RecipientId`` and ``OrganizationNumber``, in the digits 0 to 9 alone. Whether the check digit
must be right is a setting of each installation, since published test identities exist that fail it.
"""

from __future__ import annotations

import re
from typing import Final

_ORGANISATION: Final = re.compile(r"16[0-9]{10}")
_PERSON: Final = re.compile(r"(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{4}")
_COORDINATION: Final = re.compile(r"(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:6[1-9]|[78][0-9]|9[01])[0-9]{4}")
_CHECKED_DIGITS: Final = 10
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # the digit sum of 2 * n


def is_organisation(identifier: str) -> bool:
    """Whether this is ``16`` and an organisation number."""
    return _ORGANISATION.fullmatch(identifier) is not None


def is_person(identifier: str) -> bool:
    """Whether this has the form of a personal number: century 18 to 20, month, day, four digits."""
    return _PERSON.fullmatch(identifier) is not None


def is_coordination(identifier: str) -> bool:
    """Whether this has the form of a coordination number: a personal number with 60 added to the day."""
    return _COORDINATION.fullmatch(identifier) is not None


def is_identifier(identifier: str) -> bool:
    """Whether this has the form of an organisation, a person or a coordination number."""
    return is_organisation(identifier) or is_person(identifier) or is_coordination(identifier)


def check_digit(nine_digits: str) -> int:
    """Return the Luhn digit that belongs after these nine digits (an identifier without century and check digit).

    Raises:
        ValueError: this is not nine digits.
    """
    if len(nine_digits) != _CHECKED_DIGITS - 1 or not (nine_digits.isascii() and nine_digits.isdigit()):
        raise ValueError("nine digits are needed")
    digits = [int(digit) for digit in nine_digits]
    return -(sum(_DOUBLED[digit] for digit in digits[::2]) + sum(digits[1::2])) % 10


def valid_check_digit(identifier: str) -> bool:
    """Whether the last digit is the Luhn digit over the ten last digits. False for anything that is not 12 digits."""
    if len(identifier) != 12 or not (identifier.isascii() and identifier.isdigit()):
        return False
    return int(identifier[-1]) == check_digit(identifier[2:-1])
