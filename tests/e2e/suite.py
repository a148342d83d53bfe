"""A demonstration served by processes of its own, and the ways to speak with it from outside."""

from __future__ import annotations

import atexit
import fcntl
import http.client
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, TextIO
from urllib.parse import urlsplit

from lxml import etree

from mm_soap.bootstrap import mailbox_services
from mm_soap.config import load
from mm_soap.demonstration import DEMO_WORLD, KOMMUN_A, RECIPIENT, SETTINGS_FILE, DemoOrganisation
from mm_soap.dsig import sign_delivery
from mm_soap.errors import Refused
from mm_soap.far import Account, Operator, Register
from mm_soap.message import Message, Party, SecureDelivery, build_delivery, new_message
from mm_soap.message.identifiers import check_digit
from mm_soap.pki import Identity
from mm_soap.service_supplier import MessageSummary
from mm_soap.storage import open_database
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, SERVICE_V1, SOAP_ENVELOPE, parse_untrusted
from tests.unit.dsig.samples import deliver as carry_sealed
from tests.unit.dsig.samples import distribute as carry_signed

COMMAND = (sys.executable, "-m", "mm_soap")
READY_SECONDS = 40.0
STOP_SECONDS = 40.0
ENGINE = os.environ.get("MM_SOAP_TEST_ENGINE", "embedded")
"""Which engine delivers in demonstrations: with ``celery`` they have workers, RabbitMQ and PostgreSQL."""


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class _Commands:
    """The process that begins commands and servers; each by itself takes seconds to load."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._folder = TemporaryDirectory(prefix="mm-soap-commands-")
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("commands.py")],
            env=_environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self._close)

    def run(self, arguments: Sequence[str], environment: dict[str, str], piped: bytes = b"") -> Result:
        with TemporaryDirectory(dir=self._folder.name) as folder:
            files = [Path(folder, name) for name in ("in", "out", "err")]
            files[0].write_bytes(piped)
            ended = self.begin(arguments, environment, Path.cwd(), *files).wait()
            return Result(ended, files[1].read_text(), files[2].read_text())

    def begin(
        self, arguments: Sequence[str], environment: dict[str, str], folder: Path, piped: Path, out: Path, err: Path
    ) -> Begun:
        files = {"in": str(piped), "out": str(out), "err": str(err)}
        return Begun(
            self._ask({"arguments": arguments, "environment": environment, "folder": str(folder), **files}), self
        )

    def ended(self, pid: int) -> int:
        """How a process ended that has."""
        return self._ask({"ended": pid})

    def _ask(self, request: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._number += 1
            self._process.stdin.write(json.dumps({"number": self._number, **request}) + "\n")
            self._process.stdin.flush()
            number = 0
            while number != self._number:  # what came for a test that ran out of time is not this one's
                number, answer = map(int, self._process.stdout.readline().split())
            return answer

    def _close(self) -> None:
        with self._process:
            pass
        self._folder.cleanup()


class Begun:
    """A process in a group of its own that was begun for a test: what tests need of ``subprocess.Popen``."""

    def __init__(self, pid: int, commands: _Commands) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._commands = commands
        # Readable once the process has ended.
        self._ending = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        if self.returncode is None and select.select([self._ending], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended."""
        if self.returncode is None:
            if not select.select([self._ending], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("mm-soap", timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = self._commands.ended(self.pid)
        os.close(self._ending)


@cache
def _commands() -> _Commands:
    return _Commands()


def mm_soap(*arguments: object, piped: bytes = b"", **environment: str) -> Result:
    """Run a command to its end, without a terminal, with something piped into it."""
    return _commands().run([str(argument) for argument in arguments], _environment(environment), piped)


def begun(*arguments: object, out: Path = Path(os.devnull), err: Path = Path(os.devnull), **environment: str) -> Begun:
    """Begin a command and do not wait for its end; what it prints goes into files."""
    said = [str(argument) for argument in arguments]
    return _commands().begin(said, _environment(environment), Path.cwd(), Path(os.devnull), out, err)


def _environment(more: dict[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("MM_SOAP_")}
    return {**own, **more}


_own_ports: set[int] = set()


@cache
def _all_ports() -> TextIO:
    """A file with a byte for each port: the process that has locked it has the port."""
    return (Path(gettempdir()) / "mm-soap-test-ports").open("a")


def free_port() -> int:
    """Return a port below those that the system gives to clients.

    A client that knocks again and again on a closed port of that range would in the end connect to itself.
    """
    # Tests may run in several processes, and several times at once. Each process keeps its ports until it ends, also
    # while their servers are down.
    while True:
        port = random.randint(20_000, 31_999)
        if port in _own_ports:
            continue
        try:
            fcntl.lockf(_all_ports(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            continue
        _own_ports.add(port)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


@dataclass
class Server:
    """One ``mm-soap serve``, in a process group of its own. It keeps its port when it is started again."""

    config: Path
    parties: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | Begun | None = None

    @property
    def url(self) -> str:
        """Where it listens, and what the ready line shows unless the settings say another address."""
        scheme = "https" if "[tls]\ncertificate" in self._settings else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def _settings(self) -> str:
        # A test bed may run without any.
        return self.config.read_text() if self.config.exists() else ""

    @property
    def _shown(self) -> str:
        public = re.search(r'^public_url = "(.*)"', self._settings, re.MULTILINE)
        return public[1] if public else self.url

    @property
    def out(self) -> Path:
        return self.config.with_name(f"serve-{self.port}.out")

    @property
    def errors(self) -> Path:
        return self.config.with_name(f"serve-{self.port}.err")

    def output(self) -> str:
        """All that was written to standard output and standard error, over all starts."""
        return self.out.read_text() + self.errors.read_text()

    def begin(self) -> None:
        """Start without waiting for it."""
        chosen = [part for party in self.parties for part in ("--party", party)]
        self._begin([*COMMAND, "serve", "--config", str(self.config), *chosen, *self.options], self.config.parent)

    def begin_in(self, folder: Path) -> None:
        """Start in a folder, without naming the settings, and without waiting for it."""
        self.config = folder / self.config.name
        self._begin([*COMMAND, "serve", *self.options], folder)

    def _begin(self, command: Sequence[str], folder: Path) -> None:
        self._before = self.out.stat().st_size if self.out.exists() else 0
        self.out.touch()
        environment = _environment({"MM_SOAP_PORT": str(self.port), **self.environment})
        own = len(COMMAND)
        # What else is in the environment may be meant for Python, or for libraries of C.
        if tuple(command[:own]) == COMMAND and all(name.startswith("MM_SOAP_") for name in self.environment):
            files = (Path(os.devnull), self.out, self.errors)
            self.process = _commands().begin(command[own:], environment, folder, *files)
            return
        with self.out.open("ab") as out, self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait for the ready line."""
        assert self.process is not None

        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.errors.read_text()[-3000:]
            return self.ready_line() in self.out.read_bytes()[self._before :]

        until(ready, READY_SECONDS, "the ready line")

    def ready_line(self) -> bytes:
        """What tells that calls are accepted."""
        return f"ready {self._shown}\n".encode()

    def start(self) -> None:
        self.begin()
        self.wait()

    def kill(self) -> None:
        """SIGKILL to every process of the group, as when the machine is switched off."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def workers(self) -> list[int]:
        """The process ids of the workers under the master."""
        assert self.process is not None
        return [
            int(each) for each in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def kill_workers(self) -> None:
        """SIGKILL to the workers alone."""
        for worker in self.workers():
            os.kill(worker, signal.SIGKILL)

    def stop(self) -> None:
        """Stop in order."""
        if self.process is None:
            return
        self.process.terminate()
        self._wait_until_gone(STOP_SECONDS)

    def leave(self) -> None:
        """Let it stop in order while the next test begins. Whoever leaves next finds out whether it did."""
        if self.process is not None:
            self.process.terminate()
            _leaving.append((self, time.monotonic() + STOP_SECONDS))

    def gone(self, deadline: float) -> bool:
        """Whether it has stopped after it was left; it must by the deadline.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """
        assert self.process is not None
        if self.process.poll() is None and time.monotonic() < deadline:
            return False
        self._wait_until_gone(0)
        return True

    def _wait_until_gone(self, seconds: float) -> None:
        assert self.process is not None
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.process = None


_leaving: list[tuple[Server, float]] = []
"""Servers that were told to stop, and until when they must have."""


def all_gone() -> bool:
    """Whether every server that was left has stopped.

    Raises:
        subprocess.TimeoutExpired: one has not, and its time is over. It is killed.
    """
    for each in list(_leaving):
        server, deadline = each
        try:
            ended = server.gone(deadline)
        except subprocess.TimeoutExpired:
            _leaving.remove(each)
            raise
        if ended:
            _leaving.remove(each)
    return not _leaving


@dataclass
class Worker(Server):
    """One ``mm-soap worker``. It listens nowhere: the port is that of the API, or a name for its files."""

    def begin(self) -> None:
        """Start without waiting for it."""
        self._begin([*COMMAND, "worker", "--config", str(self.config)], self.config.parent)

    def ready_line(self) -> bytes:
        """What tells that it works."""
        return b"ready\n"


@dataclass
class Demonstration:
    """A folder made by ``mm-soap init --demo``, and the servers that run on it."""

    folder: Path
    servers: list[Server] = field(default_factory=list)
    scaled_out: bool = False
    """Whether workers deliver that RabbitMQ wakes."""

    @classmethod
    def copy_of(cls, template: Path, folder: Path) -> Demonstration:
        """Copy a demonstration: making keys takes longer than a test."""
        shutil.copytree(template, folder)
        return cls(folder)

    @property
    def config(self) -> Path:
        return self.folder / SETTINGS_FILE

    def identity(self, organisation: DemoOrganisation) -> Identity:
        return _identity(self.folder / "pki", organisation.number)

    @contextmanager
    def register(self) -> Iterator[Register]:
        """The register, by its database: for what a demonstration does not hold."""
        database = open_database(load(self.config).far.database)
        try:
            yield Register(database)
        finally:
            database.dispose()

    def change(self, table: str, **values: object) -> None:
        """Write settings into each table of this name; no name for those at the top."""
        lines: list[str] = []
        current = ""
        new = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        if not table:
            lines += new
        for line in self.config.read_text().splitlines():
            if header := re.fullmatch(r"\[+([\w.]+)\]+", line.strip()):
                current = header[1]
                lines += [line, *(new if current == table else [])]
            elif current != table or line.partition("=")[0].strip() not in values:
                lines.append(line)
        self.config.write_text("\n".join(lines) + "\n")

    def serve(self, *parties: str, **environment: str) -> Server:
        """Serve these parties, or all of them, in one process; back when it is ready.

        With the scaled-out engine, a worker delivers in a process of its own.
        """
        server = Server(self.config, parties, environment)
        self.servers.append(server)
        server.start()
        if self.scaled_out and (not parties or "dispatcher" in parties):
            self.work(server)
        return server

    def work(self, server: Server, number: int = 1) -> list[Worker]:
        """Start workers for the dispatcher that a server serves; back when they are ready."""
        same = {"MM_SOAP_PORT": str(server.port), **server.environment}
        workers = [Worker(self.config, environment=same) for _ in range(number)]
        self.servers += workers
        for worker in workers:
            worker.begin()
        for worker in workers:
            worker.wait()
        return workers

    def serve_apart(self) -> dict[str, Server]:
        """Serve the register, the dispatcher and the operators in a process each."""
        servers = {name: Server(self.config, (name,)) for name in ("far", "dispatcher", "operator")}
        self.servers += servers.values()
        for table in ("dispatcher", "operator"):
            self.change(table, register_url=servers["far"].url)
        self.change("sender", dispatcher_url=servers["dispatcher"].url, register_url=servers["far"].url)
        with self.register() as register:
            for one in DEMO_WORLD.operators:
                address = f"{servers['operator'].url}{one.path}/Service/v3"
                register.add_operator(Operator(one.number, one.name, address, address))
        for server in servers.values():
            server.begin()
        for server in servers.values():
            server.wait()
        if self.scaled_out:
            self.work(servers["dispatcher"])
        return servers

    def stop(self) -> None:
        for server in reversed(self.servers):
            server.stop()

    def leave(self) -> None:
        """Let all servers stop while the next test begins."""
        for server in reversed(self.servers):
            server.leave()
        all_gone()

    def signed(self, delivery: SecureDelivery, signer: DemoOrganisation | None = None) -> bytes:
        """Sign with the key of the sender that the delivery names, or of someone else."""
        by = _identity(self.folder / "pki", signer.number if signer else delivery.sender.id)
        return sign_delivery(build_delivery(delivery), by)

    def signed_tree(self, delivery: etree._Element, signer: DemoOrganisation) -> bytes:
        """Sign a delivery that holds what our builder does not write."""
        return sign_delivery(delivery, _identity(self.folder / "pki", signer.number))

    def mailbox(self, recipient: str = RECIPIENT) -> list[MessageSummary]:
        """What the operators have in this mailbox. In this process: a command takes seconds to begin."""
        found: list[MessageSummary] = []
        for service in mailbox_services(load(self.config)):
            with suppress(Refused):
                found += service.list_messages(recipient)
            service.database.dispose()
        return found

    def count_in_mailbox(self, message_id: str, recipient: str = RECIPIENT) -> int:
        return sum(each.message_id == message_id for each in self.mailbox(recipient))

    def trace(self, any_id: str) -> list[dict[str, Any]]:
        """What ``mm-soap trace`` prints."""
        result = mm_soap("trace", any_id, "--config", self.config, "--json")
        assert result.returncode == 0, result.stderr
        found: list[dict[str, Any]] = json.loads(result.stdout)
        return found


@cache
def _identity(pki: Path, number: str) -> Identity:
    return Identity.load(pki / f"{number}.pem", pki / f"{number}.key")


@contextmanager
def stopped_at_the_end(demonstration: Demonstration) -> Iterator[Demonstration]:
    """Leave no process behind."""
    with ExitStack() as databases:
        if ENGINE == "celery":
            from tests.e2e.scaled_out import scaled_out

            databases.enter_context(scaled_out(demonstration))
        try:
            yield demonstration
        finally:
            demonstration.stop() if demonstration.scaled_out else demonstration.leave()  # its schemas go next


def until(true: Callable[[], bool], seconds: float, what: str, pause: float = 0.05) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} seconds for {what}"
        time.sleep(pause)


# Messages


def a_message(subject: str = "Beslut", text: str = "Hej på dig.", **more: Any) -> Message:
    return new_message(subject, text=None if "html" in more else text, **more)


def letter(
    recipient: str = RECIPIENT, *messages: Message, sender: DemoOrganisation = KOMMUN_A, **more: Any
) -> SecureDelivery:
    return SecureDelivery(Party(sender.number, sender.name), recipient, messages or (a_message(),), **more)


def person(number: int) -> str:
    """A coordination number that was never anybody's, apart from those of the demonstration."""
    nine = f"9012{61 + number // 1000:02d}{number % 1000:03d}"
    return f"18{nine}{check_digit(nine)}"


def company(number: int) -> str:
    """An organisation number from a series that is not handed out."""
    nine = f"559999{number:03d}"
    return f"16{nine}{check_digit(nine)}"


def accounts(operator: str, recipients: Iterable[str]) -> list[Account]:
    return [Account(recipient, operator) for recipient in recipients]


class Listener:
    """A place where nobody may call: it counts those who do, and answers none."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many connections were made since the last look."""
        self._socket.settimeout(0)
        found = 0
        with suppress(BlockingIOError):
            while True:
                self._socket.accept()[0].close()
                found += 1
        return found

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


# SOAP, without the project's own client


class Fault(Exception):
    """A SOAP fault: the detail's ErrorCode, Description and CallId, and the HTTP status."""

    def __init__(self, code: int, description: str, call_id: str, status: int) -> None:
        super().__init__(code, description)
        self.code, self.description, self.call_id, self.status = code, description, call_id, status


def post(
    url: str, body: bytes, content_type: str = "text/xml; charset=utf-8", *, timeout: float = 30, **headers: str
) -> tuple[int, bytes]:
    """Send one HTTP request on a connection of its own."""
    parts = urlsplit(url)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)) as connection:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        # A server that does not want the whole body answers before it has come, and closes.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", target, body, {"Content-Type": content_type, "SOAPAction": '""', **named})
        answer = connection.getresponse()
        return answer.status, answer.read()


def get(url: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)) as connection:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def call(
    url: str, envelope: bytes, timeout: float = 30, content_type: str = "text/xml; charset=utf-8"
) -> etree._Element:
    """Send an envelope and return the element in the Body of the answer.

    Raises:
        Fault: the answer is one; OSError, HTTPException: there is no answer.
    """
    status, raw = post(url, envelope, content_type, timeout=timeout)
    body = parse_untrusted(raw).find(f"{{{SOAP_ENVELOPE}}}Body")
    assert body is not None
    assert len(body) == 1
    if body[0].tag != f"{{{SOAP_ENVELOPE}}}Fault":
        assert status == 200
        return body[0]
    (detail,) = body[0].iterfind("detail/*")
    raise Fault(
        int(detail.findtext("{*}ErrorCode", "0")),
        detail.findtext("{*}Description", ""),
        detail.findtext("{*}CallId", ""),
        status,
    )


def enveloped(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP_ENVELOPE}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def distribute(url: str, document: bytes, timeout: float = 30) -> str:
    """Hand a signed delivery to the dispatcher and return the distribution id."""
    return call(f"{url}/Message/v3", carry_signed(document), timeout).findtext("{*}return", "")


def deliver(url: str, sealed: bytes) -> tuple[str, dict[str, bool]]:
    """Hand a sealed delivery to an operator and return TransId and what became of it, by recipient."""
    result = call(f"{url}/Service/v3", carry_sealed(sealed))[0]
    statuses = {
        row.findtext(f"{{{SERVICE_V1}}}RecipientId", ""): row.findtext(f"{{{SERVICE_V1}}}Delivered") == "true"
        for row in result.iterfind(f"{{{SERVICE_V1}}}Status")
    }
    return result.findtext(f"{{{SERVICE_V1}}}TransId", ""), statuses


def status(url: str, distribution_id: str, sender: DemoOrganisation = KOMMUN_A) -> tuple[str, str | None]:
    """Return Type and DeliveryStatus of one recipient's delivery."""
    question = (
        f'<checkDistributionStatus xmlns="{MESSAGE_V3}"><senderId>{sender.number}</senderId>'
        f"<distributionId>{distribution_id}</distributionId></checkDistributionStatus>"
    )
    (row,) = call(f"{url}/Message/v3", enveloped(question))
    return row.findtext(f"{{{MESSAGE_V1}}}Type", ""), row.findtext(f"{{{MESSAGE_V1}}}DeliveryStatus")


def final_status(
    url: str, distribution_id: str, sender: DemoOrganisation = KOMMUN_A, seconds: float = 30
) -> tuple[str, str | None]:
    """Ask until nothing more will happen."""
    found: list[tuple[str, str | None]] = []

    def ended() -> bool:
        try:
            found.append(status(url, distribution_id, sender))
        except Fault as fault:
            assert fault.code == 5004, fault  # noqa: PT017
            return False
        return found[-1][1] != "Pending"

    until(ended, seconds, f"the end of {distribution_id}")
    return found[-1]


def send_all(url: str, documents: Sequence[bytes]) -> list[str]:
    return [distribute(url, document) for document in documents]
