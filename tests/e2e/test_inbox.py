"""Signing in to the inbox and staying there, as programs see it that do not play by the rules."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import requests

from mm_soap.demonstration import RECIPIENT
from mm_soap.message import OfficialMatter, new_message
from tests.e2e.inbox import PDF, answered, asked, form_token, send
from tests.e2e.suite import Demonstration, Server, mm_soap


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Accept-Language"] = "en"
        yield session


def _signed_in(browser: requests.Session, served: Server) -> bool:
    return "Sign out" in browser.get(f"{served.url}/Inbox").text


def test_the_request_has_state_nonce_and_a_challenge(browser: requests.Session, served: Server) -> None:
    query = parse_qs(urlsplit(asked(browser, served.url)).query)
    assert query["code_challenge_method"] == ["S256"]
    assert all(len(query[name][0]) >= 16 for name in ("state", "nonce", "code_challenge"))
    assert query["acr_values"] == ["https://id.oidc.se/loa/loa3"]


def test_an_answer_lets_in_the_browser_that_asked_and_no_other(browser: requests.Session, served: Server) -> None:
    back = answered(browser, asked(browser, served.url))
    with requests.Session() as other:
        assert other.get(back).status_code == 403
        assert not _signed_in(other, served)
    assert browser.get(back).status_code == 200
    assert _signed_in(browser, served)
    with requests.Session() as other:  # who has a request of its own under way, and another's answer
        asked(other, served.url)
        assert other.get(back).status_code == 403
        assert not _signed_in(other, served)


@pytest.mark.parametrize("change", ["state=", "code="])
def test_a_changed_answer_lets_nobody_in(browser: requests.Session, served: Server, change: str) -> None:
    back = answered(browser, asked(browser, served.url))
    assert browser.get(back.replace(change, f"{change}x")).status_code == 403
    assert not _signed_in(browser, served)


def test_the_code_needs_the_verifier(browser: requests.Session, served: Server) -> None:
    back = parse_qs(urlsplit(answered(browser, asked(browser, served.url))).query)
    form = {
        "grant_type": "authorization_code",
        "code": back["code"][0],
        "client_id": "mm-soap",
        "redirect_uri": f"{served.url}/Inbox/signed-in",
        "code_verifier": "v" * 50,
    }
    answer = requests.post(f"{served.url}/test-idp/token", form, timeout=30)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_the_provider_sends_nobody_elsewhere(browser: requests.Session, served: Server) -> None:
    address = asked(browser, served.url).replace(
        "redirect_uri=http", "redirect_uri=https%3A%2F%2Fevil.example%2F%3Fhttp"
    )
    assert browser.get(address).status_code == 400


def test_the_cookie_is_for_this_server_alone(browser: requests.Session, served: Server) -> None:
    answer = browser.get(answered(browser, asked(browser, served.url)), allow_redirects=False)
    assert {"HttpOnly", "SameSite=Lax"} <= {part.strip() for part in answer.headers["Set-Cookie"].split(";")}


def test_what_belongs_to_a_page_does_not_bring_its_session_back(browser: requests.Session, served: Server) -> None:
    """It may be answered after the next page, whose session would be undone: which mailbox is open."""
    browser.get(answered(browser, asked(browser, served.url)))
    form = {"csrf_token": form_token(browser.get(f"{served.url}/Inbox/mailboxes").text), "mailbox": "165599999934"}
    before = dict(browser.cookies)
    assert "Demobolaget AB" in browser.post(f"{served.url}/Inbox/mailboxes", form).text
    with requests.Session() as late:
        for path, what in (
            ("/Inbox/static/inbox.css", None),
            ("/Inbox/static/icon.svg", "image"),
            ("/Inbox/static/style.css", "style"),
            ("/Inbox", "iframe"),
        ):
            answer = late.get(f"{served.url}{path}", cookies=before, headers={"Sec-Fetch-Dest": what} if what else {})
            assert (answer.status_code, answer.headers.get("Set-Cookie")) == (200, None)
        for headers in ({}, {"Sec-Fetch-Dest": "document"}):  # a page prolongs it
            assert "Set-Cookie" in late.get(f"{served.url}/Inbox", cookies=before, headers=headers).headers


def test_signing_out_ends_every_copy_of_the_session(browser: requests.Session, served: Server) -> None:
    browser.get(answered(browser, asked(browser, served.url)))
    with requests.Session() as thief, requests.Session() as other_device:
        thief.headers["Accept-Language"] = other_device.headers["Accept-Language"] = "en"
        thief.cookies.update(browser.cookies)
        assert _signed_in(thief, served)
        other_device.get(answered(other_device, asked(other_device, served.url)))
        form = {"csrf_token": form_token(browser.get(f"{served.url}/Inbox").text)}
        assert browser.post(f"{served.url}/Inbox/sign-out", form).status_code == 200
        assert not _signed_in(thief, served)
        assert _signed_in(other_device, served)
        thief.cookies.update(browser.cookies)
        browser.get(answered(browser, asked(browser, served.url)))
        assert _signed_in(browser, served)
        assert not _signed_in(thief, served)


def test_signing_in_again_ends_the_session_before(browser: requests.Session, served: Server) -> None:
    browser.get(answered(browser, asked(browser, served.url)))
    with requests.Session() as thief:
        thief.headers["Accept-Language"] = "en"
        thief.cookies.update(browser.cookies)
        browser.get(answered(browser, asked(browser, served.url)))
        assert _signed_in(browser, served)
        assert not _signed_in(thief, served)


def test_forms_need_their_token_and_pages_their_visitor(browser: requests.Session, served: Server) -> None:
    browser.get(answered(browser, asked(browser, served.url)))
    for path in ("/Inbox/sign-out", "/Inbox/contact", "/Inbox/senders", "/AccountRequest", "/Inbox/folders"):
        assert browser.post(f"{served.url}{path}").status_code == 400
    for path in ("/Inbox/export", "/Inbox/waiting"):
        assert browser.post(f"{served.url}{path}").status_code == 400
    assert _signed_in(browser, served)
    with requests.Session() as nobody:
        for path in ("/Inbox/contact", "/Inbox/mailboxes", "/Inbox/message/1-0", "/Inbox/message/1-0/file/0"):
            assert "csrf_token" not in nobody.get(f"{served.url}{path}").text


def test_a_mailbox_is_fetched_as_one_file_by_whoever_may_read_it(
    browser: requests.Session, demonstration: Demonstration, served: Server
) -> None:
    subject = f"Att ta med {uuid4()}"
    send(demonstration, served, new_message(subject, text="Hej.", attachments=[("a.pdf", "application/pdf", PDF)]))
    browser.get(answered(browser, asked(browser, served.url)))
    form = {"csrf_token": form_token(browser.get(f"{served.url}/Inbox/folders").text)}
    answer = browser.post(f"{served.url}/Inbox/export", form)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    assert answer.headers["Transfer-Encoding"] == "chunked"  # it goes out while it is made
    assert re.fullmatch(r'attachment; filename="mailbox-[0-9-]{10}\.zip"', answer.headers["Content-Disposition"])
    assert "no-store" in answer.headers["Cache-Control"]
    archive = zipfile.ZipFile(BytesIO(answer.content))
    assert archive.testzip() is None
    (told,) = [one for one in json.loads(archive.read("messages.json")) if one["subject"] == subject]
    assert archive.read(told["attachments"][0]["file"]) == PDF
    with requests.Session() as nobody:
        page = nobody.get(f"{served.url}/Inbox")
        assert nobody.post(f"{served.url}/Inbox/export", {"csrf_token": "x"}).status_code == 400
        assert page.headers["Content-Type"].startswith("text/html")


def test_the_command_tells_of_the_case_too(demonstration: Demonstration, served: Server) -> None:
    case = f"BN {uuid4()}"
    for event, status in (("e1", "senderinitiative"), ("e2", "recipientinitiative")):
        matter = OfficialMatter(date(2026, 11, 1), event, case, None, "Bygglov", "Begäran", status)
        message = new_message("Rita", text="Hej.", official_matter=matter)
        send(demonstration, served, message)
    arguments = ("mailbox", "show", RECIPIENT, message.id, "--config", demonstration.config)
    printed = " ".join(mm_soap(*arguments).stdout.split())
    assert f"Bygglov ({case}), 2 messages" in printed
    assert "the recipient acts next" in printed
    assert "2026-11-01: Begäran" in printed
    told = json.loads(mm_soap(*arguments, "--json").stdout)["official_matter"]
    assert (told["official_matter_id"], told["event_id"]) == (case, "e2")
    assert told["now"] == {"subject": "Bygglov", "messages": 2, "matter_status": "recipientinitiative"}


def test_what_waits_is_abandoned_by_those_alone_who_may_manage_that_mailbox(
    browser: requests.Session, served: Server
) -> None:
    browser.get(answered(browser, asked(browser, served.url)))
    token = form_token(browser.get(f"{served.url}/Inbox/folders").text)
    form = {"csrf_token": token, "act": "abandon", "kind": "leave"}
    answer = browser.post(f"{served.url}/Inbox/waiting", form)  # nothing waits in this one's mailbox
    assert answer.status_code == 409
    assert "What waited does so no longer." in answer.text


def test_no_number_is_written_to_the_log(browser: requests.Session, served: Server) -> None:
    browser.get(f"{served.url}/Inbox?recipientId={RECIPIENT}")
    browser.get(answered(browser, asked(browser, served.url)))
    browser.get(f"{served.url}/AccountRequest?recipientId={RECIPIENT}")
    assert _signed_in(browser, served)
    assert RECIPIENT not in served.output()
