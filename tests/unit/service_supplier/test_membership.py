"""What an operator makes of what the register says of its mailboxes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from mm_soap.errors import TransportError
from mm_soap.message import Limits
from mm_soap.service_supplier import MailboxService, Membership, Named
from mm_soap.storage import migrate
from mm_soap.testing import FrozenClock

from .deliveries import RECIPIENT, STRANGER, FakeDirectory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def operator(engine: Engine) -> MailboxService:
    migrate(engine, "service_supplier")
    made = MailboxService(engine, FakeDirectory(), Limits(check_digits=False), timedelta(days=90), FrozenClock(NOW))
    made.open_mailboxes([RECIPIENT], registered=True)
    return made


class Register:
    """A register in memory, and how it was asked."""

    def __init__(self, **named: Named) -> None:
        self.named = {number.removeprefix("n"): one for number, one in named.items()}
        self.asked: list[Sequence[str]] = []
        self.away = False

    def __call__(self, recipients: Sequence[str]) -> dict[str, Named]:
        self.asked.append(recipients)
        if self.away:
            raise TransportError("away")
        return {one: self.named[one] for one in recipients if one in self.named}


def rounds(operator: MailboxService, named: Named, recipient: str = RECIPIENT) -> tuple[int, int]:
    return Membership(operator, Register(**{f"n{recipient}": named}), 3600).once()


def test_the_register_closes_and_opens(operator: MailboxService) -> None:
    assert rounds(operator, Named.HERE) == (0, 0)
    assert rounds(operator, Named.ELSEWHERE) == (0, 1)
    assert operator.closed_since(RECIPIENT) == NOW
    assert rounds(operator, Named.NOBODY) == (0, 0)
    assert rounds(operator, Named.HERE) == (1, 0)
    assert operator.closed_since(RECIPIENT) is None
    assert rounds(operator, Named.NOBODY) == (0, 1)
    assert operator.closed_since(RECIPIENT) == NOW


def test_a_mailbox_opened_ahead_of_the_register_stays_until_it_named_this_operator_once(
    operator: MailboxService,
) -> None:
    operator.open_mailbox(STRANGER)
    assert rounds(operator, Named.NOBODY, STRANGER) == (0, 0)
    assert rounds(operator, Named.HERE, STRANGER) == (0, 0)
    assert rounds(operator, Named.NOBODY, STRANGER) == (0, 1)
    operator.open_mailbox(STRANGER)
    assert rounds(operator, Named.NOBODY, STRANGER) == (0, 1)


def test_another_operators_name_closes_what_was_opened_ahead_of_the_register(operator: MailboxService) -> None:
    operator.open_mailbox(STRANGER)
    assert rounds(operator, Named.ELSEWHERE, STRANGER) == (0, 1)


def test_who_registers_while_the_register_is_asked_keeps_the_mailbox(operator: MailboxService) -> None:
    (seen,) = operator.standings()
    operator.open_mailbox(RECIPIENT, registered=True)
    assert operator.follow([seen], {RECIPIENT: Named.NOBODY}) == (0, 0)
    assert operator.closed_since(RECIPIENT) is None


def test_who_leaves_while_the_register_is_asked_does_not_get_it_back(operator: MailboxService) -> None:
    operator.close_mailbox(RECIPIENT)
    (seen,) = operator.standings()
    operator.close_mailbox(RECIPIENT)
    assert operator.follow([seen], {RECIPIENT: Named.HERE}) == (0, 0)
    assert operator.closed_since(RECIPIENT) == NOW


def test_nothing_changes_while_the_register_is_away_or_says_nothing_of_somebody(operator: MailboxService) -> None:
    register = Register()
    assert Membership(operator, register, 3600).once() == (0, 0)
    register.away = True
    with pytest.raises(TransportError):
        Membership(operator, register, 3600).once()
    assert operator.closed_since(RECIPIENT) is None


def test_every_mailbox_is_asked_for_once_a_thousand_at_a_time(operator: MailboxService) -> None:
    people = [f"1950{number:08}" for number in range(2300)]
    operator.open_mailboxes(people)
    register = Register(**{f"n{one}": Named.ELSEWHERE for one in people[5:]})
    assert Membership(operator, register, 3600).once() == (0, 2295)
    assert max(map(len, register.asked)) == 1000
    asked = [one for each in register.asked for one in each]
    assert sorted(asked) == sorted([RECIPIENT, *people])
