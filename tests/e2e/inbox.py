"""An inbox in a browser, and what comes into it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import uuid4

import requests
from playwright.sync_api import Page, expect

from mm_soap.bootstrap import mailbox_services
from mm_soap.config import load
from mm_soap.demonstration import KOMMUN_A, OPERATOR_ONE, RECIPIENT, DemoOrganisation
from mm_soap.message import Message, build_delivery
from mm_soap.service_supplier import EMAIL, Kind, many, store
from mm_soap.service_supplier.model import NewDelivery
from mm_soap.service_supplier.reaching import refused
from mm_soap.storage import writing
from mm_soap.testing.documents import one_page_pdf
from mm_soap.xml import MESSAGE_V3, parse_untrusted, qname
from tests.e2e.suite import Demonstration, Server, distribute, final_status, letter

PDF = one_page_pdf("Beslut", "Ja.")


def send(
    demonstration: Demonstration,
    server: Server,
    message: Message,
    recipient: str = RECIPIENT,
    *,
    sender: DemoOrganisation = KOMMUN_A,
    own: str = "",
) -> None:
    """Send a message by the dispatcher, and wait until it is in the mailbox.

    Args:
        demonstration: what signs.
        server: what serves the dispatcher.
        message: the message.
        recipient: whose mailbox.
        sender: who sends it.
        own: an element of another namespace that takes the place of OfficialMatterExtension.
    """
    if own:
        root = build_delivery(letter(recipient, message, sender=sender))
        (extension,) = root.iter(qname(MESSAGE_V3, "OfficialMatterExtension"))
        parent = extension.getparent()
        assert parent is not None
        parent.replace(extension, parse_untrusted(own.encode()))
        document = demonstration.signed_tree(root, sender)
    else:
        document = demonstration.signed(letter(recipient, message, sender=sender))
    assert final_status(server.url, distribute(server.url, document), sender) == ("Digital", "Delivered")


def put(demonstration: Demonstration, message: Message, recipient: str = RECIPIENT) -> None:
    """Put a message into a mailbox past every check, as only a fault of the operator could."""
    settings = load(demonstration.config)
    for service, operator in zip(mailbox_services(settings), settings.operator, strict=True):
        if operator.organisation == OPERATOR_ONE.number:
            content, now = letter(recipient, message), datetime.now(UTC)
            marks = (uuid4().hex, uuid4().hex, uuid4().hex, uuid4().hex)
            new = NewDelivery(*marks, KOMMUN_A.number, KOMMUN_A.number, KOMMUN_A.number, now.date(), now, True)
            with service.contents.keeping(content.sender, content.messages) as keeping:
                with writing(service.database) as connection:
                    key = store.add_delivery(connection, new)
                    to = [recipient]
                    many.add_to_mailboxes(connection, key, Kind.SECURE, content.sender, keeping.messages, to, now)
                keeping.told = True
        service.database.dispose()


def refuse(demonstration: Demonstration, email: str, recipient: str = RECIPIENT) -> None:
    """Let a recipient's address count as one that refused too often."""
    found = []
    for service in mailbox_services(load(demonstration.config)):
        with writing(service.database) as connection:
            found.append(refused(connection, recipient, EMAIL, email, 1, datetime.now(UTC)))
        service.database.dispose()
    assert any(found)


def sign_in(page: Page, server: Server, name: str = "Anna Demo", *, path: str = "", language: str = "en") -> None:
    """Sign in by the test identity provider, as a person would."""
    page.goto(f"{server.url}{path}/Inbox?language={language}")
    page.locator("a.act").click()
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("header").get_by_role("button")).to_have_text("Sign out" if language == "en" else "Logga ut")


def sign_text(page: Page, name: str = "Anna Demo") -> None:
    """Sign at the test identity provider what is shown there."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign as anybody")
    page.get_by_role("button", name=name, exact=True).click()


def asked(browser: requests.Session, url: str) -> str:
    """As a program does it: begin to sign in and return the provider's address with the request in it."""
    answer = browser.get(f"{url}/Inbox/sign-in", allow_redirects=False)
    assert answer.status_code == 302
    return answer.headers["Location"]


def answered(browser: requests.Session, address: str, person: str = RECIPIENT, level: str = "loa3") -> str:
    """Choose a person at the provider and return the address that it sends the browser back to."""
    form = {
        "csrf_token": form_token(browser.get(address).text),
        "person": person,
        "level": f"https://id.oidc.se/loa/{level}",
    }
    answer = browser.post(address, form, allow_redirects=False)
    assert answer.status_code == 302
    return answer.headers["Location"]


def form_token(page: str) -> str:
    """Return what the forms of a page send along against forgery."""
    return str(re.findall(r'name="csrf_token" value="([^"]+)"', page)[0])
