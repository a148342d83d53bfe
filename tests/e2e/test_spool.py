"""PostgreSQL goes away and comes back: what a party refused meanwhile is evidence once, with its exact bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mm_soap.storage import evidence_of, open_database, reading
from tests.e2e.postgresql import on_postgresql
from tests.e2e.suite import Demonstration, Fault, Server, call, get, mm_soap, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def parties(template: Path, tmp_path: Path, postgresql: str) -> Iterator[Demonstration]:
    """Parties on PostgreSQL, each in two processes, not served yet."""
    with on_postgresql(Demonstration.copy_of(template, tmp_path / "demo"), postgresql) as own:
        own.change("", workers=2)
        try:
            yield own
        finally:
            own.stop()


def stop_postgresql(start: Path) -> None:
    os.kill(int((start.parent / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def workers_of(server: Server) -> set[int]:
    assert server.process is not None
    pid = server.process.pid
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def refused(url: str, body: bytes) -> Fault:
    with pytest.raises(Fault) as raised:
        call(url, body, timeout=60)
    return raised.value


def verified(parties: Demonstration) -> Any:
    result = mm_soap("evidence", "verify", "--party", "dispatcher", "--config", parties.config, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["dispatcher"]


def test_what_was_refused_meanwhile_is_there_once(parties: Demonstration) -> None:
    start = Path(os.environ["MM_SOAP_TEST_POSTGRESQL_START"])
    url = parties.serve("far").url
    parties.change("dispatcher", register_url=url)
    server = parties.serve("dispatcher")
    spool = parties.folder / "data/spool/dispatcher"
    before = verified(parties)["linked"]
    stop_postgresql(start)
    bodies = [f"<not XML {number}".encode() + b"\r\n\0\xff" for number in range(200)]
    with ThreadPoolExecutor(8) as senders:
        faults = list(senders.map(lambda body: refused(f"{server.url}/Message/v3", body), bodies))
    assert {(fault.status, fault.code) for fault in faults} == {(500, 5001)}
    assert len(list(spool.glob("*.evidence"))) == len(bodies)
    status, told = get(f"{server.url}/readyz")
    assert status == 503
    assert "200 pieces of evidence of dispatcher wait" in told.decode()
    before_them = workers_of(server)
    for worker in before_them:
        os.kill(worker, signal.SIGKILL)
    until(lambda: len(workers_of(server) - before_them) == 2, 60, "new worker processes")
    subprocess.run([start], check=True, timeout=90)
    until(lambda: len(list(spool.glob("*.evidence"))) < len(bodies), 60, "a first one that was taken in")
    server.kill()
    server.start()
    until(lambda: not list(spool.glob("*.evidence")), 60, "an empty spool")
    whole = verified(parties)
    assert (whole["findings"], whole["linked"]) == ([], before + len(bodies) + 1)  # that it was verified
    settings = parties.config.read_text()
    target = settings.partition("[dispatcher]")[2].partition('database = "')[2].partition('"')[0]
    database = open_database(target)
    with reading(database) as connection:
        for fault, body in zip(faults, bodies, strict=True):
            (one,) = evidence_of(connection, fault.call_id)
            assert (one.content, one.verdict) == (body, "MALFORMED_XML")
    database.dispose()
