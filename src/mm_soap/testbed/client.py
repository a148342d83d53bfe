"""Asking a test bed over HTTP."""

from __future__ import annotations

from typing import Final

import urllib3

from mm_soap.errors import MmSoapError, TransportError

_SECONDS: Final = 30.0
_LONGEST_ANSWER: Final = 100_000


class TestbedRefusal(MmSoapError):
    """The test bed refused; the message is its own sentence."""


def ask(method: str, url: str, body: bytes | None = None) -> bytes:
    """Return what a test bed answers.

    Raises:
        TestbedRefusal: it answered that the request is wrong.
        TransportError: it could not be asked, or something else answered.
    """
    try:
        answer = urllib3.request(
            method,
            url,
            body=body,
            headers={"Content-Type": "application/pkcs10"} if body else None,
            timeout=_SECONDS,
            retries=False,
            redirect=False,
        )
    except (urllib3.exceptions.HTTPError, ValueError):
        raise TransportError("the test bed could not be reached") from None
    content = answer.data[:_LONGEST_ANSWER]
    if answer.status == 400 and str(answer.headers.get("Content-Type", "")).startswith("text/plain"):
        raise TestbedRefusal(f"The test bed refused: {content.decode('utf-8', 'replace').strip()}")
    if answer.status != 200:
        raise TransportError(f"HTTP {answer.status} instead of a certificate: no test bed is served at that address")
    return content
