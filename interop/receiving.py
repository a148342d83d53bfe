"""A foreign mailbox operator: deliveries by the demonstration's register and dispatcher, and what it has to refuse."""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from interop.captures import Capture
from interop.sending import Sent, notify, outcome, send, until
from interop.suite import Suite, free_port
from mm_soap.conformance.class_one import notification
from mm_soap.demonstration import KOMMUN_A, KOMMUN_B, RECIPIENT
from mm_soap.errors import RemoteFault, TransportError
from mm_soap.soap import SoapClient
from mm_soap.xml import SERVICE_V3, qname

# Numbers like those of the demonstration: nobody has them.
OPERATOR = "165599999942"
RECEIVER, DESELECTING, WITHOUT_MAILBOX = "189007619803", "189008619802", "189009619801"

_ANSWER_SECONDS = 30.0
_AT_ONCE = 4
_IN_A_ROW = 6


class NotReceived(Exception):
    """What the operator did wrong; the text is for whoever mends it."""


class Receiving:
    """One foreign operator, registered with one demonstration.

    Args:
        suite: its register and dispatcher.
        folder: of the operator; what it accepts it keeps in the folder ``received`` inside.
        command: starts it, given its address and the file of its mailboxes. It prints ``ready`` when it serves.
    """

    def __init__(self, suite: Suite, folder: Path, command: Callable[[str, Path], Sequence[str]]) -> None:
        self.address = f"http://127.0.0.1:{free_port()}/Service/v3"
        self.folder = folder
        self.received = folder / "received"
        self._suite = suite
        self._mailboxes = folder / "mailboxes"
        self._mailboxes.write_text(f"{RECEIVER}\n{DESELECTING} {KOMMUN_B.number}\n")
        self._command = command(self.address, self._mailboxes)

    def check(self, captures: Sequence[Capture]) -> None:
        """Try all of it.

        Args:
            captures: requests that operator one has accepted, and what can become of them.

        Raises:
            NotReceived, NotInTime: something went wrong.
        """
        self._register()
        with self._running():
            self._statuses()
            self._repeated_and_refused(captures)
            self._other_operations(captures)
            self._notified()
        self._killed_in_the_middle()

    def _register(self) -> None:
        address = ("--service-address", self.address)
        self._suite.far("operator", "add", OPERATOR, "--name", "Brevlåda Främmande", *address)
        accounts = self.folder / "accounts.csv"
        rows = [f"{each},{OPERATOR}" for each in (RECEIVER, DESELECTING, WITHOUT_MAILBOX)]
        accounts.write_text("\n".join(["recipient,operator", *rows]) + "\n")
        self._suite.far("account", "import", str(accounts))

    def _statuses(self) -> None:
        """Each recipient's message has the status that the operator's answer makes."""
        expected = {
            (RECEIVER, KOMMUN_A): "Delivered",
            (DESELECTING, KOMMUN_A): "Delivered",
            (DESELECTING, KOMMUN_B): "DeliveryFailed",
            (WITHOUT_MAILBOX, KOMMUN_A): "DeliveryFailed",
        }
        sent = {each: send(self._suite, *each) for each in expected}
        for each, status in expected.items():
            message = sent[each]
            self._ended(message, status)
            self._kept(message, 1 if status == "Delivered" else 0)

    def _repeated_and_refused(self, captures: Sequence[Capture]) -> None:
        for capture in captures:
            # The recipient of what was captured has a mailbox at another operator.
            wanted = f"fault {capture.code}" if capture.code else f"{RECIPIENT} false"
            self._answered(capture.name, "deliverSecure", capture.payload, wanted)

    def _other_operations(self, captures: Sequence[Capture]) -> None:
        """deliverForward, of what is right and of what is not, and notify."""
        right = next(each for each in captures if each.code is None)
        wrong = next(each for each in captures if not each.holds)
        self._answered("forwarded", "deliverForward", right.forwarded(RECEIVER), f"{RECEIVER} true")
        self._answered("forwarded, changed", "deliverForward", wrong.forwarded(RECEIVER), f"fault {wrong.code}")
        inside = notification(KOMMUN_A.number, KOMMUN_A.name, RECEIVER, WITHOUT_MAILBOX)
        request = f'<notify xmlns="{SERVICE_V3}"><notify>{inside}</notify></notify>'.encode()
        self._answered("notification", "notify", request, f"{RECEIVER} true {WITHOUT_MAILBOX} false")

    def _notified(self) -> None:
        """A notification that the dispatcher splits: some recipients are here, one is at operator one."""
        text = f"Du har fått post {uuid4()}."
        told = notify(self._suite, text, RECEIVER, RECIPIENT, WITHOUT_MAILBOX)
        if told != {RECEIVER: True, RECIPIENT: True, WITHOUT_MAILBOX: False}:
            raise NotReceived(f"the notification became {told}")
        if self._deliveries_with(text.encode()) != 1:
            raise NotReceived("the notification should be once among what the operator keeps")

    def _answered(self, name: str, operation: str, payload: bytes, wanted: str) -> None:
        """Call at the same time and once more: all answers must be the same."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            answers = list(threads.map(lambda _: self._answer(operation, payload), range(_AT_ONCE)))
        answers.append(self._answer(operation, payload))
        if answers.count(answers[0]) != len(answers) or " ".join(answers[0][1:]) != wanted:
            raise NotReceived(f"{name}: expected {wanted}, each time with one TransId, and got {answers}")

    def _killed_in_the_middle(self) -> None:
        """Whatever moment it is killed at: each message is there once in the end."""
        with self._running() as process:
            sent = [send(self._suite, RECEIVER, KOMMUN_A) for _ in range(_IN_A_ROW // 2)]
            until(lambda: self._count(sent[0].pdf) == 1, "the first of several messages to be kept")
            process.kill()
            sent += [send(self._suite, RECEIVER, KOMMUN_A) for _ in range(_IN_A_ROW // 2)]
            process.wait()
        with self._running():
            for each in sent:
                self._ended(each, "Delivered")
                self._kept(each, 1)

    def _ended(self, message: Sent, wanted: str) -> None:
        status = outcome(self._suite, message)
        if status != wanted:
            raise NotReceived(f"a delivery is {status}; it should be {wanted}")

    def _kept(self, message: Sent, times: int) -> None:
        found = self._count(message.pdf)
        if found != times:
            raise NotReceived(f"a PDF is {found} times among what the operator keeps; it should be {times} times")

    def _count(self, pdf: bytes) -> int:
        return sum(content == pdf for _, content in self._files())

    def _deliveries_with(self, text: bytes) -> int:
        """Count what the operator keeps by the folder: in each may be the request and what it holds."""
        forms = (text, b64encode(text))
        return len({folder for folder, content in self._files() if any(form in content for form in forms)})

    def _files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the folder and the content of each file that the operator keeps; it may be at work meanwhile."""
        for folder, _, names in os.walk(self.received):  # unlike rglob, it bears a folder that is gone
            for name in names:
                with suppress(FileNotFoundError):
                    yield folder, Path(folder, name).read_bytes()

    def _answer(self, operation: str, payload: bytes) -> list[str]:
        """Return TransId, and each recipient with what was told of it; or an empty text and the fault."""
        client = SoapClient(self.address, timeout=_ANSWER_SECONDS)
        try:
            answer = client.call(payload, expected=qname(SERVICE_V3, f"{operation}Response"))
        except RemoteFault as fault:
            return ["", f"fault {fault.code}"]
        except TransportError as error:
            return ["", str(error)]
        finally:
            client.close()
        names = ("{*}TransId", "{*}RecipientId", "{*}Delivered", "{*}DeliveredFlag")
        return [str(each.text) for each in answer.iter(*names)]

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[str]]:
        log = self.folder / "operator.log"
        with log.open("a") as errors:
            process = subprocess.Popen(self._command, cwd=self.folder, stdout=subprocess.PIPE, stderr=errors, text=True)
        with process:
            try:
                assert process.stdout is not None
                if not process.stdout.readline().startswith("ready"):
                    raise NotReceived(f"the operator did not start:\n{log.read_text(errors='replace')[-1500:]}")
                yield process
            finally:
                process.kill()
