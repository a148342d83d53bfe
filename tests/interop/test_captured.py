"""What a running dispatcher sent, as it came to the operator on the wire, verified by xmlsec1's own command."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from interop.captures import as_sent
from interop.sending import outcome, send
from interop.suite import Suite, serving

from mm_soap.demonstration import KOMMUN_A, RECIPIENT

# A document of its own for each signature, its root called as it was signed. Source: the contract's signing rules.
SEALED = re.compile(rb"<s:deliverSecure (xmlns=\"[^\"]*\")>(.*)</s:deliverSecure></s:deliverSecure>", re.DOTALL)
SIGNED = re.compile(rb"<SignedDelivery .*</SignedDelivery>", re.DOTALL)
END = "-----END CERTIFICATE-----\n"
OUTER = "/*/*[local-name()='Signature']"


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """A demonstration that delivered a message with a PDF."""
    # `serving` takes the settings out of the environment, those of the tests too.
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name in [name for name in os.environ if name.startswith("MM_SOAP_")]:
            patch.delenv(name)
        found = stack.enter_context(serving(tmp_path_factory.mktemp("captured") / "demo"))
        outcome(found, send(found, RECIPIENT, KOMMUN_A))
        yield found


def documents(content: bytes) -> list[bytes]:
    """Return the sealed delivery and the signed one in it, each alone."""
    sealed, signed = SEALED.search(content), SIGNED.search(content)
    assert sealed
    assert signed
    return [b"<SealedDelivery %s>%s</SealedDelivery>" % sealed.groups(), signed[0]]


def verified(folder: Path, document: bytes, authorities: Path) -> bool:
    file = folder / "document.xml"
    file.write_bytes(document)
    root, issuing = folder / "root.pem", folder / "issuing.pem"
    first, second = (each + END for each in authorities.read_text().split(END)[:2])
    root.write_text(first)
    issuing.write_text(second)
    trusted = ["--trusted-pem", str(root), "--untrusted-pem", str(issuing)]
    command = ["xmlsec1", "--verify", *trusted, "--node-xpath", OUTER, str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.needs_program("xmlsec1")
def test_seal_and_signature_hold_for_xmlsec1(suite: Suite, tmp_path: Path) -> None:
    (capture,) = as_sent(suite)
    assert [verified(tmp_path, each, suite.authorities) for each in documents(capture.content)] == [True, True]


@pytest.mark.needs_program("xmlsec1")
@pytest.mark.parametrize(
    ("name", "expected"),
    [("changed text", [False, False]), ("changed seal", [False, True])],
)
def test_what_was_changed_on_the_way_does_not(suite: Suite, tmp_path: Path, name: str, expected: list[bool]) -> None:
    (capture,) = as_sent(suite)
    changed = {
        "changed text": capture.content.replace(b"Beslut", b"Beslux", 1),
        "changed seal": re.sub(rb"(<(?:\w+:)?SignaturesOK[^>]*>)true", rb"\1false", capture.content),
    }[name]
    assert changed != capture.content
    assert [verified(tmp_path, each, suite.authorities) for each in documents(changed)] == expected
