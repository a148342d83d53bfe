"""The kit's cases for mailbox operators: the suite's own passes them all, and each wrong one is caught by its case."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable

import pytest

from mm_soap.clock import system_clock
from mm_soap.conformance import Case, Report, Verdict, run
from mm_soap.conformance.operator import CASES, OperatorBench, OperatorPlan
from mm_soap.demonstration import RECIPIENT, RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B
from mm_soap.errors import Refusal
from mm_soap.xml import SERVICE_V1, SERVICE_V3
from tests.e2e.conformance.conftest import operator_plan, some_of
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
    last,
    outer,
    repeats_the_subject,
    soap,
    where,
)
from tests.e2e.suite import Demonstration

pytestmark = pytest.mark.slow

COUNT = itertools.count()


def judge(demonstration: Demonstration, url: str, cases: Iterable[Case[OperatorBench]] = CASES) -> Report:
    bench = OperatorBench(OperatorPlan(**operator_plan(demonstration.folder, url)))
    return run("operator", cases, bench, bench.lines, system_clock)


def test_the_suites_operator_passes_every_case(judged: Demonstration) -> None:
    report = judge(judged, judged.servers[0].url)
    wrong = [f"{one.case.id}: {one.what}" for one in report.findings if one.verdict is not Verdict.PASSED]
    assert wrong == []
    assert report.conforms


def normal(trans_id: str = "t-1", delivered: str = "true", recipient: str = RECIPIENT_AT_TWO) -> Reply:
    return soap(
        f'<a:deliverSecureResponse xmlns:a="{SERVICE_V3}" xmlns:r="{SERVICE_V1}"><a:return>'
        f"<r:TransId>{trans_id}</r:TransId><r:Status><r:RecipientId>{recipient}</r:RecipientId><r:Delivered>{delivered}</r:Delivered></r:Status></a:return>"
        "</a:deliverSecureResponse>"
    )


YES = normal()


def accepts(refusal: Refusal) -> Change:
    return instead_of(refusal, YES)


def takes(*parts: bytes) -> Change:
    """Accept requests that hold all of this."""
    return where(holds(*parts), YES)


def refuses(*parts: bytes, code: int = 5006) -> Change:
    return where(holds(*parts), fault(code))


def other_ids(_: bytes, reply: Reply) -> Reply:
    return Reply(
        reply.status, re.sub(rb"(TransId>)[^<]*", rb"\g<1>t-%d" % next(COUNT), reply.body, count=1), reply.kind
    )


def not_again() -> Change:
    seen: set[bytes] = set()

    def change(request: bytes, reply: Reply) -> Reply:
        again = request in seen
        seen.add(request)
        return reply.with_text(b"Delivered>true<", b"Delivered>false<") if again else reply

    return change


def cut_at_comment(request: bytes, reply: Reply) -> Reply:
    return normal(recipient=RECIPIENT_AT_TWO[:8]) if b"<!-- -->" in request else reply


def faults_with_200(request: bytes, reply: Reply) -> Reply:
    return Reply(200, reply.body) if reply.is_fault and b"<s:deliverSecure" in request else reply


def two(part: bytes, *, first: bool) -> Callable[[bytes], bool]:
    return lambda request: request.count(part) == 2 and b"Nagot annat" in request and forged_first(request) is first


BODIES = b"</soap:Body><soap:Body>"
FALSE = b"Delivered>false<"
_ROW = re.compile(rb"<n:Status>.*?</n:Status>")
_LEFT_OUT = re.compile(rb"<n:Status>(?:(?!</n:Status>).)*DeliveredFlag>false<.*?</n:Status>")
PARTIES: dict[str, tuple[Change, set[str]]] = {
    "Delivered as a fault": (
        lambda _, reply: fault(5003) if FALSE in reply.body and RECIPIENT.encode() in reply.body else reply,
        {"deliverSecure.no-mailbox", "deliverForward.each-recipient"},
    ),
    "says delivered to everybody": (
        lambda _, reply: normal() if FALSE in reply.body and RECIPIENT.encode() in reply.body else reply,
        {"deliverSecure.no-mailbox", "deliverForward.each-recipient"},
    ),
    "deselection as a fault": (
        lambda _, reply: fault(5002) if RECIPIENT_WITHOUT_B.encode() in reply.body else reply,
        {"deliverSecure.deselected", "notify.deselected"},
    ),
    "wrong namespace in the reply": (
        lambda _, reply: reply.with_text(SERVICE_V3.encode(), b"urn:example"),
        {"deliverSecure.form", "deliverForward.form", "notify.form"},
    ),
    "answers with HTTP 202": (
        lambda _, reply: Reply(202, reply.body) if reply.status == 200 else reply,
        {"deliverSecure.form", "deliverForward.form", "notify.form"},
    ),
    "one TransId for all": (
        lambda _, reply: Reply(reply.status, re.sub(rb"(TransId>)[^<]+", rb"\g<1>one", reply.body), reply.kind),
        {"deliverSecure.trans-id"},
    ),
    "another recipient in the answer": (
        lambda _, reply: reply.with_text(RECIPIENT_AT_TWO.encode() + b"<", RECIPIENT.encode() + b"<"),
        {
            "deliverSecure.recipient",
            "wrapped.comment",
            "deliverForward.delivered",
            "deliverForward.each-recipient",
            "deliverForward.one-message",
            "notify.delivered",
            "notify.each-recipient",
        },
    ),
    "another TransId for a repeat": (other_ids, {"repeat.same", "deliverForward.repeat", "notify.repeat"}),
    "not delivered the second time": (not_again(), {"repeat.reordered", "deliverForward.repeat"}),
    "bad checksum accepted": (accepts(Refusal.BAD_CHECKSUM), {"refused.bad-checksum"}),
    "too large accepted": (accepts(Refusal.MESSAGE_TOO_LARGE), {"refused.over-limit"}),
    "any content type of attachments": (accepts(Refusal.CONTENT_MISMATCH), {"refused.attachment-bytes"}),
    "no check of dates in numbers": (takes(b">192713178354<"), {"refused.recipient-date"}),
    "technical code for a broken rule": (instead_of(Refusal.BAD_CHECKSUM, fault(4000)), {"refused.bad-checksum"}),
    "another code for a broken rule": (instead_of(Refusal.BAD_CHECKSUM, fault(5006)), {"refused.bad-checksum"}),
    "a limit of one megabyte for bodies": (
        lambda request, reply: fault(5005) if 1_390_000 < len(request) < 2_000_000 else reply,
        {"content.megabyte"},
    ),
    "counts base64": (
        lambda request, reply: fault(5005) if len(request) > 2_700_000 else reply,
        {"content.at-limit"},
    ),
    "sealed by an unlisted dispatcher accepted": (accepts(Refusal.SEALER_NOT_DISPATCHER), {"seal.not-listed"}),
    "signed by anybody accepted": (accepts(Refusal.SIGNER_NOT_LISTED), {"signer.not-listed"}),
    "unknown senders accepted": (accepts(Refusal.SENDER_UNKNOWN), {"signer.not-connected", "notify.not-connected"}),
    "expired certificates accepted": (accepts(Refusal.CERTIFICATE_EXPIRED), {"signer.expired"}),
    "every issuer trusted": (
        accepts(Refusal.CERTIFICATE_UNKNOWN_ISSUER),
        {"signer.unknown-issuer", "seal.unknown-issuer"},
    ),
    "SignaturesOK not read": (
        takes(b'SignaturesOK xmlns="http://minameddelanden.gov.se/schema/Message">false<'),
        {"seal.not-ok"},
    ),
    "ReceivedTime not covered": (takes(b">2020-02-02<"), {"seal.changed"}),
    "HMAC accepted for seals": (
        outer(METHOD, b"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", YES),
        {"seal.hmac"},
    ),
    "SHA-1 accepted for seals": (outer(METHOD, b"http://www.w3.org/2000/09/xmldsig#rsa-sha1", YES), {"seal.sha1"}),
    'verifies only URI "" in seals': (
        where(
            lambda request: last(rb'URI="([^"]*)"')(request) == b"#SD-1" and b"Nagot annat" not in request, fault(5006)
        ),
        {"seal.by-id"},
    ),
    "RSA-SHA512 refused for seals": (
        outer(METHOD, b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", fault(5006)),
        {"seal.sha512"},
    ),
    "verifies in place": (refuses(b"urn:example:a"), {"forms.busy-envelope"}),
    "strips no prefixes": (
        where(lambda request: b"<m2:Recipient" in request and b"<ds:Signature xmlns" not in request, fault(5006)),
        {"forms.prefixes-put-back", "forms.prefixes-put-back-as-it-travels"},
    ),
    "hashes always without prefixes": (
        where(lambda request: b"<m2:Recipient" in request and b"<ds:Signature xmlns" in request, fault(5006)),
        {"forms.prefixes-signed"},
    ),
    "hashes text before canonical form": (refuses(b"<![CDATA["), {"forms.cdata"}),
    "accepts a message moved to the header": (takes(b"<soap:Header><SealedDelivery"), {"wrapped.header"}),
    "accepts a message within a signature": (takes(b"<Object ", b'Id="SD-2"'), {"wrapped.nested"}),
    "reads the second payload": (
        where(lambda request: BODIES not in request and two(b"<s:deliverSecure xmlns:s", first=False)(request), YES),
        {"wrapped.payload-after"},
    ),
    "reads the first Body": (
        where(lambda request: BODIES in request and forged_first(request), YES),
        {"wrapped.body-before"},
    ),
    "cuts a number at a comment": (cut_at_comment, {"wrapped.comment"}),
    "DOCTYPE accepted": (takes(b"<!DOCTYPE Envelope"), {"hostile.doctype"}),
    "an error page for malformed XML": (
        lambda _, reply: Reply(500, b"<html>Error</html>", "text/html") if reply.says(Refusal.MALFORMED_XML) else reply,
        {"hostile.malformed", "hostile.null", "hostile.deep", "hostile.nothing"},
    ),
    "HTTP 200 for faults": (faults_with_200, {"fault.form"}),
    "one CallId for all": (
        lambda _, reply: Reply(reply.status, re.sub(rb"(CallId>)[^<]+", rb"\g<1>" + b"1" * 36, reply.body), reply.kind),
        {"fault.call-id"},
    ),
    "every fault is the server's": (
        lambda _, reply: reply.with_text(b"<faultcode>soap:Client", b"<faultcode>soap:Server"),
        {"fault.faultcode"},
    ),
    "faults that repeat": (repeats_the_subject, {"fault.silent"}),
    "no answer to what is not known": (
        lambda _, reply: Reply(404, b"", "text/plain") if reply.says(Refusal.UNKNOWN_OPERATION) else reply,
        {"fault.soap-form", "hostile.unknown-operation"},
    ),
    "mustUnderstand not heeded": (takes(b'mustUnderstand="1"'), {"soap.must-understand"}),
    "notify as an empty answer": (
        lambda request, reply: soap("<notifyResponse/>") if b"<notify " in request and len(request) > 500 else reply,
        {
            "notify.delivered",
            "notify.form",
            "notify.each-recipient",
            "notify.deselected",
            "notify.repeat",
            "notify.not-connected",
            "notify.too-many",
        },
    ),
    "notify in another namespace": (
        lambda _, reply: reply.with_text(b"notifyResponse xmlns=", b'notifyResponse xmlns="urn:example" xmlns:o='),
        {"notify.form"},
    ),
    "notify tells nobody false": (
        lambda _, reply: reply.with_text(b"DeliveredFlag>false<", b"DeliveredFlag>true<"),
        {"notify.each-recipient", "notify.deselected"},
    ),
    "notify tells of each recipient twice": (
        lambda _, reply: Reply(reply.status, _ROW.sub(lambda row: row[0] * 2, reply.body), reply.kind),
        {"notify.delivered", "notify.each-recipient"},
    ),
    "notify leaves out who has no mailbox": (
        lambda _, reply: Reply(reply.status, _LEFT_OUT.sub(b"", reply.body), reply.kind),
        {"notify.each-recipient", "notify.deselected"},
    ),
    "a channel for one who got nothing": (
        lambda _, reply: reply.with_text(
            b"false</n:DeliveredFlag>", b"false</n:DeliveredFlag><n:NotifiedByChannel>SMS</n:NotifiedByChannel>"
        ),
        {"notify.each-recipient", "notify.deselected"},
    ),
    "nothing gets into the mailbox": (
        lambda _, reply: reply.with_text(b"DeliveredFlag>true<", b"DeliveredFlag>false<"),
        {"notify.delivered", "notify.each-recipient"},
    ),
    "another TransId for a notification that comes again": (
        lambda request, reply: other_ids(request, reply) if b"<notify " in request else reply,
        {"notify.repeat"},
    ),
    "any number of recipients": (
        where(lambda request: request.count(b"<Recipient ") > 1000, soap("<n/>")),
        {"notify.too-many"},
    ),
    "notifications from anybody": (
        lambda request, reply: soap("<n/>") if b"<notify " in request and reply.says(Refusal.SENDER_UNKNOWN) else reply,
        {"notify.not-connected"},
    ),
    "schema of notify not looked at": (where(holds(b"<notify ", b"/></"), soap("<n/>")), {"notify.schema"}),
    "schema of deliverForward not looked at": (
        where(lambda request: b"<deliverForward " in request and len(request) < 500, soap("<n/>")),
        {"deliverForward.schema"},
    ),
    "deliverForward in another namespace": (
        lambda _, reply: reply.with_text(
            b"deliverForwardResponse xmlns=", b'deliverForwardResponse xmlns="urn:example" xmlns:o='
        ),
        {"deliverForward.form"},
    ),
    "forwards to nobody": (
        lambda request, reply: (
            reply.with_text(b"Delivered>true<", b"Delivered>false<") if b"deliverForward " in request else reply
        ),
        {"deliverForward.delivered", "deliverForward.each-recipient", "deliverForward.one-message"},
    ),
    "forwards to everybody": (
        lambda request, reply: reply.with_text(FALSE, b"Delivered>true<") if b"deliverForward " in request else reply,
        {"deliverForward.each-recipient"},
    ),
    "another TransId for what is forwarded again": (
        lambda request, reply: other_ids(request, reply) if b"deliverForward " in request else reply,
        {"deliverForward.repeat"},
    ),
    "a changed original forwarded": (
        where(holds(b"deliverForward ", b"Nagot annat"), soap("<n/>")),
        {"deliverForward.changed"},
    ),
    "an original without seal forwarded": (
        where(lambda request: b"deliverForward " in request and request.count(b"<SignatureValue") == 1, soap("<n/>")),
        {"deliverForward.unsealed"},
    ),
    "forwards one message, whatever it is called": (
        where(holds(b"deliverForward ", b"nothing-like-it"), soap("<n/>")),
        {"deliverForward.unknown-message"},
    ),
}


@pytest.mark.parametrize("name", PARTIES)
def test_a_wrong_operator_is_caught_by_the_case_made_for_it_and_by_no_other(judged: Demonstration, name: str) -> None:
    change, expected = PARTIES[name]
    with changed(judged.servers[0].url, change) as url:
        wanted = {f"operator.{one}" for one in expected}
        report = judge(judged, url, some_of(CASES, wanted, name))
    assert failed(report) == wanted


@pytest.mark.parametrize("case", list(CASES), ids=lambda case: case.id)
def test_each_case_can_fail(judged: Demonstration, case: Case[OperatorBench]) -> None:
    found: set[str] = set()
    for reply in (normal(delivered="true"), fault(4000, 200), normal("", "false", RECIPIENT)):
        with answering(lambda *_, reply=reply: reply) as url:
            found |= failed(judge(judged, url, [case]))
    assert found == {case.id}
