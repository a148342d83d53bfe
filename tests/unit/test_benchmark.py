"""The benchmark, run as a person runs it, with few messages."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mm_soap.errors import MmSoapError
from mm_soap.message.identifiers import is_coordination, valid_check_digit

REPOSITORY = Path(__file__).parents[2]
KEYS = [
    "bytes",
    "messages_per_s",
    "accept_ms_p50",
    "accept_ms_p99",
    "delivered_ms_p50",
    "cpu_ms_per_message",
    "floor_cpu_ms",
    "ratio",
]


RATE_SECONDS = int(os.environ.get("MM_SOAP_TEST_RATE_SECONDS", "8"))
"""For how long 50 messages of 100 kB a second are sent; set the variable to 1800 for half an hour."""
GROWTH = 1.25 if RATE_SECONDS >= 60 else 1.6
"""By how much a party's memory may grow after it has warmed up. The messages would fill it many times over. In a short
run on a busy machine the messages that wait for a while are a part of it."""


def run(*arguments: str, module: str = "benchmarks", seconds: float = 110) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


@pytest.mark.slow
def test_deliveries_are_measured_while_people_read() -> None:
    few = ("--readers", "3", "--messages", "4", "--seconds", "2", "--warm-up", "0.5")
    pauses = ("--shortest-pause", "0.05", "--longest-pause", "0.1")

    done = run(*few, *pauses, module="benchmarks.readers")

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["readers"], one["number"]) for one in lines if one["what"] == "deliverSecure"] == [
        (0, 20),
        (3, 20),
        (0, 20),
    ]
    assert {one["what"] for one in lines if one["readers"]} >= {"page: list", "page: message", "all"}
    assert all(one["p50"] <= one["p99"] <= one["worst"] for one in lines if one.get("number"))


@pytest.mark.slow
def test_one_size_is_measured_and_every_message_is_delivered_once(tmp_path: Path) -> None:
    done = run("--sizes", "2000", "--messages", "20", "--warm-up", "4", "--folder", str(tmp_path))

    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    measured = json.loads(line)
    assert list(measured) == KEYS
    assert measured["bytes"] == 2000
    assert all(value > 0 for value in measured.values())
    # 4 + 4 to warm up, 20 measured.
    assert "All 28 messages were delivered exactly once." in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_memory_is_shown_for_each_party(tmp_path: Path) -> None:
    done = run("--soak", "30", "--folder", str(tmp_path))

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["party"] for line in lines] == ["far", "dispatcher", "operator"]
    assert all(line["measure"] == "memory" and line["messages"] == 27 for line in lines)
    assert all(10 < line["rss_mb_start"] <= line["rss_mb_max"] for line in lines)


@pytest.mark.slow
@pytest.mark.timeout(200 + 10 * RATE_SECONDS)
def test_nothing_of_fifty_large_messages_a_second_is_lost_and_memory_stays(tmp_path: Path) -> None:
    """On a slow machine they take longer, and wait in the queue meanwhile."""
    rate = ("--rate", "50", "--seconds", str(RATE_SECONDS), "--sizes", "100000")
    done = run(*rate, "--folder", str(tmp_path), seconds=180 + 10 * RATE_SECONDS)

    assert done.returncode == 0, done.stderr
    held, *memory = (json.loads(line) for line in done.stdout.splitlines())
    assert (held["messages"], held["bytes"], held["wanted_per_s"]) == (50 * RATE_SECONDS, 100_000, 50.0)
    assert [line["party"] for line in memory] == ["far", "dispatcher", "operator"]
    assert f"All {50 * RATE_SECONDS} messages were delivered exactly once." in done.stderr
    for line in memory:
        assert line["rss_mb_end"] <= GROWTH * line["rss_mb_start"], line


@pytest.mark.slow
def test_calls_are_timed_behind_a_queue_and_every_message_is_kept(tmp_path: Path) -> None:
    done = run("--queue", "20", "--calls", "10", "--folder", str(tmp_path))

    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert (measured["queued"], measured["calls"]) == (20, 10)
    assert 0 < measured["accept_ms_p50"] <= measured["accept_ms_p99"] <= measured["accept_ms_max"]
    assert "All 30 messages are kept." in done.stderr


@pytest.mark.slow
def test_on_postgresql_its_own_processor_time_is_told_apart(tmp_path: Path, postgresql: str) -> None:
    done = run(
        *("--sizes", "2000", "--messages", "20", "--warm-up", "4", "--folder", str(tmp_path)),
        *("--database", postgresql),
    )

    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert list(measured) == [*KEYS, "database_cpu_ms"]
    assert "All 28 messages were delivered exactly once." in done.stderr


@pytest.mark.parametrize(
    ("stored", "complaint"),
    [
        (["a", "b"], None),
        (["a"], "1 are not in the mailbox and 0 are there twice"),
        (["a", "b", "b"], "0 are not in the mailbox and 1 are there twice"),
        (["a", "b", "c"], "2 messages were sent"),
    ],
)
def test_what_is_not_there_exactly_once_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: list[str], complaint: str | None
) -> None:
    monkeypatch.syspath_prepend(REPOSITORY)
    from benchmarks.chain import Chain
    from benchmarks.suite import Suite

    from mm_soap.config import Settings

    file = tmp_path / "operator.sqlite3"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE message (message_id TEXT)")
        database.executemany("INSERT INTO message VALUES (?)", [(one,) for one in stored])
    with closing(
        Chain(Suite(Settings(), "http://127.0.0.1:1/Message/v3", "http://127.0.0.1:1", file, file, {}, file), 1)
    ) as chain:
        chain.sent = ["a", "b"]
        if complaint is None:
            chain.verify()
            return
        with pytest.raises(MmSoapError, match=complaint):
            chain.verify()


def test_a_size_that_is_no_number_is_refused() -> None:
    done = run("--sizes", "2k")

    assert done.returncode == 2
    assert "--sizes" in done.stderr


def test_the_floor_refuses_a_changed_signature_and_a_request_that_breaks_the_schema(tmp_path: Path) -> None:
    # In a process of its own: libxmlsec1 is for benchmarks alone, and stays out of the process of the other tests.
    code = """
