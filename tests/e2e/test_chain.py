"""Messages through dispatcher, register and operator over HTTP, written without the project's own client."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest

from mm_soap.demonstration import (
    COMPANY,
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    OPERATOR_ONE,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    RECIPIENT_PENDING,
    RECIPIENT_WITHOUT_B,
    UNKNOWN,
    DemoOrganisation,
)
from mm_soap.dsig import seal_for, sealed_document, sign_delivery
from mm_soap.message import SecureDelivery, build_delivery
from mm_soap.testing.documents import one_page_pdf
from mm_soap.xml import MESSAGE_V3
from tests.e2e.suite import (
    Demonstration,
    Fault,
    Server,
    a_message,
    deliver,
    distribute,
    enveloped,
    final_status,
    letter,
    post,
    status,
)
from tests.unit.dsig.samples import BUSY, SIGNED
from tests.unit.dsig.samples import KOMMUN_A as STRANGER
from tests.unit.dsig.samples import distribute as carry_signed

PDF = one_page_pdf("Beslut", "Kommun A beviljar bygglov.")
ATTACHED = ("beslut.pdf", "application/pdf", PDF)
LIMIT = 2_097_152


def code_of(demonstration: Demonstration, delivery: SecureDelivery, signer: DemoOrganisation | None = None) -> int:
    """The error code that a delivery is refused with."""
    return refusal(lambda: distribute(demonstration.servers[0].url, demonstration.signed(delivery, signer)))


def refusal(sending: Callable[[], object]) -> int:
    with pytest.raises(Fault) as fault:
        sending()
    assert fault.value.status == 500
    assert 20 <= len(fault.value.call_id) <= 50
    return fault.value.code


# Delivered, on paper, not at all


@pytest.mark.parametrize("recipient", [RECIPIENT, RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B, COMPANY])
def test_a_message_with_a_pdf_reaches_the_mailbox(demonstration: Demonstration, served: Server, recipient: str) -> None:
    message = a_message(f"Beslut å & <ä> {uuid4()}", attachments=[ATTACHED])
    distribution = distribute(served.url, demonstration.signed(letter(recipient, message)))
    assert 1 <= len(distribution) <= 50
    assert final_status(served.url, distribution) == ("Digital", "Delivered")
    found = [each for each in demonstration.mailbox(recipient) if each.message_id == message.id]
    assert [(each.subject, each.sender) for each in found] == [(message.subject, KOMMUN_A.number)]


def test_several_messages_in_one_delivery(demonstration: Demonstration, served: Server) -> None:
    messages = [a_message("En"), a_message("Två", html="<p>Hej <b>på</b> dig</p>"), a_message("")]
    distribution = distribute(served.url, demonstration.signed(letter(RECIPIENT_AT_TWO, *messages)))
    assert final_status(served.url, distribution) == ("Digital", "Delivered")
    assert [demonstration.count_in_mailbox(message.id, RECIPIENT_AT_TWO) for message in messages] == [1, 1, 1]


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        (KOMMUN_A, UNKNOWN, ("Not", None)),
        (KOMMUN_A, RECIPIENT_PENDING, ("Not", None)),
        (KOMMUN_B, RECIPIENT_WITHOUT_B, ("Paper", None)),
        (KOMMUN_B, RECIPIENT, ("Digital", "Delivered")),
    ],
)
def test_how_it_ends(
    demonstration: Demonstration,
    served: Server,
    sender: DemoOrganisation,
    recipient: str,
    expected: tuple[str, str | None],
) -> None:
    distribution = distribute(served.url, demonstration.signed(letter(recipient, sender=sender)))
    assert final_status(served.url, distribution, sender) == expected


@pytest.mark.parametrize("declarations", ["", BUSY], ids=["plain", "busy"])
@pytest.mark.parametrize("vector", SIGNED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_other_software_signed(served: Server, vector: Path, declarations: str) -> None:
    envelope = carry_signed(vector.read_bytes(), declarations)
    code, raw = post(f"{served.url}/Message/v3", envelope)
    assert code == 200, raw
    (distribution,) = re.findall(rb"return>([^<]+)<", raw)
    assert final_status(served.url, distribution.decode()) == ("Not", None)


# The same again


def test_the_same_bytes_get_the_same_distribution_id(demonstration: Demonstration, served: Server) -> None:
    document = demonstration.signed(letter())
    first = distribute(served.url, document)
    assert distribute(served.url, document) == first
    final_status(served.url, first)
    assert distribute(served.url, document) == first


def test_the_same_bytes_from_eight_threads_are_one_delivery(demonstration: Demonstration, served: Server) -> None:
    for _ in range(3):
        message = a_message("Åtta gånger")
        document = demonstration.signed(letter(RECIPIENT, message))
        with ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(lambda same: distribute(served.url, same), [document] * 8))
        assert len(ids) == 1
        assert final_status(served.url, ids.pop()) == ("Digital", "Delivered")
        assert demonstration.count_in_mailbox(message.id) == 1


def test_as_many_calls_as_threads_when_the_register_is_to_be_asked(fresh: Demonstration) -> None:
    server = fresh.serve()
    documents = [fresh.signed(letter()) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda each: distribute(server.url, each, timeout=8), documents))) == 8


def test_another_signature_on_the_same_content_is_another_delivery(
    demonstration: Demonstration, served: Server
) -> None:
    delivery = letter()
    ids = {distribute(served.url, demonstration.signed(delivery, signer)) for signer in (KOMMUN_A, DISPATCHER)}
    assert len(ids) == 2


# Who asks, who signs


def test_the_status_is_for_the_sender_alone(demonstration: Demonstration, served: Server) -> None:
    distribution = distribute(served.url, demonstration.signed(letter()))
    assert refusal(lambda: status(served.url, distribution, KOMMUN_B)) == 5003
    assert refusal(lambda: status(served.url, str(uuid4()))) == 5003


@pytest.mark.parametrize(
    ("sender", "signer", "expected"),
    [
        (KOMMUN_A, KOMMUN_B, 5002),  # listed for nobody
        (KOMMUN_B, KOMMUN_A, 5002),  # a dispatcher, for itself alone
        (OPERATOR_ONE, None, 5002),  # not a connected sender
        (OPERATOR_ONE, DISPATCHER, 5002),
    ],
)
def test_who_may_not_send(
    demonstration: Demonstration, sender: DemoOrganisation, signer: DemoOrganisation | None, expected: int
) -> None:
    assert code_of(demonstration, letter(sender=sender), signer) == expected


def test_a_listed_dispatcher_may_sign(demonstration: Demonstration, served: Server) -> None:
    distribution = distribute(served.url, demonstration.signed(letter(sender=KOMMUN_B), DISPATCHER))
    assert final_status(served.url, distribution, KOMMUN_B) == ("Digital", "Delivered")


def test_unsigned_and_changed_deliveries(demonstration: Demonstration, served: Server) -> None:
    document = demonstration.signed(letter(RECIPIENT, a_message("Beslut")))
    unsigned = re.sub(rb"<Signature .*</Signature>", b"", document, flags=re.DOTALL)
    assert refusal(lambda: distribute(served.url, unsigned)) == 5006
    assert refusal(lambda: distribute(served.url, document.replace(b"Beslut", b"Beslux"))) == 5006
    other = document.replace(RECIPIENT.encode(), RECIPIENT_AT_TWO.encode())
    assert refusal(lambda: distribute(served.url, other)) == 5006


# The rules for messages, each once over the wire


def with_attachment(**change: object) -> SecureDelivery:
    message = a_message(attachments=[ATTACHED])
    return letter(RECIPIENT, replace(message, attachments=(replace(message.attachments[0], **change),)))  # type: ignore[arg-type]


def with_message(**change: object) -> SecureDelivery:
    return letter(RECIPIENT, replace(a_message(), **change))  # type: ignore[arg-type]


def sized(size: int) -> SecureDelivery:
    """A message of that many decoded bytes: a body of ten and an attachment."""
    return letter(RECIPIENT, a_message(text="0123456789", attachments=[("a.pdf", ATTACHED[1], PDF.ljust(size - 10))]))


SAME_ID = a_message()
SCRIPT = "<p>Hej</p><script>alert(1)</script>"
TRACKER = '<img src="https://example.org/pixel.gif">'
WORD = "application/msword"
RULES = {
    "body type": (with_message(content_type="application/json"), 5019),
    "body not UTF-8": (with_message(body="å".encode("latin-1")), 5001),
    "script": (letter(RECIPIENT, a_message(html=SCRIPT)), 5001),
    "remote image": (letter(RECIPIENT, a_message(html=TRACKER)), 5001),
    "too large": (sized(LIMIT + 1), 5005),
    "attachment type": (with_attachment(content_type="image/png"), 5019),
    "not what it says": (with_attachment(content_type=WORD), 5019),
    "checksum": (with_attachment(checksum="0" * 32), 5001),
    "no file name": (with_attachment(filename=""), 5001),
    "subject": (with_message(subject="x" * 256), 5001),
    "no message id": (with_message(id=""), 5001),
    "two of one id": (letter(RECIPIENT, SAME_ID, SAME_ID), 5001),
    "reference": (letter(reference="x" * 51), 5001),
    "check digit of the recipient": (letter("192705178355"), 5001),
    "no such date": (letter("192713178354"), 5001),
    "language": (with_message(language="s v"), 5001),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_has_its_code(demonstration: Demonstration, rule: str) -> None:
    delivery, expected = RULES[rule]
    assert code_of(demonstration, delivery) == expected


def test_what_the_rules_just_allow(demonstration: Demonstration, served: Server) -> None:
    upper = with_attachment(checksum=hashlib.md5(PDF).hexdigest().upper(), filename="../../../etc/beslut.pdf")
    for delivery in (sized(LIMIT), upper, with_message(subject="å" * 255), letter(reference="x" * 50)):
        distribution = distribute(served.url, demonstration.signed(delivery))
        assert final_status(served.url, distribution) == ("Digital", "Delivered")


def test_a_body_over_the_limit_is_told_in_http(served: Server) -> None:
    code, _ = post(f"{served.url}/Message/v3", b"<x>" + b" " * 8_388_608)
    assert code == 413


# The operator by itself: anybody's dispatcher may come


def sealed_by(demonstration: Demonstration, sealer: DemoOrganisation, delivery: SecureDelivery) -> bytes:
    document = demonstration.signed(delivery)
    return sealed_document(document, seal_for(document, demonstration.identity(sealer), date(2026, 11, 21)))


def test_a_sender_that_is_its_own_dispatcher(demonstration: Demonstration, served: Server) -> None:
    message = a_message("Direkt")
    sealed = sealed_by(demonstration, KOMMUN_A, letter(RECIPIENT, message))
    first = deliver(served.url, sealed)
    assert first[1] == {RECIPIENT: True}
    assert deliver(served.url, sealed) == first
    with ThreadPoolExecutor(8) as pool:
        assert set(map(repr, pool.map(lambda same: deliver(served.url, same), [sealed] * 8))) == {repr(first)}
    assert demonstration.count_in_mailbox(message.id) == 1


@pytest.mark.parametrize(
    ("sealer", "sender"), [(OPERATOR_ONE, KOMMUN_A), (KOMMUN_B, KOMMUN_A), (KOMMUN_A, KOMMUN_B), (KOMMUN_B, KOMMUN_B)]
)
def test_who_may_not_seal(
    demonstration: Demonstration, served: Server, sealer: DemoOrganisation, sender: DemoOrganisation
) -> None:
    sealed = sealed_by(demonstration, sealer, letter(sender=sender))
    assert refusal(lambda: deliver(served.url, sealed)) == 5002


@pytest.mark.parametrize("recipient", [RECIPIENT_AT_TWO, UNKNOWN, RECIPIENT_PENDING])
def test_no_mailbox_here_is_a_normal_answer(demonstration: Demonstration, served: Server, recipient: str) -> None:
    trans_id, statuses = deliver(served.url, sealed_by(demonstration, KOMMUN_A, letter(recipient)))
    assert trans_id
    assert statuses == {recipient: False}


def test_a_deselected_sender_is_a_normal_answer(demonstration: Demonstration, served: Server) -> None:
    sealed = sealed_by(demonstration, DISPATCHER, letter(RECIPIENT_WITHOUT_B, sender=KOMMUN_B))
    assert deliver(f"{served.url}/brevlada-tva", sealed)[1] == {RECIPIENT_WITHOUT_B: False}


def test_a_changed_sealed_delivery(demonstration: Demonstration, served: Server) -> None:
    sealed = sealed_by(demonstration, KOMMUN_A, letter(RECIPIENT, a_message("Beslut")))
    for old, new in ((b"Beslut", b"Beslux"), (b">true<", b">false<"), (b"2026-11-21", b"2026-11-20")):
        changed = sealed.replace(old, new)
        assert refusal(lambda each=changed: deliver(served.url, each)) == 5006  # type: ignore[misc]


def test_a_seal_does_not_save_a_changed_delivery(demonstration: Demonstration, served: Server) -> None:
    document = demonstration.signed(letter(RECIPIENT, a_message("Beslut"))).replace(b"Beslut", b"Beslux")
    seal = seal_for(document, demonstration.identity(KOMMUN_A), date(2026, 11, 21))
    assert refusal(lambda: deliver(served.url, sealed_document(document, seal))) == 5006


def test_a_signature_of_someone_who_is_not_trusted(served: Server) -> None:

    document = sign_delivery(build_delivery(letter()), STRANGER)
    assert refusal(lambda: distribute(served.url, document)) == 5002


def test_operations_that_are_not_there_yet(served: Server) -> None:
    body = f'<notThere xmlns="{MESSAGE_V3}"/>'
    code, raw = post(f"{served.url}/Message/v3", enveloped(body))
    assert code == 500
    assert b"<ErrorCode>5001<" in raw or b":ErrorCode>5001<" in raw
