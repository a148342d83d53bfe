"""What the tests of the kit share: a demonstration, and plans for its parties."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_soap.clock import system_clock
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
