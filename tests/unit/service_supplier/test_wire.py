"""Requests and answers of the Service service."""

from __future__ import annotations

import pytest
from lxml import etree

from mm_soap.contract import validate
from mm_soap.errors import Refusal, Refused
from mm_soap.service_supplier import PRECHECKS, DeliveryOutcome, wire
from mm_soap.xml import DSIG, MESSAGE_V3, SERVICE_V1, SERVICE_V3

SIGNATURE = f'<Signature xmlns="{DSIG}"/>'


def test_the_answer_follows_the_schema() -> None:
    answer = etree.fromstring(
        wire.delivery_answer(DeliveryOutcome("t & 1", (("192705178354", True), ("191212121212", False))))
    )
    validate(answer)
    names = {"s": SERVICE_V1}
    assert answer.xpath("string(//s:TransId)", namespaces=names) == "t & 1"
    assert [one.text for one in answer.iterfind(".//s:Delivered", names)] == ["true", "false"]


def request(inner: str, outer: str) -> etree._Element:
    return etree.fromstring(
        f'<s:deliverSecure xmlns:s="{SERVICE_V3}" xmlns="{MESSAGE_V3}"><s:deliverSecure>'
        f"<SignedDelivery><Delivery/>{inner}</SignedDelivery>{outer}</s:deliverSecure></s:deliverSecure>"
    )


def test_a_missing_signature_has_a_code_of_its_own() -> None:
    check = PRECHECKS["deliverSecure"]
    check(request(SIGNATURE, SIGNATURE))
    for unsigned in (request("", SIGNATURE), request(SIGNATURE, ""), request("", "")):
        with pytest.raises(Refused) as caught:
            check(unsigned)
        assert caught.value.refusal is Refusal.SIGNATURE_MISSING


def test_other_shapes_are_left_to_the_schema() -> None:
    PRECHECKS["deliverSecure"](etree.fromstring("<other/>"))
