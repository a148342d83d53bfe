"""Who may send, for how long after the register has changed its mind or gone away, and how much."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from mm_soap.demonstration import DISPATCHER, KOMMUN_A, KOMMUN_B, RECIPIENT, DemoOrganisation
from mm_soap.dsig import seal_for, sealed_document
from tests.e2e.suite import Demonstration, Fault, deliver, distribute, final_status, letter, mm_soap, until

AGE = {"party_cache": 1.0}


def sealed(own: Demonstration, sealer: DemoOrganisation) -> bytes:
    document = own.signed(letter())
    return sealed_document(document, seal_for(document, own.identity(sealer), datetime.now(UTC).date()))


def code_of(own: Demonstration, url: str, sender: DemoOrganisation = KOMMUN_A) -> int:
    """Return the ErrorCode that a new message gets; 0 for none."""
    try:
        distribute(url, own.signed(letter(sender=sender)))
    except Fault as fault:
        return fault.code
    return 0


def code_at_operator(own: Demonstration, url: str) -> int:
    try:
        deliver(url, sealed(own, DISPATCHER))
    except Fault as fault:
        return fault.code
    return 0


def test_a_dispatcher_that_is_no_longer_listed_is_refused_everywhere(fresh: Demonstration) -> None:
    for table in ("dispatcher", "operator"):
        fresh.change(table, **AGE)
    url = fresh.serve().url
    assert (code_of(fresh, url), code_at_operator(fresh, url)) == (0, 0)
    to_one = ("far", "dispatcher", "change", DISPATCHER.number, "--config", fresh.config)
    assert mm_soap(*to_one, "--remove-sender", KOMMUN_A.number).returncode == 0
    changed = time.monotonic()
    until(lambda: (code_of(fresh, url), code_at_operator(fresh, url)) == (5002, 5002), 10, "both to refuse", 0.2)
    assert time.monotonic() - changed < 8
    assert code_of(fresh, url, KOMMUN_B) == 0  # it is still listed for the other
    assert mm_soap(*to_one, "--add-sender", KOMMUN_A.number).returncode == 0
    until(lambda: (code_of(fresh, url), code_at_operator(fresh, url)) == (0, 0), 10, "both to accept", 0.2)


@pytest.mark.slow
def test_old_lists_serve_for_a_while_when_the_register_is_away_and_not_for_ever(fresh: Demonstration) -> None:
    for table in ("dispatcher", "operator"):
        fresh.change(table, **AGE, party_grace=6.0)
    servers = fresh.serve_apart()
    url, operator = servers["dispatcher"].url, servers["operator"].url
    assert (code_of(fresh, url), code_at_operator(fresh, operator)) == (0, 0)
    servers["far"].kill()
    gone = time.monotonic()
    # In the middle between the age and the end of the grace.
    until(lambda: time.monotonic() - gone > 2.5, 10, "the lists to be old")
    assert (code_of(fresh, url), code_at_operator(fresh, operator)) == (0, 0)
    until(lambda: (code_of(fresh, url), code_at_operator(fresh, operator)) == (4000, 4000), 20, "the grace to end", 0.3)
    assert time.monotonic() - gone >= 5
    servers["far"].start()
    until(lambda: (code_of(fresh, url), code_at_operator(fresh, operator)) == (0, 0), 10, "both to accept", 0.2)


def test_messages_a_second_in_two_processes(fresh: Demonstration) -> None:
    """One message an hour, and ten at once: shared by all processes, and still used after a restart."""
    limits = '[dispatcher.limits]\nburst = 1\nmessages_per_second = 0\n[[dispatcher.sender_limits]]\nsender = "{}"\n'
    with fresh.config.open("a") as file:
        file.write(limits.format(KOMMUN_A.number) + "burst = 10\nmessages_per_second = 0.0003\n")
    server = fresh.serve(MM_SOAP_WORKERS="2")
    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(lambda _: code_of(fresh, server.url), range(30)))
    assert codes == [0] * 10 + [4000] * 20
    assert {code_of(fresh, server.url, KOMMUN_B) for _ in range(5)} == {0}
    server.stop()
    server.start()
    assert code_of(fresh, server.url) == 4000


def test_bytes_a_day_in_two_processes(fresh: Demonstration) -> None:
    documents = [fresh.signed(letter()) for _ in range(12)]
    size = max(map(len, documents))
    with fresh.config.open("a") as file:
        file.write(f"[dispatcher.limits]\nbytes_per_day = {5 * size + size // 2}\n")
    server = fresh.serve(MM_SOAP_WORKERS="2")

    def sent(document: bytes) -> Fault | str:
        try:
            return distribute(server.url, document)
        except Fault as fault:
            return fault

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(sent, documents))
    accepted = {index: each for index, each in enumerate(answers) if isinstance(each, str)}
    faults = [each for each in answers if isinstance(each, Fault)]
    assert len(accepted) == 5
    assert {fault.code for fault in faults} == {4000}
    assert "midnight UTC" in faults[0].description
    assert RECIPIENT not in faults[0].description
    index, distribution = next(iter(accepted.items()))
    assert sent(documents[index]) == distribution  # the same bytes are not counted again
    assert final_status(server.url, distribution) == ("Digital", "Delivered")
