"""The pages of the test bed in a real browser: on a desktop, on a phone, by keyboard and without JavaScript."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from mm_soap.demonstration import UNKNOWN
from mm_soap.testbed.requesting import new_request
from mm_soap.testing.certificates import new_key
from tests.e2e.browser import DESKTOP, PHONE, accessibility, chromium, looking, too_wide
from tests.e2e.suite import Demonstration, Server, post
from tests.e2e.testbed import OTHER, SENDER, certified, listed, send, served_testbed, signed, with_pdf

pytestmark = [pytest.mark.needs_program("chromium"), pytest.mark.slow]

PICTURES = os.environ.get("MM_SOAP_PICTURES")
"""A folder into which the pages are written as pictures, for the documentation and for looking at."""


@pytest.fixture(scope="module")
def bed(fresh_for_module: Demonstration, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A test bed at which a bit of everything arrived."""
    with served_testbed(fresh_for_module) as server:
        folder = tmp_path_factory.mktemp("certified")
        me = certified(server, folder)
        post(f"{server.url}/Message/v3", b"<a><b></a>")
        send(server, signed(me, recipient=UNKNOWN))
        send(server, signed(me, with_pdf(checksum="0" * 32)))
        send(server, signed(certified(server, folder, OTHER), sender=OTHER).replace(b"Kommun Y", b"Kommun Z"))
        send(server, signed(me))
        yield server


LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True, "color_scheme": "dark"},
}


@pytest.fixture(scope="module", params=LOOKS)
def look(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:  # one of them: a second cannot be started beside it
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as started:
        yield started


@pytest.fixture(scope="module")
def context(browser: Browser, look: str) -> Iterator[BrowserContext]:
    with looking(browser, **LOOKS[look]) as started:
        yield started


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    opened = context.new_page()
    mistakes: list[str] = []
    opened.on("console", lambda message: mistakes.append(message.text) if message.type == "error" else None)
    yield opened
    opened.close()
    assert [text for text in mistakes if "404" not in text and "400" not in text] == []


def pictured(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"testbed-{name}.png", full_page=True)


def good(page: Page) -> None:
    assert accessibility(page) == []
    assert not too_wide(page)


def test_the_list_is_filtered_by_a_touch_and_by_typing(bed: Server, page: Page, look: str) -> None:
    page.goto(f"{bed.url}/testbed?refresh=off")
    pictured(page, f"list-{look}")
    good(page)
    rows = page.locator(".arrivals li")
    everything = rows.count()
    assert everything >= 5
    page.get_by_role("link", name=OTHER.number, exact=True).click()
    expect(rows).to_have_count(1)
    page.get_by_label("Sender's organisation number").fill(SENDER.number)
    page.keyboard.press("Enter")
    expect(rows).to_have_count(3)
    page.get_by_role("link", name="All", exact=True).click()
    expect(rows).to_have_count(everything)


def test_a_delivery_is_shown_step_by_step(bed: Server, page: Page, look: str) -> None:
    page.goto(bed.url + listed(bed, f"?sender={SENDER.number}")[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Delivered: distributeSecure", timeout=30_000)
    page.locator("summary", has_text="Signature").click()
    expect(page.get_by_text("The content is what was signed.")).to_be_visible()
    pictured(page, f"delivered-{look}")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    good(page)
    assert "hemlig" not in (page.locator("main").text_content() or "").lower()


def test_a_refused_message_shows_what_to_do_first(bed: Server, page: Page, look: str) -> None:
    page.goto(bed.url + listed(bed, f"?sender={OTHER.number}")[0])
    expect(page.locator(".todo li").first).to_contain_text("Hash only after the last change")
    expect(page.locator("dd.what")).to_contain_text("CONTENT_CHANGED")
    pictured(page, f"refused-{look}")
    good(page)


def test_what_never_was_a_message(bed: Server, page: Page) -> None:
    page.goto(bed.url + listed(bed)[-1])
    expect(page.get_by_role("heading", level=1)).to_have_text("Refused")
    expect(page.locator("dd").get_by_text("line 1").first).to_be_visible()
    good(page)


def test_a_certificate_by_the_form(bed: Server, page: Page, look: str) -> None:
    page.goto(f"{bed.url}/testbed/certificate")
    pictured(page, f"certificate-{look}")
    good(page)
    page.get_by_label("Certificate request (PEM)").fill("nothing of the kind")
    page.get_by_role("button", name="Get the certificate").click()
    expect(page.get_by_role("alert")).to_contain_text("no certificate request")
    good(page)
    request = new_request(SENDER.number, SENDER.name, new_key()).decode()
    page.get_by_label("Certificate request (PEM)").fill(request)
    page.get_by_role("button", name="Get the certificate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"A certificate for {SENDER.name}")
    expect(page.locator("pre").first).to_contain_text("BEGIN CERTIFICATE")
    good(page)


def test_there_is_a_page_for_what_is_not_there(bed: Server, page: Page) -> None:
    page.goto(f"{bed.url}/testbed/123456789")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")
    good(page)


def test_the_keyboard_is_enough(bed: Server, page: Page, look: str) -> None:
    if look == "phone":
        return  # it has no keyboard
    page.goto(f"{bed.url}/testbed?refresh=off")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.locator(".arrivals a").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_have_text("Step by step")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("details").first).to_have_attribute("open", "")


def test_all_of_it_works_without_javascript(bed: Server, browser: Browser) -> None:
    with looking(browser, viewport=PHONE, java_script_enabled=False) as context:
        page = context.new_page()
        answer = page.goto(f"{bed.url}/testbed")
        assert answer is not None
        assert answer.header_value("refresh") == "10"
        count = len(listed(bed))
        expect(page.locator(".arrivals li")).to_have_count(count)
        post(f"{bed.url}/Message/v3", b"<late/>")
        expect(page.locator(".arrivals li")).to_have_count(count + 1, timeout=30_000)
        page.get_by_role("link", name="Stop that").click()
        expect(page.get_by_role("link", name="Load this page anew")).to_be_visible()
        answer = page.reload()
        assert answer is not None
        assert answer.header_value("refresh") is None
        page.locator(".arrivals a").first.click()
        page.locator("summary", has_text="HTTP").click()
        expect(page.get_by_text("A call is a POST.")).to_be_visible()
