"""Who calls, by what a proxy hands over and from where."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.clock import system_clock
from mm_soap.errors import Refusal, Refused
from mm_soap.soap import by_connection, by_proxy, from_proxies
from mm_soap.testing import TestPki
from mm_soap.testing.certificates import pem

CERTIFICATE = TestPki(system_clock).organisation("162021004748", "Kommun A").certificate
DER = CERTIFICATE.public_bytes(Encoding.DER)
PEM = pem([CERTIFICATE]).decode()


def answered(address: str, *proxies: str) -> bool:
    said: list[str] = []
    application = from_proxies(lambda environ, start: [b"it answers"], proxies)
    body = application({"REMOTE_ADDR": address}, lambda status, headers: said.append(status))
    if body == [b"it answers"]:
        return True
    assert said == ["403 Forbidden"]
    return False


@pytest.mark.parametrize(
    ("address", "proxies", "expected"),
    [
        ("192.0.2.1", ["192.0.2.1"], True),
        ("192.0.2.1", ["192.0.2.2", "192.0.2.1"], True),
        ("::ffff:192.0.2.1", ["192.0.2.1"], True),
        ("2001:db8::1", ["2001:0db8::0001"], True),
        ("192.0.2.10", ["192.0.2.1"], False),
        ("127.0.0.1", ["192.0.2.1"], False),
        ("::1", ["127.0.0.1"], False),
        ("", ["192.0.2.1"], False),
        ("a socket", ["192.0.2.1"], False),
    ],
)
def test_only_proxies_are_answered(address: str, proxies: list[str], expected: bool) -> None:
    assert answered(address, *proxies) is expected


def identified(header: str | None) -> Any:
    seen: list[bytes] = []

    def organisation_of(der: bytes) -> str:
        seen.append(der)
        return "162021004748"

    environ = {"REMOTE_ADDR": "192.0.2.1"} | ({} if header is None else {"HTTP_X_CLIENT_CERTIFICATE": header})
    try:
        caller = by_proxy(organisation_of)(environ)
    except Refused as refused:
        assert seen == []
        return refused.refusal
    assert seen == [DER]
    return caller


@pytest.mark.parametrize(
    "header", [quote(PEM), quote(PEM, safe=""), quote(PEM.replace("\n", "\r\n")), quote(PEM.strip())]
)
def test_one_certificate(header: str) -> None:
    caller = identified(header)
    assert (caller.organisation, caller.address) == ("162021004748", "192.0.2.1")


@pytest.mark.parametrize(
    "header",
    [
        quote(PEM) + "," + quote(PEM),
        quote(PEM + PEM),
        quote("x" + PEM),
        quote(PEM + "x"),
        quote(PEM.replace("-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----")),
        quote(PEM.replace("\n-----END", "A\n-----END")),  # base64 of no whole number of bytes
        "%",
        "%FF%FE",
        "(null)",
        "-",
    ],
)
def test_anything_else_is_no_certificate(header: str) -> None:
    assert identified(header) is Refusal.CERTIFICATE_UNREADABLE


@pytest.mark.parametrize("header", [None, ""])
def test_none(header: str | None) -> None:
    assert identified(header) is Refusal.NOT_AUTHORISED


def test_a_connection_without_tls_identifies_nobody() -> None:
    """Whatever stands in headers."""
    with pytest.raises(Refused) as caught:
        by_connection(lambda der: "162021004748")(
            {"gunicorn.socket": object(), "HTTP_X_CLIENT_CERTIFICATE": quote(PEM), "SSL_CLIENT_CERT": PEM}
        )
    assert caught.value.refusal is Refusal.NOT_AUTHORISED
