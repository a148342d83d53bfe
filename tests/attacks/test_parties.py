"""The attacks against dispatcher and operator: schema, verifier and rules, and what is then in the databases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mm_soap.errors import Refusal
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.databases import fresh_database
from tests.attacks.model import SECURITY_CODES, Attack, Expected
from tests.attacks.parties import Party, dispatcher, error_code, operator
from tests.attacks.sites import SUBJECT, Cast
from tests.attacks.table import expecting, some

CLOCK = FrozenClock(datetime(2026, 11, 2, 12, tzinfo=UTC))
CAST = Cast(TestPki(CLOCK), CLOCK)
LONGEST = 30.0
"""Seconds. Each takes some hundredths; what is unbounded takes longer than this."""

Choose = Callable[[Attack], Party]


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Choose]:
    folders: list[Path] = [tmp_path_factory.mktemp(name) for name in ("dispatcher", "operator")]
    with fresh_database(folders[0], None) as first, fresh_database(folders[1], None) as second:
        made: dict[str, Party] = {"message": dispatcher(first, CAST), "service": operator(second, CAST)}
        yield lambda attack: made[attack.site.port]


@pytest.mark.parametrize("attack", expecting(Expected.REFUSED, some()), ids=lambda attack: attack.id)
def test_an_attack_is_refused_and_leaves_evidence_alone(parties: Choose, attack: Attack) -> None:
    party, request = parties(attack), attack.request(CAST)
    before, events, evidence = party.contents(), len(party.rows("event")), len(party.evidence())
    started = time.monotonic()
    answer = party.post(attack.site.path, request)
    assert time.monotonic() - started < LONGEST
    code = error_code(answer)
    assert code in SECURITY_CODES, answer.xpath("string(.)")
    assert party.contents() == before
    assert party.woken == []
    (event,), (kept,) = party.rows("event")[events:], party.evidence()[evidence:]
    assert (event.kind, Refusal[event.outcome].code) == ("refusal", code)
    assert (kept.call_id, kept.verdict) == (event.call_id, event.outcome)
    assert kept.content == request or "UTF-" in attack.variant.name or "encoding" in attack.variant.name


@pytest.fixture
def one(engine_of_one: Engine) -> Choose:
    return lambda attack: (dispatcher if attack.site.port == "message" else operator)(engine_of_one, CAST)


@pytest.fixture
def engine_of_one(tmp_path: Path) -> Iterator[Engine]:
    with fresh_database(tmp_path, None) as fresh:
        yield fresh


@pytest.mark.parametrize("attack", expecting(Expected.SAME, some()), ids=lambda attack: attack.id)
def test_what_means_the_same_is_accepted_as_it_was_signed(one: Choose, attack: Attack) -> None:
    party = one(attack)
    answer = party.post(attack.site.path, attack.request(CAST))
    assert error_code(answer) is None, answer.xpath("string(.)")
    assert party.signed() == [[SUBJECT]]
    assert [row.kind for row in party.rows("event")] != ["refusal"]
    (kept,) = party.evidence()
    assert kept.verdict == "accepted"
