"""Nothing that was sent is in a log: what the processes write while good and hostile messages come is searched."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

import pytest

from mm_soap.demonstration import (
    KOMMUN_A,
    KOMMUN_B,
    OPERATOR_ONE,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    RECIPIENT_PENDING,
    RECIPIENT_WITHOUT_B,
    UNKNOWN,
)
from mm_soap.dsig import seal_for, sealed_document
from mm_soap.message import Metadata, Party, SupportInfo
from mm_soap.testing.documents import one_page_pdf
from mm_soap.xml import AUTHORITY, MESSAGE_V3, RECIPIENT_V3, SOAP_ENVELOPE
from tests.e2e.fake_operator import FakeOperator, Numbers, fault, replies, serving
from tests.e2e.suite import (
    Demonstration,
    Fault,
    Server,
    a_message,
    deliver,
    distribute,
    enveloped,
    final_status,
    get,
    letter,
    post,
    status,
)
from tests.unit.dsig.samples import distribute as carry_signed

MARKER = "Hemligheten"
PERSON = "197001019999"
PERSONAL_NUMBER = re.compile(r"(?<![\w-])(?:18|19|20)\d{10}(?![\w-])")
MESSAGE = replace(
    a_message(
        f"{MARKER} ämne {PERSON}",
        f"{MARKER} text {PERSON}",
        attachments=[(f"{MARKER}-{PERSON}.pdf", "application/pdf", one_page_pdf(MARKER, PERSON))],
        support=SupportInfo(f"{MARKER} stöd", f"https://example.se/{MARKER}", f"{MARKER}", f"{MARKER}@example.se"),
        metadata=[Metadata(MARKER, MARKER)],
    ),
    id="marker-free",
)
DELIVERY = replace(letter(RECIPIENT, MESSAGE), reference=MARKER, correlation_id=MARKER, attention=MARKER)


def without_answer(sending: Callable[[], object]) -> None:
    """Send what is refused, and see that nothing of it comes back."""
    with pytest.raises(Fault) as refused:
        sending()
    assert MARKER not in refused.value.description
    assert not PERSONAL_NUMBER.search(refused.value.description)


def send_good_messages(own: Demonstration, url: str) -> None:
    """Messages that end in every way there is."""
    for recipient in (RECIPIENT, RECIPIENT_AT_TWO, RECIPIENT_PENDING, UNKNOWN):
        final_status(url, distribute(url, own.signed(replace(DELIVERY, recipient=recipient))))
    from_b = replace(DELIVERY, sender=Party(KOMMUN_B.number, MARKER), recipient=RECIPIENT_WITHOUT_B)
    final_status(url, distribute(url, own.signed(from_b)), KOMMUN_B)
    document = own.signed(replace(DELIVERY, recipient=UNKNOWN))
    deliver(url, sealed_document(document, seal_for(document, own.identity(KOMMUN_A), date(2026, 11, 21))))


def send_to_operators_who_tell(own: Demonstration, url: str) -> None:
    """Operators whose faults repeat what they got."""
    for answers in ([fault(5002, f"{MARKER} {PERSON}")], [fault(4000, f"{MARKER} {PERSON}")] * 2 + [fault(5001)]):
        one = FakeOperator(replies(*answers))
        with serving(one) as address:
            (recipient,) = NUMBERS.register(own, f"{address}?{MARKER}={PERSON}", 1)
            assert final_status(url, distribute(url, own.signed(replace(DELIVERY, recipient=recipient))))


NUMBERS = Numbers()


def send_refused_messages(own: Demonstration, url: str) -> None:
    """Signed, and against the rules."""
    (attachment,) = MESSAGE.attachments
    broken = [
        replace(MESSAGE, subject=f"{MARKER}{PERSON}" * 20),
        replace(MESSAGE, language=f"{MARKER} {PERSON}"),
        replace(MESSAGE, content_type=f"text/{MARKER}-{PERSON}"),
        replace(MESSAGE, content_type="text/html", body=f"<script>{MARKER} {PERSON}</script>".encode()),
        replace(MESSAGE, body=f"{MARKER} å {PERSON}".encode("latin-1")),
        replace(MESSAGE, attachments=(replace(attachment, checksum=f"{MARKER}{PERSON}"),)),
        replace(MESSAGE, attachments=(replace(attachment, content_type=f"{MARKER}/{PERSON}"),)),
        replace(MESSAGE, attachments=(replace(attachment, body=f"{MARKER}{PERSON}".encode()),)),
        replace(MESSAGE, attachments=(replace(attachment, filename=f"{MARKER}\u202e{PERSON}"),)),
    ]
    for message in broken:
        without_answer(lambda each=message: distribute(url, own.signed(replace(DELIVERY, messages=(each,)))))  # type: ignore[misc]
    for delivery in (
        replace(DELIVERY, recipient=PERSON),
        replace(DELIVERY, recipient=f"{PERSON}{MARKER}"),
        replace(DELIVERY, sender=Party(PERSON, MARKER)),
    ):
        without_answer(lambda each=delivery: distribute(url, own.signed(each, KOMMUN_A)))  # type: ignore[misc]
    without_answer(lambda: distribute(url, own.signed(DELIVERY).replace(MARKER.encode(), b"Changed")))
    document = own.signed(DELIVERY)
    seal = seal_for(document, own.identity(OPERATOR_ONE), date(2026, 11, 21))
    without_answer(lambda: deliver(url, sealed_document(document, seal)))
    without_answer(lambda: status(url, f"{MARKER}-{PERSON}"))


def hostile_requests(own: Demonstration) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Paths, bodies and headers that are wrong in every other way."""
    said = f"{MARKER} {PERSON}"
    good = carry_signed(own.signed(DELIVERY))
    yield "/Message/v3", f"{said} is no XML".encode(), {}
    yield "/Message/v3", good[:-30], {}
    yield "/Message/v3", good.replace(b"</s:Body>", b"</s:Body><s:Body/>"), {}
    yield (
        "/Message/v3",
        good.replace(b"<s:Header/>", f"<s:Header><x s:mustUnderstand='1'>{said}</x></s:Header>".encode()),
        {},
    )
    yield "/Message/v3", f"<!DOCTYPE x [<!ENTITY {MARKER} '{PERSON}'>]>".encode() + good, {}
    yield "/Message/v3", good, {"content_type": f'text/xml; charset="{MARKER}{PERSON}"'}
    yield "/Message/v3", good, {"content_type": f"application/{MARKER}"}
    yield "/Message/v3", good, {"content_type": f'multipart/related; boundary="{MARKER}{PERSON}"'}
    yield "/Message/v3", good, {"SOAPAction": said, "X_Said": said}
    yield "/Message/v3", good.replace(b"<Subject>", f'<Subject xmlns:x="urn:{said}" x:y="{said}">'.encode()), {}
    yield "/Message/v3", enveloped(f'<distributeSecure xmlns="{MESSAGE_V3}">{said}</distributeSecure>'), {}
    yield "/Message/v3", enveloped(f'<a{PERSON} xmlns="urn:{MARKER}">{said}</a{PERSON}>'), {}
    for ids in (PERSON, said, f"{PERSON}1", "<x/>"):
        body = f'<isRegistered xmlns="{RECIPIENT_V3}"><recipientId>{ids}</recipientId></isRegistered>'
        yield "/Recipient/v3", enveloped(body), {}
    many = f"<recipientId>{PERSON}</recipientId>" * 1001
    yield "/Recipient/v3", enveloped(f'<isRegistered xmlns="{RECIPIENT_V3}">{many}</isRegistered>'), {}
    rights = f'<a:getUserAccessRights xmlns:a="{AUTHORITY}"><arg0>{PERSON}</arg0></a:getUserAccessRights>'
    yield "/Authority", enveloped(rights), {}
    yield (
        "/Authority",
        enveloped(f'<a:isSenderAccepted xmlns:a="{AUTHORITY}"><arg0>{said}</arg0></a:isSenderAccepted>'),
        {},
    )
    yield "/Notification/v3", enveloped(f"<x>{said}</x>"), {}
    yield f"/Service/v3/{PERSON}?recipientId={PERSON}", enveloped(f"<x>{said}</x>"), {}
    yield f"/Service/v3?recipientId={PERSON}", f'<s:Envelope xmlns:s="{SOAP_ENVELOPE}">{said}</s:Envelope>'.encode(), {}


