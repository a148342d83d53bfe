from __future__ import annotations

import gc
import io
import logging
import subprocess
import sys
import tracemalloc
import weakref
from hashlib import sha256

import pytest
from lxml import etree

from mm_soap import contract
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.soap import Call, Caller, Metrics, soap_application
from mm_soap.soap.request import HttpError, check_headers, check_markup, read_body, to_utf8

S = "http://minameddelanden.gov.se/schema"
A = "http://minameddelanden.gov.se/Authority"
MARK = "197802031234"
ASK = f'<r:isSenderAccepted xmlns:r="{A}"><arg0>{MARK}</arg0></r:isSenderAccepted>'
ANSWER = f'<r:isSenderAcceptedResponse xmlns:r="{A}"><return>true</return></r:isSenderAcceptedResponse>'.encode()


def soap(content: str) -> bytes:
    return (
        f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{content}</e:Body></e:Envelope>'
    ).encode()


def post(application, body: bytes, **environ: object) -> tuple[str, bytes]:
    status: list[str] = []
    full = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "text/xml",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "REMOTE_ADDR": "192.0.2.1",
        **environ,
    }
    answer = b"".join(application(full, lambda line, headers: status.append(line)))
    return status[0], answer


def application(handler, **options):
    port = contract.ports()["authority"]
    return soap_application(port, {"isSenderAccepted": handler}, published=b"<w/>", body_limit=100_000, **options)


def test_the_call_that_a_handler_gets():
    calls: list[Call] = []

    def handler(call: Call) -> bytes:
        calls.append(call)
        return ANSWER

    app = application(handler, identify=lambda environ: Caller("162021004748", str(environ["REMOTE_ADDR"])))
    body = soap(ASK)
    assert post(app, body)[0] == "200 OK"
    (call,) = calls
    assert call.raw == body
    assert (call.operation, call.caller) == ("isSenderAccepted", Caller("162021004748", "192.0.2.1"))
    assert call.payload.tag == f"{{{A}}}isSenderAccepted"
    assert call.payload.getparent() is not None
    assert len(call.call_id) == 36
    text = body.decode().replace("<e:Body>", "<e:Body><!-- å -->")
    latin = f'<?xml version="1.0" encoding="iso-8859-1"?>{text}'.encode("iso-8859-1")
    assert post(app, latin)[0] == "200 OK"
    assert calls[1].raw == text.encode()
    assert calls[1].call_id != call.call_id


@pytest.mark.parametrize(
    "answer",
    [
        b"<x/>",
        b"not XML",
        b"",
        None,
        "text",
        ANSWER.replace(b"true", b"maybe"),
        etree.fromstring(f'<r:getSendersResponse xmlns:r="{A}"/>'),
    ],
)
def test_a_wrong_answer_is_a_technical_fault(answer, caplog):
    status, body = post(application(lambda call: answer), soap(ASK))
    assert status.startswith("500")
    assert b">4000<" in body
    assert "answer not sent" in caplog.text
    assert "maybe" not in caplog.text + body.decode()


def test_the_refused_hook_gets_what_is_known_and_changes_nothing(caplog):
    told = []

    def hook(*arguments):
        told.append(arguments)
        raise ValueError(MARK)

    def handler(call: Call) -> bytes:
        raise Refused(Refusal.NOT_FOUND)

    app = application(handler, refused=hook)
    body = soap(ASK)
    assert b">5003<" in post(app, body)[1]
    status, answer = post(app, b"x")
    assert status.startswith("500")
    (call_id, operation, caller, raw, refused), (_, no_operation, _, raw_x, malformed) = told
    assert (operation, caller, raw, refused.refusal) == (
        "isSenderAccepted",
        Caller(None, "192.0.2.1"),
        body,
        Refusal.NOT_FOUND,
    )
    assert (no_operation, raw_x, malformed.refusal) == (None, b"x", Refusal.MALFORMED_XML)
    assert len(call_id) == 36
    assert MARK not in caplog.text
    assert b"CallId" in answer
    # What could not be kept can be recognised later, by whoever has it.
    said = (
        f"call_id={call_id} caller=- verdict=NOT_FOUND bytes={len(body)} sha256={sha256(body).hexdigest()}: ValueError"
    )
    assert f"evidence not kept: port=authority operation=isSenderAccepted {said}" in caplog.text
    assert f"verdict=MALFORMED_XML bytes=1 sha256={sha256(b'x').hexdigest()}" in caplog.text


