"""The same search where workers deliver and PostgreSQL keeps: its own log is searched too.

It starts a RabbitMQ of its own where none is named.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mm_soap.demonstration import OPERATOR_ONE, RECIPIENT, RECIPIENT_AT_TWO
from mm_soap.message import Message
from mm_soap.testing.documents import one_page_pdf
from tests.e2e.privacy import (
    BODY,
    FILE,
    SUBJECT,
    TellingServer,
    TellingWorker,
    Watch,
    found_in,
    numbers_in,
    walk_the_inbox,
)
from tests.e2e.scaled_out import scaled_out
from tests.e2e.suite import (
    Demonstration,
    a_message,
    distribute,
    enveloped,
    final_status,
    get,
    letter,
    mm_soap,
    post,
    until,
)
from tests.e2e.telling_server import AT_HAND_OVER, AT_OPERATOR
from tests.integration.register import world

pytestmark = [pytest.mark.slow, pytest.mark.needs_program("rabbitmq-server")]

SCRIPT = Path(__file__).parents[1] / "rabbitmq.sh"
LOG = os.environ.get("MM_SOAP_TEST_POSTGRESQL_LOG")
"""Where PostgreSQL writes its log; tests/postgresql.sh knows. Without it that log is not searched."""


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[str]:
    """The address of a RabbitMQ."""
    named = os.environ.get("MM_SOAP_TEST_RABBITMQ")
    if named:
        yield named
        return
    # It ends when its standard input does.
    command = [str(SCRIPT), "sh", "-c", 'echo "$MM_SOAP_TEST_RABBITMQ"; cat']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


@pytest.fixture
def scene(
    fresh: Demonstration, tmp_path: Path, rabbitmq: str, postgresql: str
) -> Iterator[tuple[Demonstration, TellingServer, TellingWorker, Path]]:
    """A server and a worker that tell all they can, and the folder for their temporary files."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with scaled_out(fresh, rabbitmq, postgresql):
        fresh.change("dispatcher.policy", retry_first=600, retry_longest=900)
        server = TellingServer(fresh.config, environment={"TMPDIR": str(temporary)})
        worker = TellingWorker(fresh.config, environment={"TMPDIR": str(temporary), "MM_SOAP_PORT": str(server.port)})
        fresh.servers += [server, worker]
        server.start()
        worker.start()
        yield fresh, server, worker, temporary


def send(own: Demonstration, url: str, message: Message, recipient: str) -> str:
    return distribute(url, own.signed(letter(recipient, message)))


@pytest.mark.timeout(300)
def test_workers_and_postgresql_write_nothing_personal(
    scene: tuple[Demonstration, TellingServer, TellingWorker, Path],
) -> None:
    own, server, worker, temporary = scene
    written_before = Path(LOG).stat().st_size if LOG else 0
    watch, url = Watch(), server.url
    pdf = (f"{FILE}.pdf", "application/pdf", one_page_pdf(SUBJECT, BODY))
    message = a_message(SUBJECT, BODY, attachments=[pdf])
    for recipient in (RECIPIENT, RECIPIENT_AT_TWO):
        assert final_status(url, send(own, url, message, recipient))[1] == "Delivered"
    for word in (AT_OPERATOR, AT_HAND_OVER):
        send(own, url, a_message(f"{SUBJECT} {word}", BODY, attachments=[pdf]), RECIPIENT)
    walk_the_inbox(url, watch)
    # The second breaks keys of the register, with personal numbers in them.
    operator = world.Operator(OPERATOR_ONE.number, OPERATOR_ONE.name, "", "")
    for _ in range(2):
        post(f"{url}/Recipient/v3", enveloped(world.register(world.NEW_NUMBER, operator)))
        given = mm_soap(
            "far", "consents", "give", RECIPIENT, RECIPIENT_AT_TWO, "--kind", "read", "--config", own.config
        )
    assert given.returncode == 1, "it was there already"
    watch.answers += [given.stderr.encode(), get(f"{url}/metrics")[1]]
    assert server.process is not None
    assert worker.process is not None
    watch.look_at([server.process.pid, worker.process.pid, *server.workers(), *worker.workers()])
    until(lambda: "An attempt ended in ValueError" in worker.output(), 40, "the error in the hand-over")
    own.stop()

    log = Path(LOG).read_bytes()[written_before:] if LOG else b""
    for content in (server.output().encode(), worker.output().encode(), log, *watch.answers, *watch.processes):
        assert found_in(content) == [], content
        assert numbers_in(content) == [], content
    assert b" DEBUG " in worker.output().encode()
    assert [path for path in temporary.rglob("*") if path.is_file()] == []
