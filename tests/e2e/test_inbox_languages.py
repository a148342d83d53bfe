"""Every page of the inbox is in one language, and says which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from string import Formatter
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from selectolax.lexbor import LexborHTMLParser

from mm_soap.demonstration import RECIPIENT
from mm_soap.message import OfficialMatter, new_message
from mm_soap.web.inbox.texts import TEXTS
from tests.e2e.inbox import PDF, send
from tests.e2e.suite import Demonstration, Server

PATHS = {"/Inbox", "/Inbox/cases", "/Inbox/senders", "/Inbox/contact", "/Inbox/folders", "/Inbox/mailboxes"} | {
    "/Inbox/waiting",
    "/AccountRequest",
}
"""Pages that must be among those that links lead to."""

OTHER = {"sv": 1, "en": 0}
SHOWN = ("title", "aria-label", "placeholder", "alt")
"""Attributes whose texts people meet."""


@pytest.fixture(params=["sv", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def browser(language: str) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Accept-Language"] = language
        yield session


def sentences(language: str) -> list[re.Pattern[str]]:
    """What stands in the other language alone, as patterns of a whole text: braces stand for any words."""
    found = []
    for key, both in TEXTS.items():
        other = both[OTHER[language]]
        if both[0] != both[1] and not key.startswith("agreement."):
            parts = [
                re.escape(text) + (".*" if name is not None else "") for text, name, _, _ in Formatter().parse(other)
            ]
            found.append(re.compile("".join(parts), re.DOTALL))
    return found


def texts(page: str) -> Iterator[str]:
    """Yield each text that a page shows, without what senders wrote, and each attribute that is read out."""
    tree = LexborHTMLParser(page)
    for one in tree.css("[lang]"):
        if one.tag != "html":
            one.decompose()  # another language, and it says so
    for one in tree.css("bdi, .who, .what, .name, dd, .plain"):
        one.decompose()
    for node in tree.css("*"):
        for name in SHOWN:
            yield (node.attributes.get(name) or "").strip()
        for child in node.iter(include_text=True):
            if child.tag == "-text":
                yield (child.text_content or "").strip(" \n:·←→")


def check(page: str, language: str) -> None:
    assert LexborHTMLParser(page).css_first("html").attributes["lang"] == language
    wrong = [text for text in texts(page) if text and any(each.fullmatch(text) for each in sentences(language))]
    assert wrong == []


def sign_in(browser: requests.Session, served: Server) -> str:
    address = browser.get(f"{served.url}/Inbox/sign-in", allow_redirects=False).headers["Location"]
    token = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get(address).text)[0]
    form = {"csrf_token": token, "person": RECIPIENT, "level": "https://id.oidc.se/loa/loa3"}
    return browser.post(address, form).text


def test_every_page_is_in_one_language(
    browser: requests.Session, demonstration: Demonstration, served: Server, language: str
) -> None:
    check(browser.get(f"{served.url}/Inbox").text, language)
    check(browser.get(f"{served.url}/Inbox/signed-in?error=access_denied&state=x").text, language)
    matter = OfficialMatter(date(2026, 11, 1), "e1", f"m-{language}", matter_status="recipientinitiative")
    files = [("a.pdf", "application/pdf", PDF)]
    send(demonstration, served, new_message("Xyzzy", text="Xyzzy", attachments=files, official_matter=matter))
    found = {"/Inbox": sign_in(browser, served)}
    waiting = list(found)
    while waiting:  # all that a person can come to by links
        path = waiting.pop()
        check(found[path], language)
        for link in LexborHTMLParser(found[path]).css("a[href]"):
            way = urlsplit(urljoin(f"{served.url}{path}", link.attributes["href"]))
            name = re.sub("[0-9]+", "1", way.path)  # one message stands for all
            own = way.path.startswith(("/Inbox", "/AccountRequest")) and "language=" not in way.query
            if own and name not in {re.sub("[0-9]+", "1", each) for each in found}:
                answer = browser.get(f"{served.url}{way.path}", allow_redirects=False)
                if answer.headers["Content-Type"].startswith("text/html") and not way.path.endswith("/sign-in"):
                    found[way.path] = answer.text
                    waiting.append(way.path)
    assert set(found) >= PATHS
    assert {"message", "case"} <= {path.split("/")[2] for path in found if path.count("/") == 3}
    for path, status in (("/Inbox/message/0-0", 404), ("/Inbox/nowhere", 404), ("/Inbox/export", 404)):
        answer = browser.get(f"{served.url}{path}")
        assert answer.status_code in (status, 405)
        check(answer.text, language)
    answer = browser.post(f"{served.url}/Inbox/contact")  # without the form's token
    assert answer.status_code == 400
    check(answer.text, language)


def test_the_switch_stays_on_the_page_and_is_remembered(
    browser: requests.Session, served: Server, language: str
) -> None:
    other = "en" if language == "sv" else "sv"
    sign_in(browser, served)
    for path in ("/Inbox/contact", "/Inbox?place=-1&q=a%26b%23c"):
        browser.get(f"{served.url}/Inbox?language={language}")
        page = LexborHTMLParser(browser.get(f"{served.url}{path}").text)
        (link,) = page.css("a.language")
        assert link.attributes["lang"] == other
        address = urljoin(served.url, link.attributes["href"])
        assert address.startswith(f"{served.url}{urlsplit(path).path}?")
        turned = browser.get(address)
        assert LexborHTMLParser(turned.text).css_first("html").attributes["lang"] == other
        if "q=" in path:
            assert 'value="a&amp;b#c"' in turned.text
        check(browser.get(f"{served.url}/Inbox/senders").text, other)


@pytest.mark.parametrize(
    "query", ["_external=1&_scheme=javascript", "_anchor=x", "language=xx", "endpoint=cases.listed"]
)
def test_the_switch_leads_nowhere_else(browser: requests.Session, served: Server, query: str) -> None:
    page = LexborHTMLParser(browser.get(f"{served.url}/Inbox?{query}").text)
    (link,) = page.css("a.language")
    assert (link.attributes["href"] or "").startswith("/Inbox?")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        *(("fi", "sv"), ("", "sv"), ("*", "sv"), ("de, fr;q=0.5", "sv"), ("en;q=0, fi", "sv")),
        *(("de, en-GB;q=0.8, sv;q=0.2", "en"), ("sv-SE, en;q=0.5", "sv"), ("EN-us", "en")),
    ],
)
def test_the_language_that_the_browser_wants_most_is_the_first_one(served: Server, asked: str, given: str) -> None:
    check(requests.get(f"{served.url}/Inbox", headers={"Accept-Language": asked}, timeout=30).text, given)
