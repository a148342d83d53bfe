"""Requests over a socket: the good ones of every client, and each malformed one."""

from __future__ import annotations

import re
import socket
import time

import pytest
from lxml import etree

S = "http://minameddelanden.gov.se/schema"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def envelope(content: str | bytes, *, header: str = "", attributes: str = "") -> bytes:
    text = content.encode() if isinstance(content, str) else content
    return (
        (
            f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{header}'
            f"<soap:Body{attributes}>"
        ).encode()
        + text
        + b"</soap:Body></soap:Envelope>"
    )


def is_registered(*ids: str, attributes: str = "") -> str:
    rows = "".join(f"<r:recipientId{attributes}>{recipient}</r:recipientId>" for recipient in ids)
    return f'<r:isRegistered xmlns:r="{S}/Recipient/v3">{rows}</r:isRegistered>'


def parse(received: bytes) -> tuple[int, bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


GOOD = envelope(is_registered("191212121212"))
# Stands in every malformed request, and may come back in no answer and stand in no log.
MARK = "197802031234"


def fault(answer, code: int | None, faultcode: str = "soap:Client"):
    assert answer.status == 500
    assert "content-type: text/xml; charset=utf-8" in answer.head.lower()
    root = etree.fromstring(answer.body)
    assert root.findtext(".//faultcode") == faultcode
    detail = root.find(f".//detail/{{{S}/Common/v3}}applicationFault")
    assert detail is not None
    assert detail.findtext(f"{{{S}/Common/v3}}ErrorCode") == str(code)
    assert root.findtext(".//faultstring") == detail.findtext(f"{{{S}/Common/v3}}Description")
    assert re.fullmatch(r"[0-9a-f-]{36}", detail.findtext(f"{{{S}/Common/v3}}CallId") or "")
    return root.findtext(".//faultstring")


@pytest.mark.parametrize("action", ['""', None, '"urn:any"', "urn:any", ""])
def test_soap_action_is_free(server, action):
    answer = server.send(GOOD, headers={"SOAPAction": action})
    assert answer.status == 200
    assert etree.fromstring(answer.body)[0][0].tag == f"{{{S}/Recipient/v3}}isRegisteredResponse"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/xml", GOOD),
        ('TEXT/XML; action=x; charset="UTF-8"', b'<?xml version="1.0" encoding="UTF-8"?>\n' + GOOD),
        ("text/xml; charset=utf-8", b"\xef\xbb\xbf" + GOOD),
        ("text/xml", b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>" + GOOD),
        ("text/xml", GOOD.decode().encode("utf-16")),
        ("text/xml; charset=utf-16", ('<?xml version="1.0" encoding="utf-16"?>' + GOOD.decode()).encode("utf-16")),
        ("text/xml", b'<?xml version="1.0" encoding="ISO-8859-1"?><!-- \xe5 -->' + GOOD),
        ("text/xml; charset=iso-8859-1", b'<?xml version="1.0" encoding="utf-8"?><!-- \xe5 -->' + GOOD),
        ("text/xml; charset=utf-8", '<?xml version="1.0" encoding="iso-8859-1"?><!-- å -->'.encode() + GOOD),
        ("text/xml", b"<?style x?>" + GOOD.replace(b"<soap:Body>", b"<!-- c --><soap:Body><?p?>")),
        ("text/xml", GOOD.replace(b"<soap:Body>", b"<soap:Header/> <soap:Body>\n")),
    ],
)
def test_good_requests(server, content_type, body):
    assert server.send(body, headers={"Content-Type": content_type}).status == 200


@pytest.mark.parametrize(
    "header",
    [
        '<h:x xmlns:h="urn:h"/>',
        '<h:x xmlns:h="urn:h" soap:mustUnderstand="0"/>',
        '<h:x xmlns:h="urn:h" soap:mustUnderstand="1" soap:actor="urn:else"/>',
    ],
)
def test_headers_that_need_no_understanding(server, header):
    assert (
        server.send(envelope(is_registered("191212121212"), header=f"<soap:Header>{header}</soap:Header>")).status
        == 200
    )