@pytest.mark.parametrize("header", ["Transfer_Encoding", "Expect", "Content_Length"])
def test_an_answer_repeats_no_header(served: Server, header: str) -> None:
    _, raw = post(f"{served.url}/Message/v3", b"<x/>", **{header: MARKER})  # type: ignore[arg-type]
    assert MARKER.encode() not in raw
    assert MARKER not in served.output()


def test_no_word_of_what_was_sent_is_written(fresh: Demonstration) -> None:
    fresh.change("dispatcher.policy", retry_first=0.05, retry_longest=0.1)
    server: Server = fresh.serve()
    send_good_messages(fresh, server.url)
    send_to_operators_who_tell(fresh, server.url)
    send_refused_messages(fresh, server.url)
    for path, body, headers in hostile_requests(fresh):
        _, raw = post(server.url + path, body, **headers)  # type: ignore[arg-type]
        assert MARKER.encode() not in raw
    for path in (f"/Recipient/v3/{PERSON}", f"/{MARKER}?{PERSON}", f"/Message/v3?{MARKER}"):
        assert get(server.url + path)[0] in (404, 405)
    server.stop()

    written = server.output()
    assert "operation=distributeSecure" in written  # it was the right file
    assert MARKER not in written
    assert b64encode(f"{MARKER} text".encode()).decode()[:14] not in written
    assert PERSONAL_NUMBER.findall(written) == []
    for answer in ("Traceback", "Exception in"):
        assert answer not in written
