"""Markers that are planted, and the search for them in whatever was written."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

import requests

from mm_soap.demonstration import RECIPIENT, RECIPIENT_AT_TWO
from tests.e2e.inbox import answered, asked, form_token
from tests.e2e.suite import Server, Worker, post

SUBJECT, BODY, FILE = "Amnesmark7Q", "Kroppsmark7Q", "Filmark7Q"
EMAIL, PHONE = "epostmark7q@example.se", "+46709973217"
CONTACT, MOBILE = "kontaktmark7q@example.se", "+46709974218"
EVERY = (SUBJECT, BODY, FILE, EMAIL, PHONE, CONTACT, MOBILE)
PERSONAL_NUMBER = re.compile(rb"(?<![\w.:-])(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])\d{6}(?![\w-])")


def forms(marker: str) -> Iterator[bytes]:
    """The ways in which a marker may stand somewhere: as it is, in UTF-16, and in base64 at each place."""
    plain = marker.encode()
    yield from (plain, plain.lower(), plain.hex().encode(), marker.encode("utf-16-le"))
    for before in range(3):
        whole = b64encode(b"x" * before + plain + b"xx")
        yield whole[4 if before else 0 : -8]


def found_in(content: bytes, markers: Sequence[str] = EVERY) -> list[str]:
    return [marker for marker in markers if any(form in content for form in forms(marker))]


def numbers_in(content: bytes) -> list[bytes]:
    return PERSONAL_NUMBER.findall(content)


@dataclass
class TellingServer(Server):
    """A server that tells all it can."""

    def begin(self) -> None:
        """Start without waiting for it."""
        self._begin(telling("serve", self.config), Path(__file__).parents[2])


@dataclass
class TellingWorker(Worker):
    """A worker that tells all it can."""

    def begin(self) -> None:
        """Start without waiting for it."""
        self._begin(telling("worker", self.config), Path(__file__).parents[2])


def telling(command: str, config: Path) -> list[str]:
    return [sys.executable, "-m", "tests.e2e.telling_server", command, "--config", str(config)]


@dataclass
class Watch:
    """What was seen from outside while all of it ran."""

    answers: list[bytes] = field(default_factory=list)
    processes: list[bytes] = field(default_factory=list)

    def look_at(self, pids: Sequence[int]) -> None:
        for pid in pids:
            for name in ("cmdline", "comm", "environ", "status"):
                with suppress(OSError):
                    self.processes.append(Path(f"/proc/{pid}/{name}").read_bytes())
            for task in Path(f"/proc/{pid}/task").glob("*/comm"):
                with suppress(OSError):
                    self.processes.append(task.read_bytes())

    def refused(self, url: str, body: bytes, **headers: Any) -> None:
        status, answer = post(url, body, **headers)
        assert status >= 400
        self.answers.append(answer)


def walk_the_inbox(url: str, watch: Watch) -> None:
    """What a recipient does at the pages, well and badly. They show what is theirs; addresses and refusals do not."""
    with requests.Session() as browser:
        addresses: list[str] = []
        browser.headers["Accept-Language"] = "en"
        browser.hooks["response"].append(lambda answer, **_: addresses.append(answer.url))

        def page(path: str, form: dict[str, str] | None = None, status: int = 200) -> requests.Response:
            if form is None:
                answer = browser.get(url + path)
            else:
                answer = browser.post(url + path, {"csrf_token": token, **form})
            assert answer.status_code == status, (path, answer.status_code)
            return answer

        browser.get(answered(browser, asked(browser, url)))
        assert page(f"/Inbox?recipientId={RECIPIENT}").url == f"{url}/Inbox"  # it is not left in the address
        assert page(f"/Inbox?recipientId={RECIPIENT_AT_TWO}", status=403).url == f"{url}/Inbox"
        del addresses[-4:]
        found = page(f"/Inbox?q={SUBJECT}")
        del addresses[-1:]  # whose words stand in the address is the one who asks
        (key, *_) = re.findall(r"/Inbox/message/([^/\"]+)", found.text)
        token = form_token(page("/Inbox/folders").text)
        message = f"/Inbox/message/{key}"
        assert SUBJECT in page(message).text
        assert page(f"{message}/file/0").content.startswith(b"%PDF")
        page("/Inbox/folders", {"act": "make", "name": SUBJECT})
        page("/Inbox/folders", {"act": "make", "name": "The last by name"})
        page("/Inbox/folders", {"act": "make", "name": SUBJECT}, 400)
        another = re.findall(r'name="folder" value="(\d+)"', page("/Inbox/folders").text)[-1]
        page("/Inbox/folders", {"act": "rename", "folder": another, "name": SUBJECT}, 400)
        page("/Inbox/folders", {"act": "rename", "folder": SUBJECT, "name": BODY}, 404)
        page("/Inbox/contact", {"email": CONTACT, "mobile": MOBILE})
        page("/Inbox/contact", {"email": f"{CONTACT} {SUBJECT}", "mobile": f"{MOBILE}x"}, 400)
        words = {"recipient": RECIPIENT_AT_TWO, "subject": SUBJECT, "text": BODY}
        page(f"{message}/forward", words)
        page(f"{message}/forward", {**words, "recipient": f"{RECIPIENT}9"}, 400)
        page(f"{message}/forward", {**words, "recipient": "190001010107"}, 409)
        page("/Inbox/mailboxes", {"mailbox": RECIPIENT_AT_TWO}, 403)
        with ZipFile(BytesIO(page("/Inbox/export", {}).content)) as archive:
            assert any(SUBJECT.encode() in archive.read(name) for name in archive.namelist())
        watch.answers.append(page(f"/Inbox/message/{SUBJECT}", status=404).content)
        watch.answers.append(page(f"/Inbox/message/{key}/{RECIPIENT}", status=404).content)
        del addresses[-2:]
        token = SUBJECT
        watch.answers.append(page("/Inbox/folders", {"act": "make", "name": SUBJECT}, 400).content)
        token = form_token(page("/Inbox").text)
        page("/Inbox/sign-out", {})
        watch.answers += [unquote(address).encode() for address in addresses]
