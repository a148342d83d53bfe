"""What the tests of the kit share: a demonstration, and plans for its parties."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import pytest

from mm_soap.clock import system_clock
from mm_soap.conformance import Case
from mm_soap.demonstration import (
    DISPATCHER,
    KOMMUN_B,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    RECIPIENT_WITHOUT_B,
    UNKNOWN,
)
from mm_soap.testing import TestPki
from tests.e2e.suite import Demonstration, stopped_at_the_end

T = TypeVar("T")


@pytest.fixture(scope="package")
def judged(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A demonstration that trusts a second authority too, which has issued a certificate that is expired by now."""
    with stopped_at_the_end(Demonstration.copy_of(template, tmp_path_factory.mktemp("judged") / "demo")) as own:
        second = TestPki(system_clock)
        second.write(own.folder / "second", [second.organisation(KOMMUN_B.number, KOMMUN_B.name, expired=True)])
        own.change("trust", anchors=["pki/ca.pem", "second/ca.pem"])
        own.serve()
        yield own


def _files(name: str, folder: Path, number: str) -> dict[str, Path]:
    return {f"{name}_certificate": folder / f"{number}.pem", f"{name}_key": folder / f"{number}.key"}


def _shared(folder: Path) -> dict[str, Any]:
    return {
        **_files("sender", folder / "pki", KOMMUN_B.number),
        **_files("outsider", folder / "pki", OPERATOR_ONE.number),
        **_files("expired", folder / "second", KOMMUN_B.number),
        "sender_name": KOMMUN_B.name,
        "recipient": RECIPIENT_AT_TWO,
        "deselecting": RECIPIENT_WITHOUT_B,
    }


def operator_plan(folder: Path, url: str) -> dict[str, Any]:
    return {
        **_shared(folder),
        **_files("dispatcher", folder / "pki", DISPATCHER.number),
        "service": f"{url}{OPERATOR_TWO.path}/Service/v3",
        "unregistered": RECIPIENT,
    }


def dispatcher_plan(folder: Path, url: str) -> dict[str, Any]:
    return {
        **_shared(folder),
        "message": f"{url}/Message/v3",
        "notification": f"{url}/Notification/v3",
        "unregistered": UNKNOWN,
        "wait": 30.0,
    }


SHARE = 1 if os.environ.get("TESTS_ALL_CASES") else 24
"""Of the cases that a wrong party must pass, one of so many is tried; each party tries others. All take ten minutes."""


LIFE = ("register", "deregister", "storeAccountPreferences", "getAccountPreferences")
"""Operations whose cases walk through the life of one account, from none to none: all of them, or none."""


def some_of(cases: Iterable[Case[T]], expected: Iterable[str], party: str) -> list[Case[T]]:
    """Return the expected cases, a share of the others, and what any of these rests on; all in their order."""
    by_id = {case.id: case for case in cases}
    chosen, turn = {*expected, *(case.id for case in by_id.values() if case.group in LIFE)}, crc32(party.encode())
    chosen |= {name for place, name in enumerate(by_id) if (place + turn) % SHARE == 0}
    for name in reversed(by_id):  # what a case needs stands before it
        if name in chosen:
            chosen |= set(by_id[name].needs)
    return [case for name, case in by_id.items() if name in chosen]
