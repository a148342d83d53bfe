"""A signature counts for the request with which it came first, and for no other."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mm_soap.testing.e_identification import EIdentificationIssuer
from mm_soap.user_signatures import UserSignature, UserSignatureVerifier

from .test_races import ROUNDS, at_once
from .test_real_signatures import signed
from .world import (
    ANNA,
    BO,
    BY_BOARD,
    CIA,
    ETT,
    KOMMUN_A,
    KOMMUN_B,
    TEXT,
    TVA,
    TWO_TOGETHER,
    World,
    change,
    delete_pending,
    deregister,
    pending,
    preferences,
    register,
)


def test_a_registration_does_not_open_the_account_again(world: World) -> None:
    first = register(ANNA)
    assert world.ask(first) == "Complete"
    assert world.ask(first) == "5009", "the call repeated while the account is there"
    world.call(deregister(ANNA))
    assert world.ask(first) == "5010"
    world.start()
    assert world.ask(first) == "5010"
    assert world.state(ANNA) == "none"
    assert world.ask(register(ANNA)) == "Complete"


def test_a_demonstration_takes_it_again(world: World) -> None:
    """As `far.signatures_once = false` has it: outsiders try the state machine with what they signed once."""
    world.start(once=False)
    opens, closes = register(ANNA), deregister(ANNA)
    for _ in range(3):
        assert world.ask(opens) == "Complete"
        assert world.ask(opens) == "5009"
        assert world.ask(closes) == "Complete"
    begins = register(TWO_TOGETHER, ETT, ANNA)
    for _ in range(2):
        assert world.ask(begins) == "Incomplete"
        assert world.ask(begins) == "Incomplete", "it adds nothing"
        world.call(delete_pending(TWO_TOGETHER, ANNA))
    world.start()
    assert world.ask(opens) == "5010", "and is remembered"


def test_no_other_request_takes_it(world: World) -> None:
    first = register(ANNA)
    world.call(first)
    given = first[first.index("<c:Signature>") : first.index("</signature>")]

    def with_that(request: str) -> str:
        begin, end = request.index("<c:Signature>"), request.rindex("</c:Certificate>") + len("</c:Certificate>")
        return request[:begin] + given + request[end:]

    assert world.ask(with_that(deregister(ANNA))) == "5012"
    assert world.ask(with_that(change(ANNA, TVA))) == "5012"
    assert world.ask(with_that(preferences(ANNA, []))) == "5012"
    world.call(change(ANNA, TVA))
    assert world.ask(with_that(change(ANNA, ETT))) == "5012", "the operator before would have her back"
    assert world.ask(with_that(register(TWO_TOGETHER, ETT, ANNA))) == "5010"
    assert world.state(ANNA) == "active Brevlåda Två"
    assert world.state(TWO_TOGETHER) == "none"


def test_the_fault_says_which_and_nothing_is_stored(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA))
    world.call(delete_pending(TWO_TOGETHER, ANNA))
    (old,) = (one["signature"] for one in world.rows("account_signature"))
    before = [len(world.rows(table)) for table in ("account", "account_request", "account_signature", "used_signature")]
    request = register(TWO_TOGETHER, ETT, BO, ANNA)
    place = request.rindex("<c:Signature>") + len("<c:Signature>")
    request = request[:place] + b64encode(old).decode() + request[request.rindex("</c:Signature>") :]
    answer = "".join(world.call(request).itertext())
    assert "5010" in answer
    assert "signature 2: it was given for another request" in answer
    after = [len(world.rows(table)) for table in ("account", "account_request", "account_signature", "used_signature")]
    assert after == before


def test_while_a_request_waits_the_same_call_is_answered_the_same(world: World) -> None:
    for request in (register(BY_BOARD, ETT, ANNA), register(BY_BOARD, ETT, BO, ANNA)):
        first = world.call(request)
        again = world.call(request)
        assert list(first.itertext()) == list(again.itertext())
    assert world.ask(register(BY_BOARD, ETT, CIA)) == "Complete"
    asked = preferences(BY_BOARD, [KOMMUN_A], ANNA)
    assert [world.ask(asked) for _ in range(3)] == ["Incomplete"] * 3


def test_what_was_replaced_or_abandoned_does_not_come_back(world: World) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA, BO))
    first = preferences(TWO_TOGETHER, [KOMMUN_A], ANNA)
    world.call(first)
    world.call(preferences(TWO_TOGETHER, [KOMMUN_B], BO))
    assert world.ask(first) == "5012"
    assert world.ask(preferences(TWO_TOGETHER, [KOMMUN_B], CIA)) == "Complete", "the refused call replaced nothing"
    moving = change(TWO_TOGETHER, TVA, ANNA)
    world.call(moving)
    world.call(pending("deletePendingChangeServiceSupplier", TWO_TOGETHER, BO))
    assert world.ask(moving) == "5012"


def test_a_list_stored_twice_is_answered_twice(world: World) -> None:
    world.call(register(ANNA))
    asked = preferences(ANNA, [KOMMUN_A])
    first = world.call(asked)
    rows = len(world.rows("account_history"))
    again = world.call(asked)
    assert list(first.itertext()) == list(again.itertext())
    assert len(world.rows("account_history")) == rows
    assert world.ask(asked.replace(KOMMUN_A, KOMMUN_B)) == "5012", "the same signature under another list"
    world.call(preferences(ANNA, [KOMMUN_B]))
    assert world.ask(asked) == "5012", "another list was stored since"
    last = preferences(ANNA, [])
    world.call(last)
    world.call(deregister(ANNA))
    world.call(register(ANNA))
    assert world.ask(last) == "5012"
    assert world.accepted(ANNA, KOMMUN_A) == ("true", False)


@pytest.mark.parametrize("_round", ROUNDS)
def test_one_signature_for_two_requests_at_once(world: World, _round: int) -> None:
    world.call(register(TWO_TOGETHER, ETT, ANNA, BO))
    one = register(BY_BOARD, ETT, ANNA)
    other = one.replace(BY_BOARD, ANNA)
    answers = at_once(lambda: world.ask(one), lambda: world.ask(other))
    assert sorted(answers) in (["5010", "Complete"], ["5010", "Incomplete"])
    assert len(world.rows("account")) == 2


@pytest.mark.parametrize("_round", ROUNDS)
def test_an_old_signature_twice_at_once(world: World, _round: int) -> None:
    first = register(ANNA)
    world.call(first)
    world.call(deregister(ANNA))
    assert at_once(*[lambda: world.ask(first)] * 2) == ["5010"] * 2
    fresh = register(ANNA)
    assert sorted(at_once(*[lambda: world.ask(fresh)] * 3)) == ["5009", "5009", "Complete"]


@pytest.mark.parametrize("form", ["xml", "cms", "detached"])
@pytest.mark.parametrize("curve", [None, ec.SECP256R1()])
def test_real_signatures_written_anew(world: World, form: str, curve: ec.EllipticCurve | None) -> None:
    issuer = EIdentificationIssuer(world.clock)
    world.start(verifier=UserSignatureVerifier(issuer.anchors, world.clock))
    anna = issuer.person(ANNA, "Anna Andersson", elliptic=curve)

    def sign(nonce: str) -> UserSignature:
        if form == "xml":
            return anna.sign_xml(TEXT, nonce=nonce)
        return anna.sign_cms(TEXT, nonce=nonce, detached=form == "detached")

    first = sign("one")
    assert world.ask(signed(register(ANNA), first)) == "Complete"
    assert world.ask(signed(deregister(ANNA), sign("two"))) == "Complete"
    written = [first.signature]
    if form == "xml":
        written.append(b"<?xml version='1.0'?>\n<!-- new -->" + first.signature.replace(b"</Object>", b"</Object>\n"))
    for one in written:
        answer = world.call(signed(register(ANNA), UserSignature(one, first.certificate, "one")))
        assert "it was given for another request" in "".join(answer.itertext())
    assert world.ask(signed(register(ANNA), sign("three"))) == "Complete"
