"""The kit's cases for dispatchers: the suite's own passes them all, and each wrong one is caught by its case."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

import pytest

from mm_soap.clock import system_clock
from mm_soap.conformance import Case, Report, Verdict, run
from mm_soap.conformance.dispatcher import CASES, DispatcherBench, DispatcherPlan
from mm_soap.demonstration import RECIPIENT, RECIPIENT_AT_TWO
from mm_soap.errors import Refusal
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, NOTIFICATION_V3
from tests.e2e.conformance.conftest import dispatcher_plan, some_of
from tests.e2e.conformance.wrong import (
    METHOD,
    Change,
    Reply,
    answering,
    changed,
    failed,
    fault,
    forged_first,
    holds,
    instead_of,
    outer,
    repeats_the_subject,
    soap,
    where,
)
from tests.e2e.suite import Demonstration

pytestmark = pytest.mark.slow

COUNT = itertools.count()


def judge(
    demonstration: Demonstration, url: str, cases: Iterable[Case[DispatcherBench]] = CASES, wait: float = 10
) -> Report:
    plan = {**dispatcher_plan(demonstration.folder, url), "wait": wait}
    bench = DispatcherBench(DispatcherPlan(**plan))
    return run("dispatcher", cases, bench, bench.lines, system_clock)


def test_the_suites_dispatcher_passes_every_case(judged: Demonstration) -> None:
    report = judge(judged, judged.servers[0].url, wait=30)
    wrong = [f"{one.case.id}: {one.what}" for one in report.findings if one.verdict is not Verdict.PASSED]
    assert wrong == []
    assert report.conforms


def accepted(distribution_id: str = "d-1") -> Reply:
    return soap(
        f'<distributeSecureResponse xmlns="{MESSAGE_V3}"><return>{distribution_id}</return></distributeSecureResponse>'
    )


def told(kind: str = "Digital", status: str | None = "Delivered", recipient: str = RECIPIENT_AT_TWO) -> Reply:
    row = f"<m:RecipientId>{recipient}</m:RecipientId><m:Type>{kind}</m:Type>"
    row += f"<m:DeliveryStatus>{status}</m:DeliveryStatus>" if status else ""
    return soap(
        f'<r:checkDistributionStatusResponse xmlns:r="{MESSAGE_V3}" xmlns:m="{MESSAGE_V1}"><r:return>{row}</r:return>'
        "</r:checkDistributionStatusResponse>"
    )


YES = accepted()
NOTIFICATION_YES = soap(f'<distributeResponse xmlns="{NOTIFICATION_V3}"><return>d-1</return></distributeResponse>')


def accepts(refusal: Refusal) -> Change:
    return instead_of(refusal, YES)


def takes(*parts: bytes) -> Change:
    return where(holds(*parts), YES)


def refuses(*parts: bytes) -> Change:
    return where(holds(*parts), fault(5006))


def changes(old: bytes, new: bytes) -> Change:
    return lambda _, reply: reply.with_text(old, new)


def new_ids(known: dict[bytes, bytes]) -> Change:
    """A new distribution id for a repeat: the first one is told on, so that the status is still found."""

    def change(request: bytes, reply: Reply) -> Reply:
        if b"<signedDelivery" in request and not reply.is_fault:
            if request in known:
                return Reply(
                    reply.status, re.sub(rb"(return>)[^<]+", rb"\g<1>d-%d" % next(COUNT), reply.body), reply.kind
                )
            known[request] = b""
        return reply

    return change


def new_notification_ids(known: dict[bytes, bytes]) -> Change:
    """A new distribution id for a notification that comes again."""

    def change(request: bytes, reply: Reply) -> Reply:
        if b"<distribute " not in request or reply.is_fault:
            return reply
        again = request in known
        known[request] = b""
        other = re.sub(rb"(return>)[^<]+", rb"\g<1>d-%d" % next(COUNT), reply.body)
        return Reply(reply.status, other, reply.kind) if again else reply

    return change


def one_id_for_all(_: bytes, reply: Reply) -> Reply:
    if b"<distributeResponse" not in reply.body:
        return reply
    return Reply(reply.status, re.sub(rb"(return>)[^<]+", rb"\g<1>d-1", reply.body), reply.kind)


def turns_after_a_repeat() -> Change:
    seen: set[bytes] = set()
    turned: list[bool] = []

    def change(request: bytes, reply: Reply) -> Reply:
        if b"<signedDelivery" in request:
            turned[:] = [True] if request in seen else []
            seen.add(request)
        return reply.with_text(b">Delivered<", b">Pending<") if turned and b"DeliveryStatus" in reply.body else reply

    return change


PARTIES: dict[str, tuple[Change, set[str]]] = {
    "wrong namespace in the reply": (
        changes(
            b'distributeSecureResponse xmlns="http://minameddelanden.gov.se/schema/Message/v3"',
            b'distributeSecureResponse xmlns="urn:example"',
        ),
        {"distributeSecure.form"},
    ),
    "wrong namespace in the status": (
        changes(f'RecipientId xmlns="{MESSAGE_V1}"'.encode(), f'RecipientId xmlns="{MESSAGE_V3}"'.encode()),
        {"status.form"},
    ),
    "new distribution id for a repeat": (new_ids({}), {"repeat.same"}),
    "not registered told as Paper": (changes(b">Not<", b">Paper<"), {"status.not-registered"}),
    "deselected told as Not": (changes(b">Paper<", b">Not<"), {"status.deselected"}),
    "another recipient in the status": (
        changes(RECIPIENT_AT_TWO.encode(), RECIPIENT.encode()),
        {"status.recipient", "notification.delivered", "notification.each-recipient"},
    ),
    "a final status changes after a repeat": (turns_after_a_repeat(), {"status.final"}),
    "every id is known": (
        where(holds(b"<checkDistributionStatus ", b"00000000-0000-4000-8000-000000000000", b"senderId"), told()),
        {"status.unknown-id"},
    ),
    "another sender sees the status": (
        where(holds(b"<checkDistributionStatus ", b"<senderId>162021004748<"), told()),
        {"status.other-sender"},
    ),
    "status of another sender is a technical error": (
        where(holds(b"<checkDistributionStatus ", b"<senderId>162021004748<"), fault(4000)),
        {"status.other-sender"},
    ),
    "an id of 51 characters is looked up": (where(holds(b">" + b"i" * 51 + b"<"), fault(5003)), {"status.long-id"}),
    "bad checksum accepted": (accepts(Refusal.BAD_CHECKSUM), {"refused.bad-checksum"}),
    "technical code for a broken rule": (instead_of(Refusal.BAD_CHECKSUM, fault(4000)), {"refused.bad-checksum"}),
    "too large accepted": (accepts(Refusal.MESSAGE_TOO_LARGE), {"refused.over-limit"}),
    "bodies of any charset": (accepts(Refusal.BODY_NOT_UTF8), {"refused.not-utf-8"}),
    "bytes of attachments not looked at": (accepts(Refusal.CONTENT_MISMATCH), {"refused.attachment-bytes"}),
    "refuses -template": (refuses(b"wordprocessingml-template"), {"content.word-template"}),
    "signed by anybody accepted": (accepts(Refusal.SIGNER_NOT_LISTED), {"signer.not-listed"}),
    "unknown senders accepted": (
        accepts(Refusal.SENDER_UNKNOWN),
        {"signer.not-connected", "notification.not-connected"},
    ),
    "expired certificates accepted": (accepts(Refusal.CERTIFICATE_EXPIRED), {"signer.expired"}),
    "every issuer trusted": (accepts(Refusal.CERTIFICATE_UNKNOWN_ISSUER), {"signer.unknown-issuer"}),
    "unsigned accepted": (
        where(
            lambda request: (
                b"<signedDelivery" in request and b"<Signature xmlns" not in request and b"<ds:" not in request
            ),
            YES,
        ),
        {"signature.missing", "fault.form", "fault.call-id", "fault.faultcode"},
    ),
    "HMAC accepted": (outer(METHOD, b"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", YES), {"signature.hmac"}),
    'verifies only URI ""': (
        where(lambda request: b'URI="#SD-1"' in request and b"Nagot annat" not in request, fault(5006)),
        {"delivery.by-id"},
    ),
    "verifies in place": (refuses(b"urn:example:a"), {"forms.busy-envelope"}),
    "strips no prefixes": (
        where(lambda request: b"<m2:Recipient" in request and b"<ds:Signature xmlns" not in request, fault(5006)),
        {"forms.prefixes-put-back"},
    ),
    "accepts a message moved to the header": (takes(b"<soap:Header><SignedDelivery"), {"wrapped.header"}),
    "accepts a message within a signature": (takes(b"<Object ", b'Id="SD-2"'), {"wrapped.nested"}),
    "reads the first Body": (
        where(lambda request: b"</soap:Body><soap:Body>" in request and forged_first(request), YES),
        {"wrapped.body-before"},
    ),
    "DOCTYPE accepted": (takes(b"<!DOCTYPE Envelope"), {"hostile.doctype"}),
    "entities expanded": (takes(b"<!ENTITY"), {"hostile.entities"}),
    "HTTP 200 for faults": (
        lambda request, reply: Reply(200, reply.body) if reply.is_fault and b"<signedDelivery" in request else reply,
        {"fault.form"},
    ),
    "faults that repeat": (repeats_the_subject, {"fault.silent"}),
    "one distribution id for all notifications": (
        one_id_for_all,
        {
            "notification.accepted",
            "notification.delivered",
            "notification.each-recipient",
            "notification.deselected",
            "notification.status-form",
        },
    ),
    "notification in another namespace": (
        changes(b"distributeResponse xmlns=", b'distributeResponse xmlns="urn:example" xmlns:o='),
        {"notification.form"},
    ),
    "schema of notifications not looked at": (
        where(holds(b"<distribute xmlns", b"/></"), NOTIFICATION_YES),
        {"notification.schema"},
    ),
    "any number of recipients": (
        where(lambda request: request.count(b"<Recipient ") > 1000, NOTIFICATION_YES),
        {"notification.too-many"},
    ),
    "notifications from anybody": (
        lambda request, reply: (
            NOTIFICATION_YES if b"<distribute " in request and reply.says(Refusal.SENDER_UNKNOWN) else reply
        ),
        {"notification.not-connected"},
    ),
    "new distribution id for a notification that comes again": (new_notification_ids({}), {"notification.repeat"}),
    "status of a notification in another namespace": (
        changes(
            b'StatusResponse xmlns="http://minameddelanden.gov.se/schema/Notification/v3', b'StatusResponse xmlns="o'
        ),
        {"notification.status-form"},
    ),
    "a notification reaches nobody": (
        changes(b"DeliveredFlag>true<", b"DeliveredFlag>false<"),
        {"notification.delivered", "notification.each-recipient"},
    ),
    "a notification reaches everybody": (
        changes(b"DeliveredFlag>false<", b"DeliveredFlag>true<"),
        {"notification.each-recipient", "notification.deselected"},
    ),
    "a channel for one who got nothing": (
        changes(b"false</DeliveredFlag>", b"false</DeliveredFlag><NotifiedByChannel>SMS</NotifiedByChannel>"),
        {"notification.each-recipient", "notification.deselected"},
    ),
    "every notification is known": (
        where(holds(b"<checkDistributionStatus ", b"00000000-0000-4000-8000-000000000000", b"<sender>"), told()),
        {"notification.unknown-id"},
    ),
    "another sender sees what became of a notification": (
        where(holds(b"<checkDistributionStatus ", b"<sender>162021004748<"), told()),
        {"notification.other-sender"},
    ),
}


@pytest.mark.parametrize("name", PARTIES)
def test_a_wrong_dispatcher_is_caught_by_the_case_made_for_it_and_by_no_other(judged: Demonstration, name: str) -> None:
    change, expected = PARTIES[name]
    with changed(judged.servers[0].url, change) as url:
        wanted = {f"dispatcher.{one}" for one in expected}
        report = judge(judged, url, some_of(CASES, wanted, name))
    assert failed(report) == wanted


def test_ids_that_are_too_long_are_caught_by_the_case_made_for_them(judged: Demonstration) -> None:
    longer = b"0" * 24

    def change(_: bytes, reply: Reply) -> Reply:
        lengthened = re.sub(rb"(distributeSecureResponse [^>]*><return>)", rb"\g<1>" + longer, reply.body)
        return Reply(reply.status, lengthened, reply.kind)

    with changed(judged.servers[0].url, change, lambda asked: asked.replace(longer, b"")) as url:
        report = judge(judged, url)
    assert failed(report) == {"dispatcher.distributeSecure.id"}


@pytest.mark.parametrize("case", list(CASES), ids=lambda case: case.id)
def test_each_case_can_fail(judged: Demonstration, case: Case[DispatcherBench]) -> None:
    found: set[str] = set()
    for reply in (accepted(""), YES, fault(4000, 200), repeats_the_subject(b"", fault(5000))):
        with answering(lambda *_, reply=reply: reply) as url:
            found |= failed(judge(judged, url, [case], wait=0.3))
    assert found == {case.id}
