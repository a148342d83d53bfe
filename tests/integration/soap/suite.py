"""A program for the tests: the shell with canned handlers under a real gunicorn.

Arguments: port, log file, and for TLS the folder with server.pem, server.key and ca.pem.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from lxml import etree

from mm_soap import contract
from mm_soap.errors import Refusal, Refused
from mm_soap.soap import Call, Metrics, ServerSettings, TlsFiles, compose, serve, soap_application
from mm_soap.xml import RECIPIENT_V1, RECIPIENT_V3, qname

BODY_LIMIT = 2_000_000
ARRIVAL_SECONDS = 2.0
PRIVATE = "197001019999 in the text of an exception"


def is_registered(call: Call) -> etree._Element:
    """Answer; the first id decides how."""
    ids = [str(child.text) for child in call.payload.iterchildren("*")]
    if ids[0] == "199001010000":
        raise RuntimeError(PRIVATE)
    if ids[0] == "199001010001":
        raise Refused(Refusal.NOT_FOUND)
    if ids[0] == "199001010002":
        time.sleep(1.5)
    root = etree.Element(qname(RECIPIENT_V3, "isRegisteredResponse"), nsmap={None: RECIPIENT_V3, "r": RECIPIENT_V1})
    for recipient in ids:
        row = etree.SubElement(root, qname(RECIPIENT_V3, "return"))
        kind = PRIVATE if recipient == "199001010003" else "Not"
        for name, value in (("RecipientId", recipient), ("Type", kind), ("Pending", "false")):
            etree.SubElement(row, qname(RECIPIENT_V1, name)).text = value
    return root


def at_most_1000(payload: etree._Element) -> None:
    """Refuse more ids than the contract allows."""
    if len(payload) > 1001:
        raise Refused(Refusal.TOO_MANY)


def application(base: str) -> object:
    """Return the composed application."""
    metrics = Metrics()
    ports = contract.ports()
    handlers = {"recipient": {"isRegistered": is_registered}}
    services = {
        port.path: soap_application(
            port,
            handlers.get(name, {}),
            published=contract.wsdl(port, base),
            body_limit=BODY_LIMIT,
            prechecks={"isReachable": at_most_1000} if name == "recipient" else None,
            metrics=metrics,
        )
        for name, port in ports.items()
    }
    return compose(services, contract.published(base), lambda: True, metrics)


def main() -> None:
    """Serve until stopped."""
    port, log = int(sys.argv[1]), Path(sys.argv[2])
    logging.basicConfig(level=logging.DEBUG, filename=log, format="%(name)s %(levelname)s %(message)s")
    for name in ("spyne", "spyne.protocol", "signxml"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    pki = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    settings = ServerSettings(
        port=port,
        threads=4,
        graceful_seconds=5,
        arrival_seconds=ARRIVAL_SECONDS,
        answer_seconds=ARRIVAL_SECONDS,
        body_limit=BODY_LIMIT,
        tls=TlsFiles(pki / "server.pem", pki / "server.key", [pki / "ca.pem"]) if pki else None,
    )
    note = log.with_suffix(".hooks")

    def hook(word: str) -> None:
        with note.open("a") as file:
            file.write(word + "\n")

    def start() -> None:
        log.with_suffix(".turn").write_text(str(sys.getswitchinterval()))
        hook("start")

    def settle() -> None:
        time.sleep(0.3)
        hook("settle")

    serve(
        lambda: application(f"http://127.0.0.1:{port}"),  # type: ignore[arg-type,return-value]
        settings,
        start=start,
        settle=settle,
        stop=lambda: hook("stop"),
    )


if __name__ == "__main__":
    main()
