"""A test bed in a process of its own, and what people and programs send to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

from mm_soap.demonstration import RECIPIENT, DemoOrganisation
from mm_soap.dsig import sign_delivery
from mm_soap.message import Message, build_delivery
from mm_soap.pki import Identity
from mm_soap.testing.documents import one_page_pdf
from tests.e2e.suite import Demonstration, Server, a_message, get, letter, mm_soap, post
from tests.unit.dsig.samples import distribute as carry_signed

SENDER = DemoOrganisation("165599999942", "Kommun X")
OTHER = DemoOrganisation("165599999959", "Kommun Y")


@contextmanager
def served_testbed(demonstration: Demonstration) -> Iterator[Server]:
    """Serve a demonstration as a test bed."""
    server = Server(demonstration.config, options=("--testbed",))
    demonstration.servers.append(server)
    server.start()
    yield server


def certified(server: Server, folder: Path, organisation: DemoOrganisation = SENDER) -> Identity:
    """Get a certificate by the command, and return the identity with it."""
    said = ("--organisation", organisation.number, "--name", organisation.name, "--out", folder, "--url", server.url)
    got = mm_soap("testbed", "certificate", *said)
    assert got.returncode == 0, got.stderr
    return Identity.load(folder / f"{organisation.number}.pem", folder / f"{organisation.number}.key")


def with_pdf(**changes: Any) -> Message:
    """Return a message with an attachment, of which something may be wrong."""
    pdf = one_page_pdf("Beslut", "Ja.")
    message = a_message("Hemligt ärende", "En hemlig text", attachments=[("hemlig.pdf", "application/pdf", pdf)])
    return replace(message, attachments=(replace(message.attachments[0], **changes),))


def signed(
    identity: Identity, message: Message | None = None, *, sender: DemoOrganisation = SENDER, recipient: str = RECIPIENT
) -> bytes:
    """Return a signed delivery."""
    return sign_delivery(build_delivery(letter(recipient, message or with_pdf(), sender=sender)), identity)


def send(server: Server, document: bytes) -> int:
    """Send what was signed, and return the HTTP status."""
    return post(f"{server.url}/Message/v3", carry_signed(document))[0]


def listed(server: Server, query: str = "") -> list[str]:
    """Return the addresses of the pages of what is listed, newest first."""
    status, page = get(f"{server.url}/testbed{query}")
    assert status == 200
    return re.findall(r'href="(/testbed/\d+)"', page.decode())


def newest(server: Server) -> str:
    """Return the page of what arrived last, as text."""
    status, page = get(server.url + listed(server)[0])
    assert status == 200
    return page.decode()


def steps(page: str) -> dict[str, str]:
    """Return the steps of a page, and how each ended."""
    rows = re.findall(r'class="name">([^<]+)</span>(?:<span class="took">[^<]*</span>)?<span class="badge (\w+)"', page)
    return {unescape(name): result for name, result in rows}


def broken(page: str) -> list[tuple[str, str, str]]:
    """Return what was found, the rule and the remedy of each check that does not hold."""
    found = []
    for row in re.findall(r'<li class="is-broken">(.*?)</li>', page, re.DOTALL):
        told = {name: unescape(re.sub("<[^>]+>", "", value)) for name, value in _ROWS.findall(row)}
        found.append((told.get("Found", ""), told.get("Rule", ""), told.get("Remedy", "")))
    return found


_ROWS = re.compile(r"<dt>(\w+)</dt><dd[^>]*>(.*?)</dd>", re.DOTALL)
