"""Deliveries while many read: ``python -m benchmarks.readers``.

The demonstration's register, dispatcher and first operator serve as processes of their own, with the settings that a
demonstration has. People sign in at the test identity provider, and each has a mailbox with messages. Sealed deliveries
go to the operator at a steady rate, first while nobody reads, then while all do, and again while nobody does: the
machine may change meanwhile. A delivery's time is from the moment when it was due until the dispatcher, as which this
program calls, has its answer; one that had to wait for those before it counts with that wait.

How a person reads, with a pause of one to five seconds before whatever comes next: a list, of ten times once what a
word finds and up to twice older messages; then a message of it, where every third is HTML, whose frame the browser asks
for at once; then, of ten times four, its attachment. So slow is a person who looks at a page for a moment and goes on;
who really reads takes minutes, so 200 such readers stand for some thousands who are signed in.

One JSON object a line goes to standard output, times in milliseconds; progress to standard error. ``load`` is the load
average of the machine at the end: on one that does other things too, compare the lines with each other.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from rich.console import Console

from benchmarks import population, processes
from benchmarks.chain import percentile
from benchmarks.filling import fill, written
from benchmarks.messages import Writer
from benchmarks.person import Person
from benchmarks.suite import Suite, serving
from mm_soap.bootstrap import databases, mailbox_services
from mm_soap.clock import system_clock
from mm_soap.config import Settings
from mm_soap.contract import ports
from mm_soap.demonstration import KOMMUN_A, OPERATOR_ONE
from mm_soap.dispatcher.wire import DELIVER_SECURE_RESPONSE, deliver_secure_request, read_delivery_result
from mm_soap.dsig import seal_for
from mm_soap.errors import MmSoapError
from mm_soap.far import Account, Register
from mm_soap.message import Message
from mm_soap.pki import Identity
from mm_soap.service_supplier import Inbox
from mm_soap.soap import SoapClient
from mm_soap.testing.e_identification import EIdentificationIssuer

_SIZES = (2000, 100_000)
_EVERY_LARGE = 10
"""Of so many deliveries, one is of the larger size."""
_CALLERS = 16
_TIMEOUT = 60
_SIGN_IN_AT_ONCE = 4
_console = Console(stderr=True)


@dataclass(frozen=True)
class _Delivery:
    size: int
    recipient: str
    request: bytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    options = _parser().parse_args(arguments)
    people = [population.recipient(place) for place in range(options.readers)]

    def prepare(settings: Settings) -> None:
        _prepare(settings, people, options.messages)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mm-soap-readers-")))
        suite = stack.enter_context(serving(folder, postgresql=options.database, prepare=prepare))
        client = stack.enter_context(closing(_client(suite)))
        pauses = (options.shortest_pause, options.longest_pause)
        readers = [Person(suite.operator_url, one, random.Random(one), pauses) for one in people]
        for reader in readers:
            stack.callback(reader.close)
        _console.print(f"{len(readers)} people sign in; the operator is process {suite.pids['operator']}")
        with ThreadPoolExecutor(_SIGN_IN_AT_ONCE) as pool:
            list(pool.map(Person.sign_in, readers))
        run = _Run(suite, client, people, options.rate)
        run.measure([], options.warm_up)
        for reading in ([], readers, []):
            _console.print(f"{options.seconds} seconds with {len(reading)} readers")
            for line in run.measure(reading, options.seconds):
                print(json.dumps(line), flush=True)
    return 0


def _prepare(settings: Settings, people: Sequence[str], messages: int) -> None:
    """Give people an e-identification, an account, and a mailbox with messages."""
    _console.print(f"{len(people)} mailboxes get {messages} messages each")
    assert settings.test_idp is not None
    issuer = EIdentificationIssuer(system_clock)
    known = [issuer.person(one, f"Läsare {one}", elliptic=SECP256R1()) for one in people]
    issuer.write(settings.test_idp.persons, known)
    opened = databases(settings)
    service = mailbox_services(settings)[0]  # of OPERATOR_ONE, which the suite serves
    Register(opened["far"]).add_accounts([Account(one, OPERATOR_ONE.number) for one in people])
    service.open_mailboxes(people)
    some = random.Random(7)

    def filled() -> Iterator[tuple[str, Message]]:
        for number in range(messages * len(people)):
            yield people[number % len(people)], written(some, number, 110, html=number % 3 == 0)

    fill(Inbox(service.database, service.contents, system_clock), filled(), system_clock())
    for engine in (*opened.values(), service.database):
        engine.dispose()


def _client(suite: Suite) -> SoapClient:
    return SoapClient(suite.operator_url + ports()["service"].path, timeout=_TIMEOUT, pool=_CALLERS)


class _Run:
    """Measures one time after another.

    Args:
        suite: the parties.
        client: calls the operator.
        people: who gets deliveries, in turn.
        rate: how many a second.
    """

    def __init__(self, suite: Suite, client: SoapClient, people: Sequence[str], rate: float) -> None:
        dispatcher = suite.settings.dispatcher
        assert dispatcher is not None
        self._operator = suite.pids["operator"]
        self._client = client
        self._people = people
        self._rate = rate
        self._sealer = Identity.load(dispatcher.certificate, dispatcher.key)
        self._writer = Writer(next(one for one in suite.settings.sender if one.organisation == KOMMUN_A.number))
        self._lock = threading.Lock()

    def measure(self, readers: Sequence[Person], seconds: float) -> list[dict[str, Any]]:
        """Deliver for some seconds while some read, and return what is printed: deliveries, pages, processor time."""
        deliveries = self._write(round(self._rate * seconds))
        pages: dict[str, list[float]] = defaultdict(list)

        def seen(what: str, ms: float) -> None:
            with self._lock:
                pages[what].append(ms)

        over = threading.Event()
        with ThreadPoolExecutor(max(1, len(readers))) as pool:
            reading = [pool.submit(reader.read, over, seen) for reader in readers]
            try:
                if readers:
                    time.sleep(1)  # the first of them have begun
                used, own, begun = processes.cpu_ms(self._operator), time.process_time(), time.perf_counter()
                before = {what: len(times) for what, times in pages.items()}
                took = self._deliver(deliveries)
                lasted = time.perf_counter() - begun
                used, own = processes.cpu_ms(self._operator) - used, time.process_time() - own
            finally:
                over.set()
            counted = {what: times[before.get(what, 0) :] for what, times in pages.items()}
            for one in reading:
                one.result()
        same = {"readers": len(readers), "load": round(os.getloadavg()[0], 1)}
        return [
            *({"what": f"deliverSecure, {size} bytes", **_told(took[size]), **same} for size in _SIZES),
            {"what": "deliverSecure", **_told([ms for size in _SIZES for ms in took[size]]), **same},
            *({"what": f"page: {what}", **_told(times), **same} for what, times in sorted(counted.items())),
            {
                "what": "all",
                "seconds": round(lasted, 1),
                "pages_per_s": round(sum(map(len, counted.values())) / lasted, 1),
                "deliveries_per_s": round(len(deliveries) / lasted, 1),
                "operator_cpu_share": round(used / 1e3 / lasted, 3),
                "load_generator_cpu_share": round(own / lasted, 3),
                **same,
            },
        ]

    def _write(self, number: int) -> list[_Delivery]:
        found = []
        for place in range(number):
            size, recipient = _SIZES[place % _EVERY_LARGE == 0], self._people[place % len(self._people)]
            document = self._writer.write(size, recipient).document
            seal = seal_for(document, self._sealer, system_clock().date())
            found.append(_Delivery(size, recipient, deliver_secure_request(document, seal)))
        return found

    def _deliver(self, deliveries: Sequence[_Delivery]) -> dict[int, list[float]]:
        begun = time.perf_counter()
        took: dict[int, list[float]] = {size: [] for size in _SIZES}

        def one(place: int, delivery: _Delivery) -> None:
            due = begun + place / self._rate
            time.sleep(max(0.0, due - time.perf_counter()))
            answer = self._client.call(delivery.request, expected=DELIVER_SECURE_RESPONSE)
            ms = (time.perf_counter() - due) * 1e3
            if read_delivery_result(answer, delivery.recipient)[1] is not True:
                raise MmSoapError("A delivery was refused.")
            with self._lock:
                took[delivery.size].append(ms)

        with ThreadPoolExecutor(_CALLERS) as pool:
            for done in [pool.submit(one, *each) for each in enumerate(deliveries)]:
                done.result()
        return took


def _told(times: Sequence[float]) -> dict[str, Any]:
    if not times:
        return {"number": 0}
    return {
        "number": len(times),
        "p50": round(percentile(times, 50), 1),
        "p99": round(percentile(times, 99), 1),
        "worst": round(max(times), 1),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=__doc__)
    parser.add_argument("--readers", type=int, default=200, help="how many people (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=100, help="in each mailbox (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=10, help="deliveries a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="of each part (default: %(default)s)")
    parser.add_argument("--warm-up", type=float, default=5, help="seconds of deliveries before (default: %(default)s)")
    parser.add_argument("--shortest-pause", type=float, default=1, help="in seconds (default: %(default)s)")
    parser.add_argument("--longest-pause", type=float, default=5, help="in seconds (default: %(default)s)")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL database on this machine, in place of SQLite")
    return parser


if __name__ == "__main__":
    sys.exit(main())
