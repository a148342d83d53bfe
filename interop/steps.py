"""What each client must do, and whether it did."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from interop.captures import Capture
from interop.receiving import NotReceived, Receiving
from interop.sending import NotInTime
from interop.stacks import Stack, words
from interop.suite import Suite
from mm_soap.demonstration import KOMMUN_A, RECIPIENT, RECIPIENT_AT_TWO, RECIPIENT_PENDING, UNKNOWN
from mm_soap.errors import Refusal
from mm_soap.testing.documents import one_page_pdf

_BUILD_SECONDS = 600
_COMMAND_SECONDS = 120
_AT_ONCE = 2
_NO_SUCH_ID = "00000000-0000-4000-8000-000000000000"
_PDF = one_page_pdf("Beslut", "Interop")
_ANSWERS = {RECIPIENT: "yes", UNKNOWN: "no", RECIPIENT_PENDING: "no", RECIPIENT_AT_TWO: "yes"}


@dataclass(frozen=True)
class Done:
    """How one step of one stack ended."""

    step: str
    wrong: str | None
    """What was wrong, for whoever mends it; None where all was right."""
    seconds: float


class _Wrong(Exception):
    pass


@dataclass(frozen=True)
class Trial:
    """One stack against one suite.

    Args:
        stack: the client.
        suite: whom it talks to.
        folder: gets a copy of the client, to build and run in.
    """

    stack: Stack
    suite: Suite
    folder: Path

    def run(self) -> Iterator[Done]:
        """Make each step that needs no other stack, and yield how it ended.

        After a build that failed nothing else is tried.
        """
        shutil.copytree(self.stack.folder, self.folder)
        yield (built := self._made("build", self._build))
        if built.wrong:
            return
        if "ask" in self.stack.steps:
            yield self._made("ask", self._ask)
            yield self._made("fault", self._fault)
        if "send" in self.stack.steps:
            sent: list[str] = []
            yield (done := self._made("send", lambda: sent.append(self._send())))
            if not done.wrong:
                yield self._made("follow", lambda: self._follow(sent[0]))

    def judge(self, captures: Sequence[Capture]) -> Iterator[Done]:
        """Make the steps that want what all stacks have sent, and yield how each ended.

        Args:
            captures: as it was sent, and what can become of it.
        """
        for step, action in (("verify", self._verify), ("receive", self._receive)):
            if step in self.stack.steps:
                yield self._made(step, partial(action, captures))

    def version(self) -> str:
        """Return what the stack says of its version: the last line of what its command prints."""
        done = self._run(self.stack.version, {}, _COMMAND_SECONDS)
        lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
        return lines[-1].strip() if lines else "unknown"

    def _made(self, step: str, action: Callable[[], object]) -> Done:
        started = time.monotonic()
        wrong = None
        try:
            action()
        except (_Wrong, NotReceived, NotInTime) as error:
            wrong = str(error)
        except subprocess.TimeoutExpired as error:
            wrong = f"did not end in {error.timeout:.0f} seconds"
        except OSError as error:
            wrong = f"could not be run: {error.strerror}"
        return Done(step, wrong, time.monotonic() - started)

    def _build(self) -> None:
        done = self._run(self.stack.build, {}, _BUILD_SECONDS)
        if done.returncode:
            raise _Wrong(_told("the build failed", done))

    def _ask(self) -> None:
        done = self._command("ask", {"recipients": list(_ANSWERS)})
        expected = [f"{recipient} {answer}" for recipient, answer in _ANSWERS.items()]
        if done.returncode or done.stdout.split("\n")[:-1] != expected:
            raise _Wrong(_told(f"expected {expected}", done))

    def _fault(self) -> None:
        done = self._command("follow", {"id": _NO_SUCH_ID})
        wanted = f"fault {Refusal.NOT_FOUND.code} "
        lines = [line for line in done.stderr.splitlines() if line.startswith(wanted) and "(CallId " in line]
        if done.returncode != 1 or not lines:
            raise _Wrong(_told(f"expected exit status 1 and a line '{wanted}...(CallId ...)'", done))

    def _send(self) -> str:
        (self.folder / "interop.txt").write_text("Hej! Åäö & <tack>\n", encoding="utf-8")
        (self.folder / "interop.pdf").write_bytes(_PDF)
        files = {"text": str(self.folder / "interop.txt"), "pdf": str(self.folder / "interop.pdf")}
        done = self._command("send", {"subject": self._subject, **files})
        lines = done.stdout.split()
        if done.returncode or len(lines) != 1:
            raise _Wrong(_told("expected a distribution id and nothing else", done))
        return lines[0]

    def _follow(self, distribution_id: str) -> None:
        done = self._command("follow", {"id": distribution_id})
        if done.returncode or done.stdout.split() != ["Delivered"]:
            raise _Wrong(_told("expected Delivered", done))
        if self.suite.attachment(self._subject) != _PDF:
            raise _Wrong("the attachment in the mailbox is not the PDF that was sent")

    def _verify(self, captures: Sequence[Capture]) -> None:
        distrusted = replace(
            captures[0], name="unknown-authority", authorities=self.suite.other_authorities, holds=False
        )
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(self._verify_one, [*captures, distrusted]))

    def _verify_one(self, capture: Capture) -> None:
        file = self.folder / f"{capture.name}.xml"
        file.write_bytes(capture.content)
        done = self._command("verify", {"file": str(file), "authorities": str(capture.authorities)})
        right = f"seal {capture.sealer}\nsignature {capture.signer}\n"
        if capture.holds and (done.returncode or done.stdout != right):
            raise _Wrong(_told(f"{capture.name}: expected {right.split()}", done))
        if not capture.holds and (done.returncode != 1 or done.stdout or not done.stderr.startswith("invalid")):
            raise _Wrong(_told(f"{capture.name}: expected exit status 1, and a line that begins with invalid", done))

    def _receive(self, captures: Sequence[Capture]) -> None:
        def command(address: str, mailboxes: Path) -> list[str]:
            values = {
                "address": address,
                "authority": self.suite.address("authority"),
                "mailboxes": str(mailboxes),
                "folder": str(self.folder / "received"),
                "authorities": str(self.suite.authorities),
            }
            return words(self.stack.commands["receive"], values)

        Receiving(self.suite, self.folder, command).check(captures)

    @property
    def _subject(self) -> str:
        return f"Beslut å ä ö & <{self.stack.name}>"

    def _command(self, name: str, more: Mapping[str, str | Sequence[str]]) -> subprocess.CompletedProcess[str]:
        return self._run(self.stack.commands[name], more, _COMMAND_SECONDS)

    def _run(
        self, command: str, more: Mapping[str, str | Sequence[str]], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        values: dict[str, str | Sequence[str]] = {
            "register": self.suite.address("recipient"),
            **{name: self.suite.address(name) for name in ("message", "service", "authority")},
            "certificate": str(self.suite.certificate),
            "key": str(self.suite.key),
            "sender": KOMMUN_A.number,
            "recipient": RECIPIENT,
            **more,
        }
        return subprocess.run(
            words(command, values),
            cwd=self.folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )


def _told(what: str, done: subprocess.CompletedProcess[str]) -> str:
    said = f"{done.stdout}\n{done.stderr}".strip()[-1500:]
    return f"{what}; exit status {done.returncode}:\n{said}"
