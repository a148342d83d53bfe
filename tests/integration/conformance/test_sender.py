"""The kit listens: each wrong sender is caught by the case made for it and by no other, and right ones pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mm_soap.conformance import Report, Verdict
from mm_soap.conformance.sender.cases import CASES
from mm_soap.conformance.sender.ledger import First
from mm_soap.conformance.sender.listening import Listener, Server
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.message import new_message
from tests.integration.conformance.senders import (
    DISPATCHER,
    OTHER,
    PKI,
    SENDER,
    WRONG,
    Answer,
    Call,
    a_delivery,
    delivered,
    post,
    sealed,
    sent,
    signed,
    status,
    unsigned,
)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    PKI.write(folder, [SENDER, OTHER, DISPATCHER])
    return folder / "ca.pem"


@contextmanager
def listening(trust: Path, first: First = First.ANSWERED, **plan: Any) -> Iterator[Server]:
    given = {"port": 0, "trust": trust, "dispatchers": (DISPATCHER.organisation,), **plan}
    with closing(Server(Listener(SenderPlan(**given), first))) as server:
        yield server


def report_of(server: Server) -> Report:
    return server.listener.report(server.endpoints)


def failed(report: Report) -> set[str]:
    return {one.case.id.removeprefix("sender.") for one in report.findings if one.verdict is Verdict.FAILED}


def passed(report: Report) -> set[str]:
    return {one.case.id.removeprefix("sender.") for one in report.findings if one.verdict is Verdict.PASSED}


def answered(server: Server, call: Call) -> Answer:
    answer = post(server.url, call)
    assert answer is not None
    return answer


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sender_is_caught_by_the_case_made_for_it_and_by_no_other(trust: Path, name: str) -> None:
    calls, expected = WRONG[name]
    with listening(trust) as server:
        for call in calls():
            post(server.url, call)
    assert failed(report_of(server)) == expected
