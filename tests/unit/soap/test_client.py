from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lxml import etree

from mm_soap.errors import RemoteFault, TransportError
from mm_soap.soap import SoapClient

S = "http://minameddelanden.gov.se/schema"
A = "http://minameddelanden.gov.se/Authority"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ASK = f'<r:isSenderAccepted xmlns:r="{A}"><arg0>162021004748</arg0></r:isSenderAccepted>'.encode()
ANSWER = f'<r:isSenderAcceptedResponse xmlns:r="{A}"><return>true</return></r:isSenderAcceptedResponse>'
EXPECTED = f"{{{A}}}isSenderAcceptedResponse"
MARK = "197802031234"


def soap(content: str) -> bytes:
    return f'<?xml version="1.0"?><e:Envelope xmlns:e="{SOAP}"><e:Body>{content}</e:Body></e:Envelope>'.encode()


def http(body: bytes, status: str = "200 OK", extra: str = "Content-Type: text/xml\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Remote(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/x"


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Remote)
        self.server.connections += 1
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
            self.server.requests.append(head + self.rfile.read(length))
            if not self.server.answer:
                return
            self.wfile.write(self.server.answer)
            self.wfile.flush()
            if b"silence" in self.server.answer:
                threading.Event().wait(2)


@contextmanager
def remote(answer: bytes) -> Iterator[Remote]:
    with Remote(answer) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


def call(answer: bytes, body: bytes | etree._Element = ASK, timeout: float = 2) -> etree._Element:
    with remote(answer) as server:
        client = SoapClient(server.url, timeout=timeout)
        try:
            return client.call(body, expected=EXPECTED)
        finally:
            client.close()


def test_the_bytes_are_spliced_and_the_connection_is_kept():
    with remote(http(soap(ANSWER))) as server:
        client = SoapClient(server.url, timeout=2)
        signed = ASK.replace(b"<arg0>", b"<!-- as  signed --><arg0 >")
        assert client.call(signed, expected=EXPECTED).findtext("return") == "true"
        client.call(etree.fromstring(ASK), expected=EXPECTED)
        client.close()
    first = server.requests[0]
    assert b"<soap:Body>" + signed + b"</soap:Body>" in first
    assert b'soapaction: ""\r\n' in first.lower()
    assert b"content-type: text/xml; charset=utf-8\r\n" in first.lower()
    assert b"xmlns:r" in server.requests[1]
    assert (len(server.requests), server.connections) == (2, 1)


def fault(detail: str, extra: str = "") -> str:
    return f"<e:Fault><faultcode>e:Client</faultcode><faultstring>words</faultstring>{extra}{detail}</e:Fault>"


def information(element: str, namespace: str, inner: str) -> str:
    return (
        f'<detail><f:{element} xmlns:f="{namespace}" xmlns:c="{inner}"><c:ErrorCode>5003</c:ErrorCode>'
        f"<c:Description>{'d' * 400}</c:Description><c:CallId>{'c' * 36}</c:CallId></f:{element}></detail>"
    )


@pytest.mark.parametrize("status", ["500 Internal Server Error", "200 OK", "400 Bad Request"])
@pytest.mark.parametrize(
    "detail",
    [
        information("applicationFault", f"{S}/Common/v3", f"{S}/Common/v3"),
        information("applicationFault", f"{S}/Common", f"{S}/Common"),
        information("isSenderAcceptedFault", A, f"{S}/Common"),
        information("applicationFault", "", "urn:x")
        .replace("f:", "")
        .replace(' xmlns:f=""', "")
        .replace('xmlns=""', ""),
    ],
)
def test_a_fault_with_detail(status, detail):
    detail = detail.replace(' xmlns:f=""', "")
    with pytest.raises(RemoteFault) as caught:
        call(http(soap(fault(detail)), status))
    assert (caught.value.code, caught.value.description, caught.value.call_id) == (5003, "d" * 300, "c" * 36)
    assert not caught.value.technical


@pytest.mark.parametrize("detail", ["", "<detail/>", "<detail><x/></detail>", "<detail>words</detail>"])
def test_a_fault_without_detail_is_technical(detail):
    with pytest.raises(RemoteFault) as caught:
        call(http(soap(fault(detail)), "500 Internal Server Error"))
    assert (caught.value.code, caught.value.description, caught.value.call_id) == (None, "words", None)
    assert caught.value.technical


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        http(b""),
        http(MARK.encode()),
        http(soap("")),
        http(soap(ANSWER), "500 Internal Server Error"),
        http(soap(ANSWER), "302 Found", "Content-Type: text/xml\r\nLocation: /elsewhere\r\n"),
        http(b"<html/>", "503 Service Unavailable", "Content-Type: text/html\r\n"),
        http(b"<html/>", "200 OK", "Content-Type: text/html\r\n"),
        http(soap(ANSWER.replace("true", MARK))),
        http(soap(ANSWER.replace("isSenderAcceptedResponse", "getSendersResponse"))),
        http(b"<!DOCTYPE x>" + soap(ANSWER)),
        http(soap(f"<x>{MARK}</x>")),
        http(soap("<x/>" * 200_000)),
        http(b" " * (11 * 1024 * 1024)),
    ],
)
def test_what_is_no_answer(answer):
    with pytest.raises(TransportError) as caught:
        call(answer)
    assert MARK not in str(caught.value)


def test_an_answer_that_does_not_come():
    with pytest.raises(TransportError, match="ReadTimeoutError"):
        call(b"HTTP/1.1 200 silence\r\n", timeout=0.2)


def test_nobody_listens():
    with pytest.raises(TransportError, match="no answer"):
        SoapClient("http://127.0.0.1:9/x", timeout=1).call(ASK, expected=EXPECTED)


def test_threads_share_the_client():
    with remote(http(soap(ANSWER))) as server:
        client = SoapClient(server.url, timeout=5, pool=4)
        found: list[str | None] = []
        threads = [
            threading.Thread(target=lambda: found.append(client.call(ASK, expected=EXPECTED).findtext("return")))
            for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
    assert found == ["true"] * 12
