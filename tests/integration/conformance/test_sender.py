"""The kit listens: each wrong sender is caught by the case made for it and by no other, and right ones pass."""

from __future__ import annotations

import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from mm_soap.clock import system_clock
from mm_soap.conformance import Report, Verdict
from mm_soap.conformance.plan import read_plan
from mm_soap.conformance.sender.cases import CASES
from mm_soap.conformance.sender.ledger import First
from mm_soap.conformance.sender.listening import Listener
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.conformance.sender.serving import Server
from mm_soap.conformance.xmlsig import signed
from mm_soap.contract import validate
from mm_soap.errors import ConfigurationError
from mm_soap.message import new_message
from mm_soap.soap.envelope import payload_of
from mm_soap.testing import TestPki
from mm_soap.xml import parse_untrusted
from tests.integration.conformance.senders import (
    DISPATCHER,
    OTHER,
    PKI,
    RECIPIENT,
    SENDER,
    WRONG,
    Answer,
    Call,
    a_delivery,
    delivered,
    forwarded,
    message,
    notification,
    notification_status,
    notify,
    post,
    sealed,
    sent,
    status,
    unsigned,
)
from tests.unit.dsig.samples import VECTORS, distribute


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    PKI.write(folder, [SENDER, OTHER, DISPATCHER])
    return folder / "ca.pem"


@contextmanager
def listening(trust: Path, first: First = First.ANSWERED, **plan: Any) -> Iterator[Server]:
    given = {"port": 0, "trust": trust, "dispatchers": (DISPATCHER.organisation,), **plan}
    with closing(Server(Listener(SenderPlan(**given), first))) as server:
        yield server


def report_of(server: Server) -> Report:
    return server.listener.report(server.endpoints)


def failed(report: Report) -> set[str]:
    return {one.case.id.removeprefix("sender.") for one in report.findings if one.verdict is Verdict.FAILED}


def passed(report: Report) -> set[str]:
    return {one.case.id.removeprefix("sender.") for one in report.findings if one.verdict is Verdict.PASSED}


def answered(server: Server, call: Call) -> Answer:
    answer = post(server.url, call)
    assert answer is not None
    return answer


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sender_is_caught_by_the_case_made_for_it_and_by_no_other(trust: Path, name: str) -> None:
    calls, expected = WRONG[name]
    with listening(trust) as server:
        for call in calls():
            post(server.url, call)
    assert failed(report_of(server)) == expected


def test_every_case_but_those_of_faults_is_caught_by_a_wrong_sender() -> None:
    caught = set().union(*(expected for _, expected in WRONG.values()))
    between = {name for name in CASES if name.partition(".")[0] in ("calls", "retry", "status")}
    # The seal's signature is judged by the same code as the delivery's.
    assert {name for name in CASES if not name.startswith("seal.")} - caught - between == set()


def test_a_right_sender_passes_what_it_tries(trust: Path) -> None:
    with listening(trust) as server:
        html = new_message("Ett", html="<p>Hej</p>", attachments=[("a.pdf", "application/pdf", b"%PDF-1.7")])
        first = answered(server, a_delivery(unsigned(html, new_message("Två", text="Hej."))))
        assert first.status == 200
        assert answered(server, a_delivery()).returned != first.returned
        assert answered(server, status(first.returned)).code == 5004
        told = answered(server, status(first.returned))
        assert b">Delivered<" in told.body
        report = report_of(server)
    assert failed(report) == set()
    groups = {one.partition(".")[0] for one in passed(report)}
    assert groups == {
        *("http", "envelope", "operation", "schema", "signature", "certificate", "message", "attachment", "calls"),
        "status",
    }


def test_a_right_dispatcher_passes_what_it_tries(trust: Path) -> None:
    with listening(trust, mailboxes=(RECIPIENT,)) as server:
        document = sealed()
        first, again = (answered(server, delivered(document)) for _ in range(2))
        assert first == again
        assert b"Delivered>true<" in first.body
        elsewhere = answered(server, delivered(sealed(a_signed("191212121212"))))
        assert b"Delivered>false<" in elsewhere.body
        assert b"NotifiedByChannel>EMail<" in answered(server, notify(RECIPIENT)).body
        assert b"TransId" in answered(server, forwarded("m-1")).body
        report = report_of(server)
    assert failed(report) == set()
    assert {one for one in CASES if one.startswith(("seal.", "class-one."))} <= passed(report)


def a_signed(recipient: str) -> bytes:
    return signed(unsigned(recipient=recipient), SENDER)


