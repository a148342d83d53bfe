"""What the recorder writes down, and that it changes no answer."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from mm_soap.soap import Wsgi
from mm_soap.storage import migrate, open_database, reading
from mm_soap.testbed.recorder import Recorder
from mm_soap.testbed.store import Arrival, Captured, find, newest
from mm_soap.testing.clock import FrozenClock

CLOCK = FrozenClock()
PATH = "/Message/v3"
REQUEST = (
    b'<m:distributeSecure xmlns:m="urn:m"><m:signedDelivery><x:Sender xmlns:x="urn:x"><x:Id> 165599999942 </x:Id>'
    b"</x:Sender></m:signedDelivery></m:distributeSecure>"
)


@pytest.fixture
def database(engine: Engine) -> Engine:
    migrate(engine, "testbed")
    return engine


@pytest.fixture
def dispatcher(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(tmp_path / "dispatcher.sqlite3")
    migrate(opened, "dispatcher")
    yield opened
    opened.dispose()


def answering(status: str, body: bytes, *, read: bool = True) -> Wsgi:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if read:
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response(status, [])
        return [body]

    return application


def call(recorder: Recorder, body: bytes = REQUEST, path: str = PATH, method: str = "POST") -> tuple[str, bytes]:
    told: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "text/xml",
        "wsgi.input": BytesIO(body),
    }
    answer = recorder(environ, lambda line, headers, *more: told.append(line))
    return told[0], b"".join(answer)


def written(database: Engine) -> list[Arrival]:
    with reading(database) as connection:
        return list(newest(connection, CLOCK()))


def captured(database: Engine) -> Captured:
    with reading(database) as connection:
        found = find(connection, 1, CLOCK())
    assert found is not None
    return found[1]


def test_an_accepted_call(database: Engine, dispatcher: Engine) -> None:
    answer = b"<distributeSecureResponse><return>d-1</return></distributeSecureResponse>"
    recorder = Recorder(answering("200 OK", answer), [PATH], database, dispatcher, CLOCK)
    assert call(recorder) == ("200 OK", answer)
    (one,) = written(database)
    assert (one.operation, one.sender, one.verdict) == ("distributeSecure", "165599999942", "accepted")
    assert (one.status, one.distribution_id, one.refused) == (200, "d-1", False)
    assert captured(database) == Captured(
        {"Content-Type": "text/xml", "Content-Length": str(len(REQUEST))}, REQUEST, answer
    )


def test_a_body_that_the_service_did_not_read_is_shown_all_the_same(database: Engine, dispatcher: Engine) -> None:
    application = answering("415 Unsupported Media Type", b"no\n", read=False)
    call(Recorder(application, [PATH], database, dispatcher, CLOCK))
    assert captured(database).request == REQUEST
    (one,) = written(database)
    assert (one.verdict, one.status, one.sender) == ("http", 415, "165599999942")


@pytest.mark.parametrize(
    ("path", "method", "status", "listed"),
    [
        (PATH, "GET", "200 OK", False),
        (PATH, "GET", "405 Method Not Allowed", True),
        (PATH, "PUT", "405 Method Not Allowed", True),
        ("/message/v3", "POST", "404 Not Found", True),
        ("/favicon.ico", "GET", "404 Not Found", False),
        ("/Recipient/v3", "POST", "200 OK", False),
        ("/Recipient/v3", "POST", "500 Internal Server Error", False),
    ],
)
def test_what_is_listed(
    database: Engine, dispatcher: Engine, path: str, method: str, status: str, listed: bool
) -> None:
    call(Recorder(answering(status, b""), [PATH], database, dispatcher, CLOCK), path=path, method=method)
    assert bool(written(database)) == listed


def test_a_call_that_cannot_be_written_down_is_answered(tmp_path: Path, dispatcher: Engine) -> None:
    empty = open_database(tmp_path / "empty.sqlite3")  # it has no tables
    recorder = Recorder(answering("200 OK", b"<return>d-1</return>"), [PATH], empty, dispatcher, CLOCK)
    assert call(recorder) == ("200 OK", b"<return>d-1</return>")
    empty.dispose()


def test_a_number_in_an_address_is_not_written_down(database: Engine, dispatcher: Engine) -> None:
    call(Recorder(answering("404 Not Found", b""), [PATH], database, dispatcher, CLOCK), path="/192705178354")
    assert [one.path for one in written(database)] == ["/…(12 characters)"]


def test_senders_are_told_apart(database: Engine, dispatcher: Engine) -> None:
    recorder = Recorder(answering("500 Internal Server Error", b""), [PATH], database, dispatcher, CLOCK)
    call(recorder)
    call(recorder, REQUEST.replace(b"165599999942", b"162021004748"))
    call(recorder, b"nothing legible")
    with reading(database) as connection:
        assert len(newest(connection, CLOCK(), "162021004748")) == 1
        assert len(newest(connection, CLOCK())) == 3
