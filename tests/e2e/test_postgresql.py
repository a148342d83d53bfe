"""All parties with their databases in PostgreSQL: what was accepted arrives once, over a crash and lost connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import make_url

from mm_soap.config import load
from mm_soap.demonstration import KOMMUN_B, RECIPIENT, RECIPIENT_AT_TWO, RECIPIENT_WITHOUT_B
from tests.e2e.postgresql import on_postgresql
from tests.e2e.suite import Demonstration, a_message, distribute, final_status, letter, mm_soap, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demonstration(fresh_for_module: Demonstration, postgresql: str) -> Iterator[Demonstration]:
    with on_postgresql(fresh_for_module, postgresql) as moved:
        moved.change("", workers=2)
        moved.serve()
        yield moved


def send(demonstration: Demonstration, *recipients: str) -> dict[str, str]:
    """Send a message to each recipient; return its id by the distribution's."""
    sent = {}
    for recipient in recipients:
        message = a_message()
        signed = demonstration.signed(letter(recipient, message))
        sent[distribute(demonstration.servers[0].url, signed)] = message.id
    return sent


def test_messages_arrive(demonstration: Demonstration) -> None:
    url = demonstration.servers[0].url
    for recipient in (RECIPIENT, RECIPIENT_AT_TWO):
        ((distribution, message),) = send(demonstration, recipient).items()
        assert final_status(url, distribution) == ("Digital", "Delivered")
        assert demonstration.count_in_mailbox(message, recipient) == 1
    refused = demonstration.signed(letter(RECIPIENT_WITHOUT_B, sender=KOMMUN_B))
    assert final_status(url, distribute(url, refused), KOMMUN_B) == ("Paper", None)


def test_no_file_is_made_beside_it(demonstration: Demonstration) -> None:
    data = demonstration.folder / "data"
    assert [file.name for file in data.iterdir() if file.name.endswith((".engine", "-wal"))] == []


def test_commands_find_it(demonstration: Demonstration) -> None:
    ((distribution, message),) = send(demonstration, RECIPIENT).items()
    final_status(demonstration.servers[0].url, distribution)
    assert {step["kind"] for step in demonstration.trace(distribution)} >= {"look-up", "hand-over"}
    listed = mm_soap("mailbox", "list", RECIPIENT, "--config", demonstration.config, "--json")
    assert message in {each["message_id"] for each in json.loads(listed.stdout)}
    senders = mm_soap("far", "sender", "list", "--config", demonstration.config, "--json")
    assert senders.returncode == 0, senders.stderr
    assert len(json.loads(senders.stdout)) == 2


def test_what_was_accepted_survives_killed_workers(demonstration: Demonstration) -> None:
    sent = send(demonstration, *[RECIPIENT] * 10)
    demonstration.servers[0].kill_workers()
    for distribution, message in sent.items():
        assert final_status(demonstration.servers[0].url, distribution) == ("Digital", "Delivered")
        assert demonstration.count_in_mailbox(message) == 1


def test_the_engine_goes_on_after_it_lost_its_connections(demonstration: Demonstration, postgresql: str) -> None:
    settings = load(demonstration.config).dispatcher
    assert settings is not None
    mine = {"mine": make_url(settings.database).query["application_name"]}
    lose = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %(mine)s"
    locks = (
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND application_name = %(mine)s"
    )
    with closing(psycopg.connect(postgresql, autocommit=True)) as administrator:
        assert administrator.execute(locks, mine).fetchone() == (1,)
        administrator.execute(lose, mine)
        for distribution in send(demonstration, RECIPIENT, RECIPIENT_AT_TWO):
            assert final_status(demonstration.servers[0].url, distribution) == ("Digital", "Delivered")
        until(lambda: administrator.execute(locks, mine).fetchone() == (1,), 10, "an engine that holds the lock")
