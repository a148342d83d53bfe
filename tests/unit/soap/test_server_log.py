"""gunicorn's own log: what it may say, and what not."""

from __future__ import annotations

import logging

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from mm_soap.soap.server_log import ServerLog


def test_only_lines_of_processes_and_places_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    config = Config()
    config.set("loglevel", "critical")
    log = ServerLog(config)
    sent = "199001010009"
    with caplog.at_level(logging.DEBUG):
        for say in (log.warning, log.error, log.critical, log.info, log.debug):
            say("Invalid request from ip=%s: %s", "127.0.0.1", sent)
        log.error("Worker (pid:%s) exited with code %s.", 17, 255)
        try:
            raise KeyError(sent)
        except KeyError:
            log.exception("Error handling request %s", sent)
    assert sent not in caplog.text
    of_process, unexpected = (record.getMessage() for record in caplog.records)
    assert of_process == "Worker (pid:17) exited with code 255."
    assert unexpected.startswith(f"unexpected in the server: KeyError at {__file__}:")
