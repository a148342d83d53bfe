"""The cases for what a dispatcher adds to a delivery: the seal."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from mm_soap.conformance.carrying import Answer
from mm_soap.conformance.model import Cases
from mm_soap.conformance.operator_bench import OperatorBench
from mm_soap.conformance.signed import add, refused
from mm_soap.conformance.signed_forms import ALGORITHMS, MANNERS
from mm_soap.conformance.signed_signatures import FORBIDDEN, NOT_AUTHORISED, WHO_SIGNS, broken_value
from mm_soap.conformance.xmlsig import Manner, signature, signed, with_last_child

ERRORS: Final = "errors.md, 5006"
_VERIFY: Final = "Verify the seal over the whole SealedDelivery before anything in it is read."
_LISTED: Final = "Ask the register whether the organisation in the seal's certificate is a dispatcher for the sender."

Send = Callable[[OperatorBench], Answer]


def _delivery(bench: OperatorBench) -> bytes:
    return bench.sign(bench.unsigned())


def _without_seal(bench: OperatorBench) -> Answer:
    document = re.sub(rb"<Seal .*</Seal>", b"", bench.sealed(_delivery(bench)))
    return bench.carry(signed(document, bench.dispatcher))


def _changed(bench: OperatorBench) -> Answer:
    document = bench.finished(_delivery(bench))
    return bench.carry(re.sub(rb"(<ReceivedTime [^>]*>)[^<]*<", rb"\g<1>2020-02-02<", document))


def _not_ok(bench: OperatorBench) -> Answer:
    return bench.carry(signed(bench.sealed(_delivery(bench), ok="false"), bench.dispatcher))


def _of_another(bench: OperatorBench) -> Answer:
    another = signature(bench.sealed(_delivery(bench)), bench.dispatcher)
    return bench.carry(with_last_child(bench.sealed(_delivery(bench)), another))


def _two_deliveries(bench: OperatorBench) -> Answer:
    return bench.carry(bench.seal(_delivery(bench) + _delivery(bench)))


def _by_stranger(bench: OperatorBench) -> Answer:
    return bench.carry(bench.seal(_delivery(bench), by=bench.stranger))


_REFUSED: Final[tuple[tuple[str, str, tuple[int, ...], str, str, Send], ...]] = (
    ("missing", "without a Seal", (5001, 5006), "signing.md, Who signs what", _VERIFY, _without_seal),
    (
        "unsigned",
        "whose seal is not signed",
        (5006,),
        ERRORS,
        _VERIFY,
        lambda bench: bench.carry(bench.sealed(_delivery(bench))),
    ),
    ("changed", "whose seal was changed after signing", (5006,), ERRORS, _VERIFY, _changed),
    (
        "changed-value",
        "whose seal has another signature value",
        (5006,),
        ERRORS,
        _VERIFY,
        lambda bench: bench.carry(broken_value(bench.finished(_delivery(bench)))),
    ),
    ("of-another", "with the seal of another delivery", (5006,), ERRORS, _VERIFY, _of_another),
    (
        "not-ok",
        "of which the dispatcher says SignaturesOK false",
        (5001, 5002, 5006),
        "services.md, Service, deliverSecure",
        "Refuse a delivery whose seal says that its signatures are wrong.",
        _not_ok,
    ),
    (
        "two-deliveries",
        "with two deliveries in one seal",
        (5001, 5006),
        "signing.md, What a signature does not prove",
        "Accept one SignedDelivery in a SealedDelivery.",
        _two_deliveries,
    ),
    (
        "unknown-issuer",
        "sealed by a certificate of an unknown issuer",
        (5002,),
        NOT_AUTHORISED,
        "Check the dispatcher's certificate up to a trust anchor of your own.",
        _by_stranger,
    ),
    (
        "not-listed",
        "sealed by an organisation that is no dispatcher for the sender",
        (5002,),
        WHO_SIGNS,
        _LISTED,
        lambda bench: bench.carry(bench.seal(_delivery(bench), by=bench.outsider)),
    ),
)


def add_seals(cases: Cases[OperatorBench]) -> None:
    """Add how a seal may be signed, and what of it must be refused."""

    def accepted(manner: Manner, bench: OperatorBench) -> None:
        bench.accepted(bench.carry(bench.seal(_delivery(bench), manner)))

    def tried(send: Send, codes: tuple[int, ...], bench: OperatorBench) -> None:
        refused(send(bench), *codes)

    def forbidden(manner: Manner, bench: OperatorBench) -> None:
        refused(bench.carry(bench.seal(_delivery(bench), manner)), 5006)

    for form in MANNERS:
        title = f"A seal is accepted that is signed {form.title}."
        add(cases, f"seal.{form.name}", title, form.rule, form.remedy, partial(accepted, form.manner))
    for name, what, codes, rule, remedy, send in _REFUSED:
        title = f"A delivery {what} is refused with {' or '.join(map(str, codes))}."
        add(cases, f"seal.{name}", title, rule, remedy, partial(tried, send, codes))
    for row in FORBIDDEN:
        title = f"A seal that is signed {row.title} is refused with 5006."
        add(cases, f"seal.{row.name}", title, ALGORITHMS, row.remedy, partial(forbidden, row.manner))
