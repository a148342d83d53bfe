"""Somebody who reads at an inbox, as a browser would carry it: one connection, cookies, and pauses to read in."""

from __future__ import annotations

import html
import http.client
import random
import re
import threading
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from mm_soap.errors import MmSoapError

Seen = Callable[[str, float], None]
"""Is told of each page: what it was, and how many ms it took."""

_TIMEOUT = 60
_LEVEL = "https://id.oidc.se/loa/loa3"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_LETTER = re.compile(r'href="(/Inbox/message/[^"/?]+)"')
_OLDER = re.compile(r'href="([^"]+)" rel="next"')
_STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
_FRAME = re.compile(r'<iframe[^>]* src="([^"]+)"')
_FILE = re.compile(r'href="([^"]+/file/[0-9]+)"')


class Person:
    """Reads until the time is over.

    Args:
        url: the operator's.
        number: who it is.
        chance: decides what is looked at.
        pauses: the shortest and the longest time between two pages, in seconds.
    """

    def __init__(self, url: str, number: str, chance: random.Random, pauses: tuple[float, float]) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        self._number = number
        self._chance = chance
        self._pauses = pauses
        self._cookies: dict[str, str] = {}

    def sign_in(self) -> None:
        """Sign in at the test identity provider.

        Raises:
            MmSoapError: the inbox does not open.
        """
        asked = self._ask("GET", "/Inbox/sign-in")[1]
        form = {"csrf_token": _found(_TOKEN, self._ask("GET", asked)[2]), "person": self._number, "level": _LEVEL}
        back = self._ask("POST", asked, urlencode(form))[1]
        self._ask("GET", back)
        page = self._page("/Inbox")
        for style in _STYLE.findall(page):
            self._page(style)

    def read(self, over: threading.Event, seen: Seen) -> None:
        """Read until it is over; the first page comes after a part of a pause, so that not all begin at once."""
        over.wait(self._chance.uniform(0, self._pauses[1]))
        page = ""
        while not over.is_set():
            page = self._look(over, page, seen)
            letters = _LETTER.findall(page)
            if letters and not over.is_set():
                self._open(over, self._chance.choice(letters), seen)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _look(self, over: threading.Event, last: str, seen: Seen) -> str:
        """Look at a list: mostly the newest, now and then an older part, or what a word finds."""
        drawn, older = self._chance.random(), _OLDER.search(last)
        if drawn < 0.1:
            what, path = "search", f"/Inbox?q=ord{int(20_000 * self._chance.random() ** 4)}"
        elif drawn < 0.3 and older:
            what, path = "list", html.unescape(older[1])
        else:
            what, path = "list", "/Inbox"
        return self._turn(over, what, path, seen)

    def _open(self, over: threading.Event, path: str, seen: Seen) -> None:
        page = self._turn(over, "message", path, seen, then=False)
        frame = _FRAME.search(page)
        if frame:  # the browser asks for it at once
            self._turn(over, "body", frame[1], seen, then=False)
        self._pause(over)
        file = _FILE.search(page)
        if file and self._chance.random() < 0.4 and not over.is_set():
            self._turn(over, "attachment", file[1], seen)

    def _turn(self, over: threading.Event, what: str, path: str, seen: Seen, *, then: bool = True) -> str:
        begun = time.perf_counter()
        page = self._page(path)
        seen(what, (time.perf_counter() - begun) * 1e3)
        if then:
            self._pause(over)
        return page

    def _pause(self, over: threading.Event) -> None:
        over.wait(self._chance.uniform(*self._pauses))

    def _page(self, path: str) -> str:
        status, _, page = self._ask("GET", path)
        if status != 200:
            raise MmSoapError(f"A page of the inbox was answered with {status}.")
        return page

    def _ask(self, method: str, address: str, body: str | None = None) -> tuple[int, str, str]:
        """Return status, Location and content."""
        parts = urlsplit(address)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._connection.request(method, target, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.status, answer.headers.get("Location", ""), content.decode("utf-8", "replace")


def _found(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    if found is None:
        raise MmSoapError("The inbox lets nobody in.")
    return found[1]
