"""Text messages through 46elks: ``POST /a1/sms`` with a form, HTTP Basic, JSON back."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

from mm_soap.channels.model import ChannelError

ELKS_URL: Final = "https://api.46elks.com/a1"
"""Where 46elks is, before ``/sms``."""

_MOST_BYTES: Final = 65_536
_ACCOUNT: Final = frozenset({401, 402, 403, 404, 405, 429})
"""What the account, its credit or the address in the settings gets wrong: mended, the same text goes."""
_LOST: Final = "failed"
_OF_NUMBER: Final = b"'to'"
"""In the text with which a number is refused; the other texts are about what the settings say."""


class ElksGateway:
    """Sends text messages through 46elks, or a system that speaks as it does. Safe for threads.

    46elks knows no mark by which it would see that a text came before: one whose answer was lost is sent twice.

    Args:
        url: the address before ``/sms``.
        user, password: the API's.
        timeout: for the answer, in seconds.
        ca: PEM file of the authorities to trust; the system's without it.
    """

    def __init__(
        self, user: str, password: str, *, url: str = ELKS_URL, timeout: float = 30.0, ca: str | None = None
    ) -> None:
        tls = {"ca_certs": ca} if ca and url.startswith("https:") else {}
        self._pool = urllib3.connection_from_url(url, maxsize=2, block=False, **tls)
        self._path = (urllib3.util.parse_url(url).path or "").rstrip("/") + "/sms"
        self._seconds = timeout
        self._timeout = urllib3.Timeout(connect=min(timeout, 5.0), read=timeout)
        self._headers = {
            **urllib3.make_headers(basic_auth=f"{user}:{password}"),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }

    def send(self, origin: str, mobile: str, text: str, mark: str) -> str:
        """Send a text and return 46elks' id for it. ``mark`` is of no use to 46elks."""
        del mark
        form = urlencode({"from": origin, "to": mobile, "message": text}).encode("ascii")
        try:
            response = self._pool.urlopen(
                "POST",
                self._path,
                body=form,
                headers=self._headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                raw = self._body(response)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # Their texts may hold what was sent.
            raise ChannelError(f"no answer from the SMS gateway, {type(error).__name__}", technical=True) from None
        if response.status != 200:
            raise _refusal(response.status, raw)
        return _read(raw)

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        # The limit of the connection is for each wait; one that sends a byte now and then would never meet it.
        until = time.monotonic() + self._seconds
        raw = b""
        while len(raw) < _MOST_BYTES and (chunk := response.read1(_MOST_BYTES)):
            raw += chunk
            if time.monotonic() > until:
                raise ChannelError("the SMS gateway's answer took too long", technical=True)
        return raw


def _refusal(status: int, said: bytes) -> ChannelError:
    technical = status >= 500 or status < 400 or status in _ACCOUNT
    return ChannelError(
        f"the SMS gateway {'answered' if technical else 'refused the text with'} HTTP {status}",
        technical=technical,
        address=not technical and _OF_NUMBER in said,
    )


def _read(raw: bytes) -> str:
    try:
        answer: Any = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        raise ChannelError("the SMS gateway's answer is not one", technical=True)
    if answer.get("status") == _LOST:
        raise ChannelError("the SMS gateway could not send the text", technical=False, address=True)
    return str(answer["id"])
