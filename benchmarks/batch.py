"""What `mm-soap send --batch` needs of memory, whatever the length of the file: ``python -m benchmarks.batch``.

The register and the dispatcher are stand-ins in this process that say yes to everything, as fast as Python can, and
remember what came; so what is measured is the client alone. The longest batch is killed in the middle and started
again, and nothing may be sent twice. One JSON object a line goes to standard output, progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console

from benchmarks.population import recipient
from benchmarks.suite import forget_environment
from mm_soap.clock import system_clock
from mm_soap.demonstration import KOMMUN_A, OPERATOR_ONE, SETTINGS_FILE, init_demo
from mm_soap.dispatcher import Status
from mm_soap.dispatcher.wire import distribute_secure_response, status_response
from mm_soap.errors import MmSoapError
from mm_soap.far.model import AccountStatus, Operator, Reachability
from mm_soap.recipient.wire import reachable_answer
from mm_soap.xml import SOAP_ENVELOPE

_ROWS = (1_000, 10_000, 100_000)
_GOAL_MB = 200
_LOOK_SECONDS = 0.05
_OPERATOR = Operator(OPERATOR_ONE.number, OPERATOR_ONE.name, "http://127.0.0.1:9/Service/v3", "")
_ID = re.compile(rb"<(?:\w+:)?recipientId>(\d{12})<")
_MESSAGE_ID = re.compile(rb"<Header><Id>([^<]+)</Id>")
_ENVELOPE = f'<s:Envelope xmlns:s="{SOAP_ENVELOPE}"><s:Body>%s</s:Body></s:Envelope>'.encode()


@dataclass
class Books:
    """What the stand-ins got."""

    documents: dict[bytes, bytes] = field(default_factory=dict)
    """The digest of the signed bytes, by message id."""
    calls: int = 0
    changed: int = 0
    """Messages that came a second time with other bytes: two messages to a real dispatcher."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, body: bytes) -> str:
        """Take a message, and return its distribution id: the same for the same bytes."""
        found = _MESSAGE_ID.search(body)
        assert found is not None
        digest = sha256(body).digest()[:16]
        with self.lock:
            self.calls += 1
            self.changed += self.documents.setdefault(found[1], digest) != digest
        return str(UUID(bytes=digest))


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    books: Books

    def handle_error(self, *_: Any) -> None:
        """A client that was killed is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = _ENVELOPE % _answer(self.server.books, body)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: {len(answer)}\r\n\r\n"
        self.wfile.write(head.encode() + answer)


def _answer(books: Books, body: bytes) -> bytes:
    if b"distributeSecure" in body:
        return distribute_secure_response(books.note(body))
    if b"checkDistributionStatus" in body:
        return status_response([Status(recipient(0), "Digital", "Delivered")])
    found = (AccountStatus(each.decode(), "Secure", False, _OPERATOR, None) for each in _ID.findall(body))
    return reachable_answer([Reachability(each, True, None) for each in found])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--rows", type=_numbers, default=_ROWS, help="of each batch, such as 1000,10000")
    parser.add_argument("--connections", type=int, default=8, help="messages sent at once (default: %(default)s)")
    parser.add_argument("--whole", action="store_true", help="kill no run")
    options = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False)
    forget_environment()
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="mm-soap-batch-") as made:
        folder = Path(made) / "demo"
        init_demo(folder, system_clock)
        settings = (folder / SETTINGS_FILE).read_text(encoding="utf-8")
        for number in options.rows:
            console.print(f"{number} rows …")
            books = Books()
            with _served(books) as url:
                theirs = f'[[sender]]\ndispatcher_url = "{url}"\nregister_url = "{url}"\n'
                (folder / SETTINGS_FILE).write_text(settings.replace("[[sender]]\n", theirs), encoding="utf-8")
                kill = not options.whole and number == max(options.rows)
                line = _run(folder, _file(folder, number), options.connections, books, kill)
            print(json.dumps(line), flush=True)
            worst = max(worst, line["peak_rss_mb"])
    console.print(f"At most {worst} MB; the goal is {_GOAL_MB}.")
    return 0 if worst <= _GOAL_MB else 1


@contextmanager
def _served(books: Books) -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.books = books
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _file(folder: Path, number: int) -> Path:
    file = folder / f"batch-{number}.jsonl"
    with file.open("w", encoding="utf-8") as rows:
        for place in range(number):
            row = {"recipient": recipient(place), "subject": f"Slutskatt {place}", "body": "Hej på dig. " * 150}
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
    return file


def _run(folder: Path, file: Path, connections: int, books: Books, kill: bool) -> dict[str, Any]:
    """Send a batch to its end, and return what is printed of it.

    Raises:
        MmSoapError: a message came not at all, or twice, or the client failed.
    """
    number = sum(1 for _ in file.open("rb"))
    command = [sys.executable, "-m", "mm_soap", "send", "--config", str(folder / SETTINGS_FILE), "--batch", str(file)]
    command += ["--sender", KOMMUN_A.number, "--connections", str(connections), "--json"]
    begun = time.perf_counter()
    peaks = []
    if kill:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            while client.poll() is None and len(books.documents) < number // 2:
                peaks.append(_peak_mb(client.pid))
                time.sleep(_LOOK_SECONDS)
            client.kill()
    at_the_kill = len(books.documents)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        while client.poll() is None:
            peaks.append(_peak_mb(client.pid))
            time.sleep(_LOOK_SECONDS)
        assert client.stdout is not None
        told = client.stdout.read()
    seconds = time.perf_counter() - begun
    if client.returncode:
        raise MmSoapError(f"The client ended with {client.returncode}.")
    delivered = json.loads(told)["delivered"]
    if books.changed or len(books.documents) != number or delivered != number:
        sent = f"{len(books.documents)} messages came, {books.changed} of them twice, and {delivered} are told of"
        raise MmSoapError(f"Of {number} rows {sent}.")
    return {
        "measure": "a batch",
        "rows": number,
        "peak_rss_mb": round(max(peaks), 1),
        "seconds": round(seconds, 1),
        "rows_per_s": round(number / seconds, 1),
        "killed_after": at_the_kill if kill else None,
        "sent_again_with_the_same_bytes": books.calls - number,
        "journal_mb": round(file.with_name(f"{file.name}.journal").stat().st_size / 1e6, 1),
        "machine_load": round(os.getloadavg()[0], 1),
    }


def _peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 / 1e6 if found else 0.0  # a process that has ended has none


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
