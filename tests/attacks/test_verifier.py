"""The verifier alone, without schema and without rules: what it returns is what was signed, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from mm_soap.dsig import Trust, VerifiedDelivery, seal_policy, sender_policy, verify_delivery, verify_sealed
from mm_soap.errors import Refused
from mm_soap.message import read_delivery
from mm_soap.soap.request import check_markup, to_utf8
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.xml import parse_untrusted
from tests.attacks.model import Attack, Expected
from tests.attacks.sites import KOMMUN_A, OUTSIDER, SUBJECT, Cast, document_in
from tests.attacks.table import most

CLOCK = FrozenClock(datetime(2026, 11, 2, 12, tzinfo=UTC))
CAST = Cast(TestPki(CLOCK), CLOCK)
TRUST = Trust(CAST.pki.trust_store(), sender_policy(), seal_policy(), CLOCK)


def verified(attack: Attack, request: bytes) -> VerifiedDelivery:
    raw = to_utf8(request, None)
    check_markup(raw)
    element = document_in(raw)
    if attack.site.sealed:
        return verify_sealed(raw, element, TRUST).delivery
    return verify_delivery(raw, element, TRUST)


def subjects(root: etree._Element) -> list[str]:
    return [message.subject for message in read_delivery(root).messages]


@pytest.mark.parametrize("attack", most(), ids=lambda attack: attack.id)
def test_what_verifies_is_what_was_signed(attack: Attack) -> None:
    request = attack.request(CAST)
    if attack.variant.expected is Expected.SAME:
        found = verified(attack, request)
    else:
        try:
            found = verified(attack, request)
        except Refused:
            return
    if found.signer.organisation == OUTSIDER:
        return  # whether it may sign for the sender is not the verifier's to say
    assert found.signer.organisation == KOMMUN_A
    assert subjects(found.root) == [SUBJECT]
    assert subjects(parse_untrusted(found.document)) == [SUBJECT]
