"""Registration with signatures that e-identification clients make."""

from __future__ import annotations

from base64 import b64encode

import pytest

from mm_soap.testing.e_identification import EIdentificationIssuer
from mm_soap.user_signatures import UserSignature, UserSignatureVerifier

from . import world as texts
from .world import ANNA, BO, TEXT, World, register


@pytest.fixture
def issuer(world: World) -> EIdentificationIssuer:
    made = EIdentificationIssuer(world.clock)
    world.start(verifier=UserSignatureVerifier(made.anchors, world.clock))
    return made


def signed(request: str, one: UserSignature) -> str:
    """Put a real signature in the place of the written one."""
    nonce = f"<c:Nonce>{one.nonce}</c:Nonce>" if one.nonce else ""
    real = (
        f'<signature xmlns="{texts.RECIPIENT_V3}" xmlns:c="{texts.COMMON_V1}">'
        f"<c:Signature>{b64encode(one.signature).decode()}</c:Signature><c:Certificate>{one.certificate}</c:Certificate>"
        f"{nonce}<c:EncodingOfSignedText>{one.encoding}</c:EncodingOfSignedText></signature>"
    )
    begin, end = request.index("<signature "), request.index("</signature>") + len("</signature>")
    return request[:begin] + real + request[end:]


@pytest.mark.parametrize("form", ["xml", "cms", "cms detached"])
def test_a_person_registers(world: World, issuer: EIdentificationIssuer, form: str) -> None:
    person = issuer.person(ANNA, "Anna Andersson")
    if form == "xml":
        one = issuer.sign_xml(person, TEXT, nonce="abc")
    else:
        one = issuer.sign_cms(person, TEXT, detached=form.endswith("detached"))
    assert world.ask(signed(register(ANNA), one)) == "Complete"
    (row,) = world.rows("account_signature")
    assert (row["signature"], row["signer"], row["nonce"]) == (one.signature, ANNA, one.nonce)


def test_what_does_not_hold_is_refused(world: World, issuer: EIdentificationIssuer) -> None:
    anna, bo = issuer.person(ANNA, "Anna Andersson"), issuer.person(BO, "Bo Berg")
    assert world.ask(signed(register(ANNA), issuer.sign_cms(anna, "Något annat."))) == "5010"
    assert world.ask(signed(register(ANNA), issuer.sign_xml(bo, TEXT))) == "6009"
    assert world.ask(register(ANNA)) == "5010"
    assert world.rows("account_request") == []
