"""The company register over HTTP, against a server that answers badly in every way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mm_soap.companies import Away, CompanyRegisterAway, HttpCompanyRegister
from mm_soap.companies.format import companies_document, company_document
from mm_soap.companies.http import MOST_BYTES
from mm_soap.demonstration_registers import COMPANIES

COMPANY, OTHER = COMPANIES[0], COMPANIES[1]
ANNA = COMPANY.signatories[0].personal_number
Answer = Callable[[BaseHTTPRequestHandler], None]


def body(status: int, raw: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


def company(status: int = 200) -> Answer:
    return body(status, json.dumps(company_document(COMPANY)).encode())


class Server:
    """A server whose next answer is set; it remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.answer: Answer = company()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path, raw))
                try:
                    outer.answer(self)
                except OSError:
                    self.close_connection = True

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/companies"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def register(server: Server) -> HttpCompanyRegister:
    return HttpCompanyRegister(server.url, timeout=30)


def away(register: HttpCompanyRegister, number: str = COMPANY.number) -> Away:
    with pytest.raises(CompanyRegisterAway) as caught:
        register.find(number)
    assert ANNA not in str(caught.value)
    return caught.value.why


def test_a_company_is_asked_for_once(server: Server, register: HttpCompanyRegister) -> None:
    assert register.find(COMPANY.number) == COMPANY
    assert register.find(COMPANY.number) == COMPANY
    assert server.asked == [("GET", f"/companies/{COMPANY.number}", b"")]


def test_it_is_forgotten_after_a_time_and_when_there_are_too_many(server: Server) -> None:
    now = [0.0]
    register = HttpCompanyRegister(server.url, cache_seconds=10, cache_size=1, monotonic=lambda: now[0])
    register.find(COMPANY.number)
    now[0] = 9.9
    register.find(COMPANY.number)
    assert len(server.asked) == 1
    now[0] = 10.0
    register.find(COMPANY.number)
    assert len(server.asked) == 2
    server.answer = body(200, json.dumps(company_document(OTHER)).encode())
    register.find(OTHER.number)
    server.answer = company()
    register.find(COMPANY.number)
    assert len(server.asked) == 4


def test_without_a_time_nothing_is_remembered(server: Server) -> None:
    register = HttpCompanyRegister(server.url, cache_seconds=0)
    register.find(COMPANY.number)
    register.find(COMPANY.number)
    assert len(server.asked) == 2


def test_a_company_that_is_not_there_is_asked_for_again(server: Server, register: HttpCompanyRegister) -> None:
    server.answer = body(404, b"no")
    assert register.find(COMPANY.number) is None
    server.answer = company()
    assert register.find(COMPANY.number) == COMPANY


@pytest.mark.parametrize("number", ["../../etc", "1655", "192705178354", ""])
def test_what_is_no_organisation_number_is_not_asked_for(
    server: Server, register: HttpCompanyRegister, number: str
) -> None:
    assert register.find(number) is None
    assert server.asked == []


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 403, 410, 429, 500, 503])
def test_any_other_status_is_no_answer(server: Server, register: HttpCompanyRegister, status: int) -> None:
    server.answer = body(status, b"", Location="/companies/elsewhere")
    assert away(register) is Away.UNREACHABLE
    assert len(server.asked) == 1
    server.answer = company()
    assert register.find(COMPANY.number) == COMPANY


GARBAGE = {
    "nothing": b"",
    "html": b"<html>ok</html>",
    "a list": b"[]",
    "half": json.dumps(company_document(COMPANY)).encode()[:-5],
    "not UTF-8": b'{"number": "\xff"}',
    "another company": json.dumps(company_document(OTHER)).encode(),
    "deep": b"[" * 100_000,
    "long": b" " * (MOST_BYTES + 1),
}


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_unexpected_and_not_remembered(server: Server, register: HttpCompanyRegister, raw: bytes) -> None:
    server.answer = body(200, raw)
    assert away(register) is Away.UNEXPECTED
    server.answer = company()
    assert register.find(COMPANY.number) == COMPANY


given_up = threading.Event()


def silent(handler: BaseHTTPRequestHandler) -> None:
    given_up.wait(60)
    handler.close_connection = True


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not given_up.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    handler.close_connection = True


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"hello\r\n\r\n")
    handler.close_connection = True


@pytest.mark.parametrize("answer", [silent, dripping, cut, no_http])
def test_an_answer_that_takes_too_long_or_breaks_off(server: Server, answer: Answer) -> None:
    register = HttpCompanyRegister(server.url, timeout=1)
    server.answer = answer
    given_up.clear()
    assert away(register) is Away.UNREACHABLE
    given_up.set()  # the server had not ended
    server.answer = company()
    assert register.find(COMPANY.number) == COMPANY


def test_nobody_there() -> None:
    assert away(HttpCompanyRegister("http://127.0.0.1:9/companies", timeout=0.5)) is Away.UNREACHABLE


def test_the_companies_of_a_person_are_searched_with_the_number_in_the_body(
    server: Server, register: HttpCompanyRegister
) -> None:
    server.answer = body(200, json.dumps(companies_document(reversed(COMPANIES[:2]))).encode())
    assert list(register.of_person(ANNA)) == list(COMPANIES[:2])
    assert list(register.of_person("189001619809")) == [COMPANY]
    assert server.asked[0] == ("POST", "/companies/search", json.dumps({"signatory": ANNA}).encode())


@pytest.mark.parametrize("status", [404, 500, 200])
def test_a_search_without_an_answer(server: Server, register: HttpCompanyRegister, status: int) -> None:
    server.answer = body(status, b"{}")
    with pytest.raises(CompanyRegisterAway):
        register.of_person(ANNA)