import sys
from contextlib import closing
from pathlib import Path
import xmlsec
from benchmarks.floor import Floor
from benchmarks.messages import Writer
from benchmarks.suite import forget_environment
from mm_soap.seeding import seed
from mm_soap.clock import system_clock
from mm_soap.demonstration import init_demo
from mm_soap.errors import Refused

folder = Path(sys.argv[1])
forget_environment()
settings = init_demo(folder, system_clock, seed)
writer = Writer(settings.sender[0])
floor = Floor(writer.identity, writer.identity, folder)
document = writer.write(2000).document
floor.deliver(document)
for changed, expected in ((b"Benchmark<", xmlsec.Error), (b"Subject>", Refused)):
    try:
        floor.deliver(document.replace(changed, changed.replace(b"b", b"d").replace(b"m", b"n")))
    except expected:
        print("refused")
floor.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "demo")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["refused", "refused"], done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_register_is_made_measured_and_used_again(tmp_path: Path) -> None:
    options = ["--accounts", "5000", "--batches", "1", "--clients", "2", "--keep", str(tmp_path)]
    done = run(*options, module="benchmarks.register")

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["measure"].partition(",")[0] for line in lines] == [
        "import",
        "database",
        "isReachable cpu p50",
        "isReachable wall p50",
        "isReachable wall p99",
        "memory of the serving process",
    ]
    assert all(list(line) == ["measure", "value", "unit", "floor", "ratio"] for line in lines)
    assert all(line["value"] > 0 and line["floor"] > 0 for line in lines)

    done = run(*options, module="benchmarks.register")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr
    done = run("--accounts", "4999", *options[2:], module="benchmarks.register")
    assert done.returncode == 1
    assert "holds another register" in done.stderr


def test_the_accounts_of_the_benchmark_are_right_and_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPOSITORY)
    from benchmarks import population

    number = 33_000  # more than there are dates
    rows = "".join(population.account_rows(number)).splitlines()
    recipients = [row.split(",")[0] for row in rows]
    assert recipients == [population.recipient(place) for place in range(number)]
    assert len(set(recipients)) == number
    assert all(is_coordination(one) and valid_check_digit(one) and one[:2] == "18" for one in recipients)
    asked = set(population.ids_to_ask(random.Random(1), number, 1000, 330))
    assert 0.8 < len(asked & set(recipients)) / len(asked) < 0.95
