"""Whether a request is there, by its framing, beside what the server's own parser says of the same bytes."""

from __future__ import annotations

import itertools

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader
from hypothesis import example, given
from hypothesis import strategies as st

from mm_soap.soap.arrival import Arrival, Arrived

LIMIT = 5000
BEGIN = b"POST /Message/v3 HTTP/1.1\r\nHost: x\r\n"


def cased(text: str) -> st.SearchStrategy[bytes]:
    return st.sampled_from([text, text.lower(), text.upper()]).map(str.encode)


blanks = st.sampled_from([b"", b" ", b"\t ", b"  "])
contents = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b"\r\n\r\n", b"0\r\n\r\n", b"\r\n0\r\n\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]),
)


@st.composite
def with_length(draw: st.DrawFn) -> bytes:
    content = draw(contents)
    name, before, after = draw(cased("Content-Length")), draw(blanks), draw(blanks)
    field = name + b":" + before + b"%d" % len(content) + after + b"\r\n"
    return BEGIN + draw(st.sampled_from([b"", b"X-Other: content-length: 9\r\n"])) + field + b"A: b\r\n\r\n" + content


@st.composite
def in_chunks(draw: st.DrawFn) -> bytes:
    field = draw(cased("Transfer-Encoding")) + b":" + draw(blanks) + draw(cased("Chunked")) + draw(blanks) + b"\r\n"
    whole = BEGIN + field + b"\r\n"
    extension = st.sampled_from([b"", b";a", b" ; a=b", b';a="0\t;"'])
    for content in draw(st.lists(contents.filter(bool), max_size=4)):
        digits = draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % len(content)
        whole += digits + draw(extension) + b"\r\n" + content + b"\r\n"
    trailer = draw(st.sampled_from([b"", b"X-Sum: 1\r\n", b"X-Sum: 1\r\nX-More: 0\r\n"]))
    return whole + draw(st.sampled_from([b"0", b"000"])) + draw(extension) + b"\r\n" + trailer + b"\r\n"


requests = st.one_of(
    with_length(),
    in_chunks(),
    st.just(b"GET /healthz HTTP/1.1\r\n\r\n"),
    st.just(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
)


class Waits(Exception):
    """The parser would wait for more."""


class Bytes(Unreader):  # type: ignore[misc]
    """Gives the bytes that there are, and tells when more are asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content

    def chunk(self, size_hint: int | None = None) -> bytes:
        if not self.content:
            raise Waits
        given_away, self.content = self.content, b""
        return given_away


def parser_is_content(content: bytes) -> bool:
    """Whether gunicorn's parser reads a whole request from these bytes, its body too, and asks for no more."""
    try:
        Request(Config(), Bytes(content), ("127.0.0.1", 1)).body.read()
    except Waits:
        return False
    except Exception:
        return True  # it refuses what is there
    return True


def arrived(pieces: list[bytes], limit: int = LIMIT) -> Arrival:
    arrival = Arrival(0.0, limit)
    for piece in pieces:
        arrival.add(piece)
    return arrival


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % len(content) for place in places} - {0}), len(content)]
    return [content[start:end] for start, end in itertools.pairwise(edges)]


@given(requests, st.lists(st.integers(0, 5000), max_size=12), requests | st.just(b""))
def test_a_request_is_whole_when_it_is(request: bytes, places: list[int], following: bytes) -> None:
    assert parser_is_content(request)
    pieces = cut(request, places)
    arrival = Arrival(0.0, LIMIT)
    for piece in pieces[:-1]:
        arrival.add(piece)
        assert not arrival.whole
    arrival.add(pieces[-1] + following)
    assert arrival.whole
    assert arrival.complete
    assert not arrival.endless_head
    assert b"".join(arrival.take()) == request + following


@given(requests)
def test_byte_by_byte(request: bytes) -> None:
    arrival = Arrival(0.0, LIMIT)
    for position in range(len(request)):
        assert not arrival.whole
        assert arrival.next_size > 0
        arrival.add(request[position : position + 1])
    assert arrival.complete


@st.composite
def nearly(draw: st.DrawFn) -> bytes:
    """A request with bytes of another kind somewhere in it."""
    request = draw(requests)
    place = draw(st.integers(0, len(request)))
    gone = draw(st.integers(0, 3))
    put = draw(st.sampled_from([b"", b"\r", b"\n", b"\r\n", b"0", b":", b" ", b"g", b"\r\n\r\n", b"5\r\n", b","]))
    return request[:place] + put + request[place + gone :]


