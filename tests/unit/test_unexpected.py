"""Errors that nobody expected: what the log says, and what they do not end."""

from __future__ import annotations

import logging
import threading

import pytest

from mm_soap.errors import ConfigurationError
from mm_soap.unexpected import Repeated, guarded, places

_log = logging.getLogger("mm_soap.test")
SECRET = "199001010009"


def fail_because(error: Exception) -> None:
    try:
        fail(error)
    except type(error) as cause:
        raise KeyError(SECRET) from cause


def fail(error: Exception) -> None:
    try:
        raise LookupError(SECRET)
    except LookupError:
        raise error from None


def test_places_are_told_and_no_texts() -> None:
    with pytest.raises(KeyError) as caught:
        fail_because(ValueError(SECRET))
    told = places(caught.value)
    assert SECRET not in told
    assert "\n" not in told
    assert told.startswith("KeyError at ")
    assert "; because of ValueError at " in told
    assert f"{__file__}:" in told
    assert told.endswith("fail; because of LookupError at " + told.rpartition("LookupError at ")[2])


@pytest.mark.parametrize(
    ("error", "said"),
    [(ConfigurationError("The file is not there."), "The work waits: The file is not there."), (KeyError(SECRET), "")],
)
def test_an_error_is_told_and_goes_no_further(caplog: pytest.LogCaptureFixture, error: Exception, said: str) -> None:
    assert not guarded(lambda: fail(error), _log, "The work")
    (record,) = caplog.records
    assert record.getMessage() == said or record.getMessage().startswith("The work waits after KeyError at ")
    assert SECRET not in caplog.text
    assert guarded(lambda: None, _log, "The work")


def test_no_error_ends_repeated_work(caplog: pytest.LogCaptureFixture) -> None:
    turns, twice = [], threading.Event()

    def turn() -> float:
        turns.append(threading.current_thread().name)
        if len(turns) == 2:
            twice.set()
            return 3600
        raise ZeroDivisionError(SECRET)

    work = Repeated("worker", turn, _log, "The work", pause=0.0)
    work.start()
    assert twice.wait(10)
    assert not work.stopping
    work.stop()
    assert work.stopping
    assert turns == ["worker", "worker"]
    assert "The work waits after ZeroDivisionError" in caplog.text
    assert SECRET not in caplog.text


def test_it_can_be_stopped_before_it_began_and_started_again() -> None:
    turned = threading.Event()
    work = Repeated("worker", lambda: turned.set() or 3600.0, _log, "The work", pause=0.0)
    work.stop()
    work.start()
    assert turned.wait(10)
    work.stop()