def test_notifications_have_ids_and_statuses_of_their_own(trust: Path) -> None:
    with listening(trust) as server:
        found = answered(server, notification(RECIPIENT, "162021003898")).returned
        assert answered(server, notification_status(found)).code == 5004
        assert answered(server, notification_status(found)).body.count(b"<RecipientId>") == 2
        assert failed(report_of(server)) == set()
        assert answered(server, status(found)).code == 5003
        assert failed(report_of(server)) == {"status.known-id"}


def test_each_answer_follows_the_contract(trust: Path) -> None:
    calls = [a_delivery(), delivered(sealed()), notify(RECIPIENT), forwarded(), notification(RECIPIENT), status("x")]
    with listening(trust) as server:
        for call in calls:
            answer = answered(server, call)
            payload = payload_of(parse_untrusted(answer.body))
            validate(payload[-1][0] if answer.status == 500 else payload)


@pytest.mark.parametrize("first", [First.LOST, First.TECHNICAL])
def test_a_retry_with_the_same_bytes_passes(trust: Path, first: First) -> None:
    call = a_delivery()
    with listening(trust, first) as server:
        lost = post(server.url, call)
        assert lost is None if first is First.LOST else lost is not None and lost.code == 4000
        assert answered(server, call).status == 200
        report = report_of(server)
    assert failed(report) == set()
    assert {"retry.happens", "retry.same-bytes"} <= passed(report)


@pytest.mark.parametrize("first", [First.LOST, First.TECHNICAL])
def test_a_retry_with_other_bytes_is_caught(trust: Path, first: First) -> None:
    document = unsigned()
    for again in (unsigned(), document.replace(b"Beslut", b"Besked")):
        with listening(trust, first) as server:
            post(server.url, a_delivery(document))
            post(server.url, a_delivery(again))
        report = report_of(server)
        assert failed(report) == {"retry.same-bytes"}
        assert "retry.happens" in passed(report)


def test_no_retry_is_caught_although_other_messages_follow(trust: Path) -> None:
    with listening(trust, First.LOST) as server:
        post(server.url, a_delivery())
        answered(server, a_delivery(message(text="Något annat.")))
    (found,) = (one for one in report_of(server).findings if one.verdict is Verdict.FAILED)
    assert (found.case.id, found.exchanges[0].number) == ("sender.retry.happens", 1)


def test_what_was_refused_must_not_come_again(trust: Path) -> None:
    call = a_delivery()
    with listening(trust, First.REFUSED) as server:
        assert answered(server, call).code == 5002
        answered(server, a_delivery(message(text="Något annat.")))
        assert "retry.not-after-refusal" in passed(report_of(server))
        answered(server, call)
    assert failed(report_of(server)) == {"retry.not-after-refusal"}


def test_an_id_that_is_used_again_is_caught(trust: Path) -> None:
    document = unsigned()
    with listening(trust) as server:
        answered(server, a_delivery(document))
        answered(server, a_delivery(document))
        assert failed(report_of(server)) == set()
        answered(server, a_delivery(document.replace(b"Beslut", b"Besked")))
    assert failed(report_of(server)) == {"calls.id-unique"}


def test_a_status_that_is_asked_once_is_caught(trust: Path) -> None:
    with listening(trust) as server:
        found = answered(server, a_delivery()).returned
        answered(server, status(found))
    assert failed(report_of(server)) == {"status.asks-again"}


def test_an_id_of_another_sender_is_unknown(trust: Path) -> None:
    with listening(trust) as server:
        found = answered(server, a_delivery()).returned
        assert answered(server, status(found, OTHER.organisation)).code == 5003
        (one,) = (one for one in report_of(server).findings if one.verdict is Verdict.FAILED)
    assert one.what == "Request 2: The id was answered to a delivery of another sender."


PRODUCERS = ("java", "mono", "php", "pyxmlsec", "xmlcrypto", "xmlsec1")
"""Of the vectors: what they signed is right, but for the prefixes that they all hashed."""


@pytest.mark.parametrize(
    "file",
    sorted(file for one in PRODUCERS for file in (VECTORS / one).glob("*.xml")),
    ids=lambda file: f"{file.parent.name}-{file.stem}",
)
def test_what_other_software_signed_with_prefixes_is_told_so_and_holds(file: Path) -> None:
    with listening(VECTORS / "signer-cert.pem", check_digits=False) as server:
        assert answered(server, Call(distribute(file.read_bytes()))).status == 200
    assert failed(report_of(server)) == {"signature.prefixes"}


