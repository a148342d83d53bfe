"""Users' signatures at the register: what is refused changes no account."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from mm_soap.far.store import metadata
from mm_soap.testing.databases import fresh_database
from mm_soap.testing.e_identification import EIdentificationIssuer
from mm_soap.user_signatures import UserSignature, UserSignatureVerifier
from tests.attacks.parties import LEDGER
from tests.attacks.users import USER_ATTACKS, USER_OPERATIONS, Persons, Sign, good
from tests.integration.register.world import ANNA, KOMMUN_A, World, change, deregister, preferences, register

NONCES = count()
REQUESTS: dict[str, Callable[[], str]] = {
    "register": lambda: register(ANNA),
    "deregister": lambda: deregister(ANNA),
    "changeServiceSupplier": lambda: change(ANNA),
    "storeAccountPreferences": lambda: preferences(ANNA, [KOMMUN_A]),
}
PAIR = re.compile(r"<c:Signature>.*?</c:Certificate>", re.DOTALL)


def request(operation: str, one: UserSignature) -> str:
    signature = b64encode(one.signature).decode()
    pair = f"<c:Signature>{signature}</c:Signature><c:Certificate>{one.certificate}</c:Certificate>"
    if one.nonce is not None:
        pair += f"<c:Nonce>{one.nonce}</c:Nonce>"
    return PAIR.sub(lambda _: pair, REQUESTS[operation]())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with fresh_database(tmp_path_factory.mktemp("register"), None) as engine:
        yield World(engine)


@pytest.fixture(scope="module")
def persons(world: World) -> Persons:
    found = Persons.of(EIdentificationIssuer(world.clock))
    world.start(verifier=UserSignatureVerifier(found.issuer.anchors, world.clock))
    return found


def kept(world: World) -> dict[str, list[object]]:
    return {name: list(world.rows(name)) for name in metadata.tables if not name.startswith(LEDGER)}


@pytest.mark.parametrize("name", USER_ATTACKS)
@pytest.mark.parametrize("operation", USER_OPERATIONS)
def test_a_signature_that_does_not_count_changes_nothing(
    world: World, persons: Persons, operation: str, name: str
) -> None:
    if operation != "register" and world.state(ANNA) == "none":
        assert world.ask(request("register", good(persons, f"n-{next(NONCES)}"))) == "Complete"
    sign: Sign = USER_ATTACKS[name]
    before, events, evidence = kept(world), len(world.rows("event")), len(world.rows("evidence_record"))
    code = world.ask(request(operation, sign(persons, f"n-{next(NONCES)}")))
    assert code in ("5010", "5012", "6009")
    assert kept(world) == before
    (event,) = world.rows("event")[events:]
    (proof,) = world.rows("evidence_record")[evidence:]
    assert (event["kind"], proof["verdict"]) == ("refusal", event["outcome"])


@pytest.mark.parametrize("operation", USER_OPERATIONS)
def test_a_right_signature_counts(world: World, persons: Persons, operation: str) -> None:
    if operation != "register" and world.state(ANNA) == "none":
        assert world.ask(request("register", good(persons, f"n-{next(NONCES)}"))) == "Complete"
    before = kept(world)
    assert world.ask(request(operation, good(persons, f"n-{next(NONCES)}"))) in ("Complete", "5009")
    if operation == "register" and before["account"]:
        return
    assert kept(world) != before
