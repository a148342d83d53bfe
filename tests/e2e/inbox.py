"""An inbox in a browser, and what comes into it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from playwright.sync_api import Page, expect

from mm_soap.bootstrap import mailbox_services
from mm_soap.config import load
from mm_soap.demonstration import KOMMUN_A, OPERATOR_ONE, RECIPIENT
from mm_soap.message import Message, Party, SecureDelivery
from mm_soap.service_supplier import store
from mm_soap.service_supplier.model import NewDelivery
from mm_soap.storage import writing
from mm_soap.testing.documents import one_page_pdf
from tests.e2e.suite import Demonstration, Server

PDF = one_page_pdf("Beslut om bygglov", "Ja.")


def put(
    demonstration: Demonstration, message: Message, *, recipient: str = RECIPIENT, received: datetime | None = None
) -> str:
    """Put a message into a mailbox past every check, as only a fault of the operator could, and return its id."""
    settings = load(demonstration.config)
    for service, operator in zip(mailbox_services(settings), settings.operator, strict=True):
        if operator.organisation == OPERATOR_ONE.number:
            content = SecureDelivery(Party(KOMMUN_A.number, KOMMUN_A.name), recipient, (message,))
            now = received or datetime.now(UTC)
            marks = (uuid4().hex, uuid4().hex, uuid4().hex, uuid4().hex)
            new = NewDelivery(*marks, KOMMUN_A.number, KOMMUN_A.number, KOMMUN_A.number, now.date(), now, True)
            with writing(service.database) as connection:
                store.add_messages(connection, store.add_delivery(connection, new), content, now)
        service.database.dispose()
    return message.id


def sign_in(page: Page, server: Server, name: str = "Anna Demo", *, path: str = "", language: str = "en") -> None:
    """Sign in by the test identity provider, as a person would."""
    page.goto(f"{server.url}{path}/Inbox?language={language}")
    page.locator("a.act").click()
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("header").get_by_role("button")).to_have_text("Sign out" if language == "en" else "Logga ut")