def test_many_mistakes_in_one_request_are_all_told(trust: Path) -> None:
    document = unsigned(sender="162021004749", recipient="192705178355")
    with listening(trust) as server:
        answered(server, sent(document).with_headers(SOAPAction="x"))
        report = report_of(server)
    assert failed(report) == {"http.soap-action", "message.identifiers", "signature.present"}
    (both,) = (one for one in report.findings if one.case.id == "sender.message.identifiers")
    assert [both.place, *(place for _, place in both.also)] == [
        "distributeSecure/signedDelivery/Delivery/Header/Sender/Id",
        "distributeSecure/signedDelivery/Delivery/Header/Recipient",
    ]


def test_what_was_sent_is_repeated_only_where_that_is_asked_for(trust: Path) -> None:
    document = re.sub(rb">[^<]*</Body></Body>", b">hemligt!</Body></Body>", unsigned(new_message("Ett", text="Hej.")))
    for unmasked in (False, True):
        with closing(Server(Listener(SenderPlan(port=0, trust=trust), unmasked=unmasked))) as server:
            post(server.url, a_delivery(document))
        (found,) = (one for one in report_of(server).findings if one.verdict is Verdict.FAILED)
        shown = "hemligt!" if unmasked else "…(8 characters)"
        assert found.what.startswith(f"Request 1: Invalid value '{shown}' for xs:base64Binary.")


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /Message/v3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /Message/v3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"POST /Message/v3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
        b"POST /Message/v3 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nabc",
        b"POST /Message/v3 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        b"POST /Message/v3 HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\nabc",
    ],
)
def test_bodies_that_do_not_arrive_are_caught(trust: Path, raw: bytes) -> None:
    with listening(trust) as server, socket.create_connection(("127.0.0.1", server.server_port), 30) as line:
        line.sendall(raw)
        line.shutdown(socket.SHUT_WR)
        assert re.match(rb"HTTP/1.1 4\d\d ", line.makefile("rb").read())
        assert "http.length" in failed(report_of(server))


def test_chunks_are_read_to_the_end(trust: Path) -> None:
    call = a_delivery()
    parts = (call.body[:100], call.body[100:])
    chunks = b"".join(b"%x;note\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    with listening(trust) as server:
        chunked = replace(call, body=chunks).with_headers(Transfer_Encoding="chunked", Content_Length=None)
        assert answered(server, chunked).status == 200
    assert failed(report_of(server)) == set()


def test_the_contract_is_served(trust: Path) -> None:
    with listening(trust) as server:
        for address in server.endpoints:
            with urlopen(f"{address}?wsdl", timeout=30) as answer:
                assert address.encode() in answer.read()
        with urlopen(f"{server.url}/xsd/v3/Message.xsd", timeout=30) as answer:
            assert b"SignedDelivery" in answer.read()
        assert server.listener.arrivals == []


def test_over_tls_the_caller_is_judged(trust: Path) -> None:
    own = TestPki(system_clock)
    local = own.organisation(DISPATCHER.organisation, "Lyssnaren")
    folder = trust.parent
    tls = {"certificate": folder / f"{local.organisation}.pem", "key": folder / f"{local.organisation}.key"}
    with listening(trust, **tls, client_trust=trust) as server:
        for identity, expected in ((SENDER, set[str]()), (OTHER, {"calls.caller"})):
            context = ssl._create_unverified_context()
            name = identity.organisation
            context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
            request = urllib.request.Request(f"{server.endpoints[0]}", a_delivery().body, {"Content-Type": "text/xml"})
            with suppress(urllib.error.HTTPError):
                urlopen(request, timeout=30, context=context).close()
            assert failed(report_of(server)) == expected
    assert {one.exchange.url[:8] for one in server.listener.arrivals} == {"https://"}


def test_a_plan_with_half_a_pair_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('[sender]\ntrust = "ca.pem"\ncertificate = "x.pem"\n')
    with pytest.raises(ConfigurationError, match="certificate and key go together"):
        read_plan(tmp_path / "plan.toml", "sender", SenderPlan)


def test_an_address_in_use_is_a_mistake_of_the_caller(trust: Path) -> None:
    with (
        listening(trust) as server,
        pytest.raises(ConfigurationError, match="cannot be listened at"),
        listening(trust, port=server.server_port),
    ):
        pass


@pytest.mark.parametrize("name", CASES)
def test_each_case_says_title_rule_remedy_and_what_to_try(name: str) -> None:
    case = CASES[name]
    assert all(text.endswith(".") for text in (case.title, case.remedy, case.attempt))
    assert case.rule