@given(nearly(), st.lists(st.integers(0, 5000), max_size=5))
@example(BEGIN + b"Content-Length: x\r\n\r\n", [])
@example(BEGIN + b"Content-Length: 99999999999999999999\r\n\r\n", [])
def test_what_looks_complete_is_what_the_parser_reads(request: bytes, places: list[int]) -> None:
    """No request that the parser would have answered waits; and where the next one begins is known or not claimed."""
    arrival = arrived(cut(request, places))
    unreader = Bytes(request)
    try:
        parsed = Request(Config(), unreader, ("127.0.0.1", 1))
        parsed.body.read()
    except Waits:
        assert not arrival.complete
    except Exception:
        return  # refused, and the connection with it
    else:
        # A POST that says no length is answered, and the connection ends with it.
        framed = {"CONTENT-LENGTH", "TRANSFER-ENCODING"} & {name for name, _ in parsed.headers}
        assert arrival.whole
        assert arrival.complete == bool(framed or parsed.method != "POST")


def test_what_is_too_long_is_not_waited_for() -> None:
    by_length = arrived([BEGIN + b"Content-Length: 5001\r\n\r\n"])
    in_one_chunk = arrived([BEGIN + b"Transfer-Encoding: chunked\r\n\r\n", b"1389\r\n"])
    many = b"1\r\nx\r\n" * 5001
    in_many = arrived([BEGIN + b"Transfer-Encoding: chunked\r\n\r\n", many])
    one_by_one = arrived([BEGIN + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 60_000], 10_000_000)
    trailer = arrived([BEGIN + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 20_000])
    line = arrived([BEGIN + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 9000])
    for arrival in (by_length, in_one_chunk, in_many, one_by_one, trailer, line):
        assert arrival.whole
        assert not arrival.complete
        assert not arrival.endless_head
    head = arrived([b"GET / HTTP/1.1\r\n", b"A: b\r\n" * 20_000])
    assert head.whole
    assert head.endless_head


@given(st.booleans(), st.binary(min_size=1, max_size=50), st.integers(0, 40))
def test_continue_is_taken_once(first: bool, content: bytes, early: int) -> None:
    fields = [b"Expect: 100-Continue\r\n", b"Content-Length: %d\r\n" % len(content)]
    head = BEGIN + b"".join(fields if first else reversed(fields)) + b"\r\n"
    early = min(early, len(content) - 1)
    arrival = arrived([head[:20], head[20:] + content[:early]])
    assert arrival.takes_continue()
    assert not arrival.takes_continue()
    assert not arrival.whole
    arrival.add(content[early:])
    assert arrival.complete
    assert b"".join(arrival.take()) == head.replace(fields[0], b"") + content


def test_nobody_is_told_to_continue_before_the_head_ends_or_after_the_body() -> None:
    head = BEGIN + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    assert not arrived([head[:-2]]).takes_continue()
    assert not arrived([head + b"x"]).takes_continue()
    assert not arrived([BEGIN + b"Content-Length: 50\r\n\r\n\r\nExpect: 100-continue\r\n"]).takes_continue()


def test_the_parser_gets_what_came_and_then_nothing() -> None:
    source = Arrived(None)
    source.pieces.extend([b"a" * 10_000, b"b"])
    assert [len(source.chunk()), len(source.chunk()), source.chunk(), source.chunk()] == [8192, 1808, b"b", b""]
    source.pieces.append(b"c" * 20_000)
    assert len(source.chunk(20_000)) == 20_000


def test_a_post_that_does_not_say_how_long_it_is_ends_its_connection() -> None:
    """The parser takes it for one without a body; nobody else need do so."""
    arrival = arrived([BEGIN + b"\r\n" + BEGIN + b"\r\n"])
    assert arrival.whole
    assert not arrival.complete


@pytest.mark.parametrize("size", [b"+5", b"0x5", b"-5", b"5_0", b"\x0b5", b""])
def test_a_size_that_is_no_size_ends_its_connection(size: bytes) -> None:
    arrival = arrived([BEGIN + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\nhallo\r\n0\r\n\r\n"])
    assert arrival.whole
    assert not arrival.complete