class Everything(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"


def test_nothing_that_was_sent_reaches_any_logger_at_debug():
    listener = Everything()
    names = [None, "spyne", "spyne.protocol", "spyne.protocol.xml", "spyne.protocol.soap.soap11.invalid", "signxml"]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]

    def handler(call: Call) -> bytes:
        try:
            raise KeyError(MARK)
        except KeyError as error:
            raise RuntimeError(f"no {MARK}") from error

    try:
        for logger in loggers:
            logger.addHandler(listener)
            logger.setLevel(logging.DEBUG)
        app = application(handler)
        for body in (soap(ASK), soap(MARK), MARK.encode(), soap(ASK.replace(MARK, "x" + MARK)), soap(f"<a>{MARK}</a>")):
            status, answer = post(app, body, HTTP_X_ID=MARK, HTTP_COOKIE=MARK)
            assert status.startswith("500")
            assert MARK not in answer.decode()
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(listener)
            logger.setLevel(level)
    assert "RuntimeError at" in listener.text
    assert "because of KeyError at" in listener.text
    assert MARK not in listener.text
    # What these libraries say themselves stays out of the logs of whoever runs us.
    assert not logging.getLogger("spyne").propagate
    assert not logging.getLogger("signxml").propagate


def test_an_unknown_operation_name_is_a_mistake_of_the_wiring():
    with pytest.raises(ConfigurationError):
        soap_application(contract.ports()["service"], {"x": lambda call: b""}, published=b"", body_limit=1)


def test_spyne_is_imported_without_a_warning_and_does_not_collect():
    program = (
        "import mm_soap.soap, gc, spyne, colorsys\n"
        "from spyne.util.six.moves.urllib.parse import quote\n"
        "assert spyne.const.MIN_GC_INTERVAL == float('inf')"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_large_body_is_not_copied_about():
    seen = []
    app = soap_application(
        contract.ports()["authority"],
        {"isSenderAccepted": lambda call: seen.append(call.raw) or ANSWER},  # type: ignore[func-returns-value]
        published=b"",
        body_limit=10_000_000,
    )
    body = soap(f"<!-- {'x' * 3_000_000} -->" + ASK)
    post(app, soap(ASK))
    source = io.BytesIO(body)
    source.read = lambda size: body  # type: ignore[method-assign,assignment]
    tracemalloc.start()
    post(app, body, **{"wsgi.input": source})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen[1] is body
    assert peak < 1_000_000


def test_wsdl_and_other_methods():
    app = application(lambda call: ANSWER)
    assert post(app, b"", REQUEST_METHOD="GET", QUERY_STRING="WSDL") == ("200 OK", b"<w/>")
    assert post(app, b"", REQUEST_METHOD="GET", QUERY_STRING="")[0].startswith("405")
    assert post(app, b"", REQUEST_METHOD="PUT", QUERY_STRING="wsdl")[0].startswith("405")


@pytest.mark.parametrize(
    ("length", "code"), [("-1", 400), ("1e3", 400), ("٣", 400), ("9" * 30, 400), ("", 411), ("101", 413), ("50", 400)]
)
def test_lengths(length, code):
    with pytest.raises(HttpError) as caught:
        read_body({"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"x" * 10)}, 100)
    assert caught.value.code == code


def test_a_body_that_breaks_off():
    class Broken(io.BytesIO):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        def read(self, size: int | None = -1) -> bytes:
            raise self.error

    for error, code in ((TimeoutError(), 408), (OSError(MARK), 400), (RuntimeError(MARK), 400)):
        with pytest.raises(HttpError) as caught:
            read_body({"CONTENT_LENGTH": "5", "wsgi.input": Broken(error)}, 100)
        assert caught.value.code == code
        assert MARK not in str(caught.value)


def test_utf_8_stays_the_same_object():
    raw = b'<?xml version="1.0" encoding="UTF-8"?><a/>'
    assert to_utf8(raw, None) is raw
    assert to_utf8(raw, "utf-8") is raw
    assert check_headers({"CONTENT_TYPE": "text/xml;charset='UTF-8'"}) == "utf-8"


def test_an_instruction_whose_name_begins_with_xml_declares_no_encoding():
    raw = "<?xml-stylesheet encoding='iso-8859-1'?><a>å</a>".encode()
    assert to_utf8(raw, None) is raw
    assert to_utf8(raw.decode().encode("utf-16"), None) == raw


def test_markup_is_bounded():
    check_markup(b"x" * 1_000_000)
    check_markup(b"<a/>" * 9_999)
    for flood in (b"<", b"="):
        with pytest.raises(Refused) as caught:
            check_markup(flood * 10_001)
        assert caught.value.refusal is Refusal.TOO_COMPLEX


def test_metrics_render():
    metrics = Metrics()
    app = application(lambda call: ANSWER, metrics=metrics)
    post(app, soap(ASK))
    post(app, b"x")
    post(app, b"", CONTENT_TYPE="text/plain")
    text = metrics.render().decode()
    for code, operation in (("0", "isSenderAccepted"), ("5001", "-"), ("http415", "-")):
        assert f'mm_soap_calls_total{{port="authority",operation="{operation}",code="{code}"}} 1\n' in text


def test_nothing_of_a_call_waits_for_the_garbage_collector():
    kept = []

    def handler(call: Call) -> bytes:
        kept.append(weakref.ref(call))
        return ANSWER

    app = application(handler)
    gc.collect()
    gc.disable()
    try:
        assert post(app, soap(ASK))[0] == "200 OK"
        assert kept[0]() is None
    finally:
        gc.enable()
