"""Mailboxes whose accounts end, move and come back at the register: what deliverSecure says, what stays readable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from mm_soap.demonstration import (
    COMPANY,
    DISPATCHER,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    RECIPIENT_AT_TWO,
)
from mm_soap.dsig import seal_for
from mm_soap.dsig.sign import sealed_document
from mm_soap.far import Account
from tests.e2e.suite import Demonstration, Server, a_message, deliver, letter, until
from tests.e2e.visitor import Visitor

pytestmark = pytest.mark.slow

AT_TWO = OPERATOR_TWO.path


@pytest.fixture(scope="module")
def demo(fresh_for_module: Demonstration) -> Demonstration:
    fresh_for_module.change("operator", register_check=0.5)
    return fresh_for_module


@pytest.fixture(scope="module")
def served(demo: Demonstration) -> Server:
    return demo.serve()


@pytest.fixture
def taken(demo: Demonstration, served: Server) -> Callable[..., bool]:
    """Whether an operator takes a delivery, as a dispatcher sees it that asked the register a moment too early."""

    def ask(recipient: str = RECIPIENT, path: str = "", subject: str = "Beslut") -> bool:
        document = demo.signed(letter(recipient, a_message(subject)))
        seal = seal_for(document, demo.identity(DISPATCHER), date.today())
        _, statuses = deliver(f"{served.url}{path}", sealed_document(document, seal))
        return statuses[recipient]

    return ask


def test_a_mailbox_whose_owner_moves_by_another_operators_pages_takes_nothing_new_and_stays_readable(
    served: Server, taken: Callable[..., bool]
) -> None:
    assert taken(subject="Kom i tid")
    with Visitor(served, AT_TWO) as there:
        assert "The mailbox has moved here." in there.sign("/AccountRequest", kind="move")
    assert taken(path=AT_TWO)
    until(lambda: not taken(), 60, "the end of the mailbox at the first operator")
    with Visitor(served) as here:
        page = here.get("/Inbox").text
        assert "Kom i tid" in page
        assert "This mailbox is closed." in page
        assert here.post("/Inbox/export").status_code == 200
        assert "The mailbox has moved here." in here.sign("/AccountRequest", kind="move")
        assert taken()
        page = here.get("/Inbox").text
        assert "Kom i tid" in page
        assert "This mailbox is closed." not in page
    until(lambda: not taken(path=AT_TWO), 60, "the end of the mailbox at the second operator")


def test_a_deregistration_that_waits_for_signatures_closes_nothing_until_the_last_one(
    served: Server, taken: Callable[..., bool]
) -> None:
    with Visitor(served) as anna, Visitor(served, person=RECIPIENT_AT_TWO) as bertil:
        assert anna.post("/Inbox/mailboxes", mailbox=COMPANY).status_code == 302
        assert "More must sign" in anna.sign("/AccountRequest", kind="leave")
        assert taken(COMPANY)
        assert "The mailbox is at" in anna.get("/AccountRequest").text
        assert taken(COMPANY)
        assert bertil.post("/Inbox/mailboxes", mailbox=COMPANY).status_code == 302
        assert "The mailbox is closed." in bertil.sign("/Inbox/waiting", act="sign", kind="leave")
        assert not taken(COMPANY)
        assert "More must sign" in bertil.sign("/AccountRequest", kind="register")
        assert not taken(COMPANY)
        assert "The mailbox is open." in anna.sign("/AccountRequest", kind="register")
        assert taken(COMPANY)


def test_what_was_lost_between_the_registers_answer_and_the_operators_write_is_made_good(
    demo: Demonstration, taken: Callable[..., bool]
) -> None:
    # As after a crash: the register has changed, and the operator has not.
    with demo.register() as register:
        register.add_accounts([Account(RECIPIENT_AT_TWO, OPERATOR_ONE.number)])
        until(lambda: not taken(RECIPIENT_AT_TWO, AT_TWO), 60, "the end of a mailbox")
        register.add_accounts([Account(RECIPIENT_AT_TWO, OPERATOR_TWO.number)])
    until(lambda: taken(RECIPIENT_AT_TWO, AT_TWO), 60, "the mailbox that is open again")
