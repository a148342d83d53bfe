"""A recipient at an operator's pages without a browser: requests and forms alone."""

from __future__ import annotations

import re
from types import TracebackType

import requests

from mm_soap.demonstration import RECIPIENT
from tests.e2e.suite import Server

_LEVEL = "https://id.oidc.se/loa/loa3"


class Visitor:
    """Somebody who is signed in.

    Args:
        server: serves the operator and the test identity provider.
        path: what stands before the operator's pages.
        person: who it is.
    """

    def __init__(self, server: Server, path: str = "", person: str = RECIPIENT) -> None:
        self.session = requests.Session()
        self.session.headers["Accept-Language"] = "en"
        self._url = f"{server.url}{path}"
        self._person = person

    def __enter__(self) -> Visitor:
        asked = self.session.get(f"{self._url}/Inbox/sign-in", allow_redirects=False)
        assert "Sign out" in self._at_provider(asked.headers["Location"]).text
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.session.close()

    def get(self, path: str) -> requests.Response:
        """Look at a page."""
        return self.session.get(f"{self._url}{path}")

    def post(self, path: str, **form: str) -> requests.Response:
        """Send a form, and do not follow where it leads."""
        form["csrf_token"] = token(self.get("/Inbox/mailboxes").text)
        return self.session.post(f"{self._url}{path}", form, allow_redirects=False)

    def sign(self, path: str, **form: str) -> str:
        """Send a form whose request must be signed, sign it, and return the page that follows."""
        asked = self.post(path, **form)
        assert asked.status_code == 302, asked.text
        return self._at_provider(asked.headers["Location"]).text

    def _at_provider(self, address: str) -> requests.Response:
        form = {"csrf_token": token(self.session.get(address).text), "person": self._person, "level": _LEVEL}
        return self.session.post(address, form)


def token(page: str) -> str:
    """Return the token of a page's forms."""
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page)[0])
