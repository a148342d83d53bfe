"""Captured requests over HTTP: sent again, after a restart, and to another operator."""

from __future__ import annotations

from typing import Any

from mm_soap.config import load
from mm_soap.demonstration import KOMMUN_A, KOMMUN_B, OPERATOR_TWO, RECIPIENT
from mm_soap.storage import evidence_of, open_database, reading
from tests.e2e.suite import Demonstration, Fault, a_message, call, distribute, final_status, letter, status


def steps(demonstration: Demonstration, wanted: str) -> list[dict[str, Any]]:
    return [step for step in demonstration.trace(wanted) if step["outcome"] == "answered as the first time"]


def captured(demonstration: Demonstration, message_id: str) -> bytes:
    """The deliverSecure that the dispatcher sent, from the operator's evidence."""
    (stored,) = [step for step in demonstration.trace(message_id) if step["outcome"] == "stored"]
    database = open_database(load(demonstration.config).operator[0].database)
    with reading(database) as connection:
        (evidence,) = evidence_of(connection, str(stored["call_id"]))
    database.dispose()
    return evidence.content


def test_a_captured_request_does_no_harm(fresh: Demonstration) -> None:
    server = fresh.serve()
    message = a_message("Fångad")
    signed = fresh.signed(letter(RECIPIENT, message))
    first = distribute(server.url, signed)
    assert final_status(server.url, first) == ("Digital", "Delivered")
    sealed = captured(fresh, message.id)
    answer = call(f"{server.url}/Service/v3", sealed)[0]

    server.stop()
    server.start()
    assert distribute(server.url, signed) == first
    again = call(f"{server.url}/Service/v3", sealed)[0]
    assert again.findtext("{*}TransId") == answer.findtext("{*}TransId")
    other = call(f"{server.url}{OPERATOR_TWO.path}/Service/v3", sealed)[0]
    assert other.findtext(".//{*}Delivered") == "false"
    assert fresh.count_in_mailbox(message.id) == 1

    told = steps(fresh, message.id)
    assert {step["party"] for step in told} == {"dispatcher", "operator:165599999918"}
    assert len(told) == 3
    assert {step["detail"]["repetition"] for step in told} == {"retry"}

    try:
        status(server.url, first, KOMMUN_B)
    except Fault as fault:
        assert fault.code == 5003  # noqa: PT017
    else:
        raise AssertionError("another sender was told of it")
    assert status(server.url, first, KOMMUN_A) == ("Digital", "Delivered")