def test_chunked_and_expect_continue(server):
    head = (
        b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (GOOD[:50], GOOD[50:])) + b"0\r\n\r\n"
    assert parse(server.raw(head + chunks))[0] == 200
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(
            b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nConnection: close\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(GOOD)
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(GOOD)
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_the_answer_says_close_when_the_request_did(server):
    assert "connection: close" in server.send(GOOD).head.lower()


def test_a_connection_carries_many_calls(server):
    request = b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n" % len(GOOD)
    received = server.raw((request + b"\r\n" + GOOD) * 2 + request + b"Connection: close\r\n\r\n" + GOOD)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.lower().count(b"connection: close") == 1


def inner(text: str) -> str:
    return is_registered("191212121212").replace("191212121212", text)


MALFORMED = {
    "empty": b"",
    "blank": b"  \n ",
    "not XML": MARK.encode(),
    "cut off": envelope(is_registered(MARK))[:-30],
    "two roots": GOOD + f"<x>{MARK}</x>".encode(),
    "wrong bytes": envelope(is_registered(MARK)).replace(b"1978", b"1978\xff\xfe"),
    "unknown encoding": b'<?xml version="1.0" encoding="EBCDIC-CP-SE"?>' + envelope(is_registered(MARK)),
    "windows": b'<?xml version="1.0" encoding="windows-1252"?>' + envelope(is_registered(MARK)),
    "utf-7": b'<?xml version="1.0" encoding="utf-7"?>' + envelope(is_registered(MARK)),
    "utf-7 that is told late": b'<?xml version="1.0"%sencoding="utf-7"?>' % (b" " * 300) + GOOD,
    "utf-32": envelope(is_registered(MARK)).decode().encode("utf-32"),
    "bare doctype": b"<!DOCTYPE x>" + envelope(is_registered(MARK)),
    "entity": f'<!DOCTYPE x [<!ENTITY e "{MARK}">]>'.encode() + envelope(is_registered("&e;")),
    "file entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + envelope(is_registered("&e;")),
    "entity without doctype": envelope(is_registered("&e;")),
    "no body": f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Header/></soap:Envelope>'.encode(),
    "nothing in the envelope": f'<soap:Envelope xmlns:soap="{SOAP}"/>'.encode(),
    "empty body": envelope(""),
    "two bodies": GOOD.replace(b"</soap:Body>", b"</soap:Body><soap:Body/>"),
    "two elements": envelope(is_registered(MARK) * 2),
    "text in body": envelope(MARK + is_registered(MARK)),
    "text after": envelope(is_registered(MARK) + MARK),
    "text in envelope": GOOD.replace(b"</soap:Body>", f"</soap:Body>{MARK}".encode()),
    "header after body": GOOD.replace(b"</soap:Body>", b"</soap:Body><soap:Header/>"),
    "two headers": envelope(is_registered(MARK), header="<soap:Header/><soap:Header/>"),
    "something else": f"<x>{MARK}</x>".encode(),
    "fault": envelope(f"<soap:Fault><faultcode>x</faultcode><faultstring>{MARK}</faultstring></soap:Fault>"),
    "unknown operation": envelope(f"<x>{MARK}</x>"),
    "operation of another namespace": envelope(is_registered(MARK).replace("/v3", "/v9")),
    "operation of another port": envelope(f'<s:deliverSecure xmlns:s="{S}/Service/v3">{MARK}</s:deliverSecure>'),
    "against the pattern": envelope(is_registered("1978020312345")),
    "unknown element": envelope(inner(f"<{'x' + MARK}/>")),
    "unknown namespace": envelope(inner(f'<p{MARK}:x xmlns:p{MARK}="urn:{MARK}"/>')),
    "unknown attribute": envelope(is_registered("191212121212", attributes=f' a{MARK}="{MARK}"')),
    "id": envelope(is_registered("191212121212", attributes=' id="a"')),
    "href": envelope(is_registered("", attributes=' href="#a"').replace("</r:isRegistered>", "") + "</r:isRegistered>"),
    "href to a sibling": envelope(
        f'<r:isRegistered xmlns:r="{S}/Recipient/v3" href="#a"/>'
        f'<r:isRegistered xmlns:r="{S}/Recipient/v3" id="a"><r:recipientId>{MARK}</r:recipientId></r:isRegistered>'
    ),
    "xsi:type of a base": envelope(
        is_registered(MARK, attributes=' xsi:type="x:string" xmlns:x="http://www.w3.org/2001/XMLSchema"')
    ),
    "xsi:type of another": envelope(is_registered(MARK, attributes=f' xsi:type="c:Paging" xmlns:c="{S}/Common"')),
    "xsi:type of nothing": envelope(is_registered(MARK, attributes=f' xsi:type="{MARK}"')),
    "xsi:nil": envelope(is_registered("", attributes=' xsi:nil="true"')),
    "too deep": envelope("<a>" * 300 + "</a>" * 300),
    "a flood of elements": envelope(is_registered(*["1"] * 60_000)),
    "a flood below the bound": envelope(is_registered(*[""] * 4_900)),
    "a flood of attributes": envelope(is_registered("", attributes="".join(f' a{i}=""' for i in range(60_000)))),
    "a flood of namespaces": envelope(
        is_registered("191212121212", attributes="".join(f' xmlns:p{i}="urn:{i}"' for i in range(9_000)))
    ),
    "a long text": envelope(is_registered("1" * 1_900_000)),
    "a long address": envelope(
        is_registered("@" * 50_000, attributes=f' xsi:type="c:EMailAdress" xmlns:c="{S}/Common/v2"')
    ),
    "billion laughs": (
        b'<!DOCTYPE x [<!ENTITY a "ha">'
        + b"".join(b'<!ENTITY a%d "%s">' % (i, b"&a%d;" % (i - 1) * 10 if i else b"&a;" * 10) for i in range(12))
        + b"]>"
        + envelope(is_registered("&a11;"))
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_soap_is_a_fault(server, name):
    before = len(server.logged)
    started = time.monotonic()
    answer = server.send(MALFORMED[name], headers={"Content-Type": "text/xml"})
    assert time.monotonic() - started < 1
    floods = ("a flood of elements", "a flood of attributes", "a flood of namespaces")
    text = fault(answer, 5005 if name in floods else 5001)
    assert MARK.encode() not in answer.body
    assert "etc/passwd" not in answer.body.decode()
    written = server.logged[before:]
    assert MARK not in written
    assert "1978020312345" not in written
    assert text
    assert written.count("mm_soap.soap.report INFO call ") == 1


def test_must_understand_has_its_own_faultcode(server):
    header = f'<soap:Header><h:x xmlns:h="urn:{MARK}" soap:mustUnderstand="1"/></soap:Header>'
    answer = server.send(envelope(is_registered("191212121212"), header=header))
    fault(answer, 5001, "soap:MustUnderstand")
    assert MARK.encode() not in answer.body


def test_soap_12_has_its_own_faultcode(server):
    body = GOOD.replace(SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope")
    fault(server.send(body), 5001, "soap:VersionMismatch")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": None}, 415),
        ({"Content-Type": "application/soap+xml"}, 415),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": 'multipart/related; type="text/xml"; boundary=x'}, 415),
        ({"Content-Type": "text/xml; charset=" + MARK}, 415),
        ({"Content-Type": "text/xml; charset=utf-7"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Length": None}, 411),
        ({"Content-Length": "-1"}, 400),
        ({"Content-Length": "x" + MARK}, 400),
        ({"Content-Length": "99999999"}, 413),
    ],
)
def test_http_errors(server, headers, status):
    before = len(server.logged)
    answer = server.send(envelope(is_registered(MARK)), headers=headers)
    assert answer.status == status
    assert MARK.encode() not in answer.body
    assert MARK not in server.logged[before:]


def test_a_chunked_body_is_bounded_too(server):
    head = b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n"
    part = b"%x\r\n%s\r\n" % (100_000, b" " * 100_000)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + part * 21)
        assert connection.recv(12) == b"HTTP/1.1 413"


@pytest.mark.parametrize("length", [len(GOOD) + 10, len(GOOD) - 10])
def test_a_length_that_lies(server, length):
    head = b"POST /Recipient/v3 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % length
    assert parse(server.raw(head + GOOD, close_writing=True))[0] in (400, 500)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Recipient/v3", 405),
        ("PUT", "/Recipient/v3", 405),
        ("DELETE", "/Recipient/v3?wsdl", 405),
        ("POST", "/Recipient/v3/", 404),
        ("POST", "/recipient/v3", 404),
        ("POST", "/", 404),
        ("GET", "/xsd/../../etc/passwd", 404),
        ("GET", "/xsd/", 404),
        ("POST", "/xsd/Common.xsd", 405),
        ("POST", "/healthz", 405),
    ],
)
def test_paths_and_methods(server, method, path, status):
    assert server.send(GOOD, path, method=method).status == status


def test_an_operation_without_a_handler(server):
    body = envelope(
        f'<s:isReachable xmlns:s="{S}/Recipient/v3"><s:senderOrgNr>162021004748</s:senderOrgNr></s:isReachable>'
    )
    fault(server.send(body), 5000)


def test_a_precheck_goes_before_the_schema(server):
    rows = "<s:recipientId>191212121212</s:recipientId>" * 1001
    body = envelope(
        f'<s:isReachable xmlns:s="{S}/Recipient/v3"><s:senderOrgNr>162021004748</s:senderOrgNr>{rows}</s:isReachable>'
    )
    fault(server.send(body), 5005)


def test_the_authority_has_a_fault_for_each_operation(server):
    A = "http://minameddelanden.gov.se/Authority"  # noqa: N806
    answer = server.send(envelope(f'<a:getSenders xmlns:a="{A}"/>'), "/Authority")
    root = etree.fromstring(answer.body)
    assert root.findtext(f".//{{{A}}}getSendersFault/{{{S}/Common}}ErrorCode") == "5000"
    unknown = server.send(envelope("<x/>"), "/Authority")
    root = etree.fromstring(unknown.body)
    assert unknown.status == 500
    assert root.find(".//detail") is None
    assert re.search(r"\(CallId [0-9a-f-]{36}\)$", root.findtext(".//faultstring") or "")


def test_a_handler_that_refuses_and_one_that_breaks(server):
    assert "No such record" in (fault(server.send(envelope(is_registered("199001010001"))), 5003) or "")
    before = len(server.logged)
    answer = server.send(envelope(is_registered("199001010000", MARK)))
    fault(answer, 4000, "soap:Server")
    written = server.logged[before:]
    assert "RuntimeError at " in written
    assert "in is_registered" in written or " is_registered" in written
    assert "197001019999" not in written + answer.body.decode()
    assert MARK not in written


def test_an_answer_against_the_schema_is_not_sent(server):
    before = len(server.logged)
    answer = server.send(envelope(is_registered("199001010003")))
    fault(answer, 4000, "soap:Server")
    written = server.logged[before:]
    assert "ERROR answer not sent" in written
    assert "where=isRegisteredResponse/return/Type" in written
    assert "197001019999" not in written + answer.body.decode()


def test_one_log_line_for_a_call_that_names_no_person(server):
    before = len(server.logged)
    answer = server.send(envelope(is_registered(MARK)))
    assert answer.status == 200
    written = server.logged[before:]
    line = (
        r"mm_soap\.soap\.report INFO call port=recipient operation=isRegistered call_id=[0-9a-f-]{36} "
        r"caller=- code=0 bytes=\d+ ms=[\d.]+\n"
    )
    assert re.fullmatch(line, written)


def test_probes_and_metrics(server):
    for path, body in (("/healthz", b"ok\n"), ("/readyz", b"ok\n")):
        answer = server.send(b"", path, method="GET")
        assert (answer.status, answer.body) == (200, body)
    server.send(GOOD)
    metrics = server.send(b"", "/metrics", method="GET").body.decode()
    assert re.search(r'mm_soap_calls_total\{port="recipient",operation="isRegistered",code="0"\} \d+', metrics)
    assert 'mm_soap_call_seconds_bucket{port="recipient",operation="isRegistered",le="+Inf"}' in metrics


def test_the_signature_schema_is_served_without_a_doctype(server):
    answer = server.send(b"", "/xsd/xmldsig-core-schema.xsd", method="GET")
    assert answer.status == 200
    assert b"<!DOCTYPE" not in answer.body
    assert etree.fromstring(answer.body).get("targetNamespace") == "http://www.w3.org/2000/09/xmldsig#"
