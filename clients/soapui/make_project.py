"""Make a copy of the SoapUI project that holds messages signed with the keys of a demonstration.

    mm-soap init demo --demo
    python make_project.py demo my-soapui-project.xml
    mm-soap serve --config demo/mm-soap.toml

A project file cannot sign, and a signature made with a committed key would be believed nowhere. So the project has a
property for each signed message, and this script fills them. It needs what ../python/requirements.txt lists.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import date
from pathlib import Path

from lxml import etree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
from mina_meddelanden import MESSAGE_V1, MESSAGE_V3, SCHEMA, Attachment, Signer, build_delivery, sign

PROJECT = Path(__file__).with_name("mm-soap-soapui-project.xml")
SERVICE_V3 = f"{SCHEMA}/Service/v3"
CONFIG = "{http://eviware.com/soapui/config}"

KOMMUN_A = ("162021004748", "Kommun A")
KOMMUN_B = ("162021003898", "Kommun B")
DISPATCHER = "165599999900"
RECIPIENT = "192705178354"
NOT_IN_THE_REGISTER = "191212121212"
WITHOUT_KOMMUN_B = "189002619808"

CALENDAR = Attachment("tid.ics", "text/calendar", b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n")
IDS_OVER_THE_LIMIT = 1001


def samples(signers: Callable[[str], Signer]) -> dict[str, str]:
    """Return the value of each property that the project leaves open.

    Args:
        signers: returns who signs for an organisation number.
    """
    kommun_a, kommun_b, dispatcher = signers(KOMMUN_A[0]), signers(KOMMUN_B[0]), signers(DISPATCHER)

    def signed(sender: tuple[str, str], recipient: str, signer: Signer, checksum: str | None = None) -> bytes:
        document = build_delivery(sender, recipient, "Beslut om bygglov", "Hej!\n", [CALENDAR])
        if checksum is not None:
            next(document.iter(f"{{{MESSAGE_V1}}}Checksum")).text = checksum
        return sign(document, signer)

    delivery = signed(KOMMUN_A, RECIPIENT, kommun_a)
    sealed = seal(signed(KOMMUN_A, RECIPIENT, kommun_a), dispatcher)
    return {
        "idsOverTheLimit": f"<recipientId>{RECIPIENT}</recipientId>" * IDS_OVER_THE_LIMIT,
        "signedDelivery": delivery_argument(delivery),
        "signedToUnknown": delivery_argument(signed(KOMMUN_A, NOT_IN_THE_REGISTER, kommun_a)),
        "signedToDeselected": delivery_argument(signed(KOMMUN_B, WITHOUT_KOMMUN_B, kommun_b)),
        "signedByAnother": delivery_argument(signed(KOMMUN_A, RECIPIENT, kommun_b)),
        "signedThenChanged": delivery_argument(changed(delivery)),
        "signedWithWrongChecksum": delivery_argument(signed(KOMMUN_A, RECIPIENT, kommun_a, checksum="0" * 32)),
        "sealedDelivery": sealed_argument(sealed),
        "sealedToNoMailbox": sealed_argument(seal(signed(KOMMUN_A, WITHOUT_KOMMUN_B, kommun_a), dispatcher)),
        "sealedByAnother": sealed_argument(seal(signed(KOMMUN_A, RECIPIENT, kommun_a), kommun_b)),
        "sealedThenChanged": sealed_argument(changed(sealed)),
        "sealedWithChangedDelivery": sealed_argument(seal(changed(signed(KOMMUN_A, RECIPIENT, kommun_a)), dispatcher)),
    }


def seal(signed: bytes, dispatcher: Signer) -> bytes:
    """Return a SealedDelivery: the signed delivery, the dispatcher's Seal and its signature over both."""
    received = f'<ReceivedTime xmlns="{MESSAGE_V1}">{date.today().isoformat()}</ReceivedTime>'
    verdict = f'<SignaturesOK xmlns="{MESSAGE_V1}">true</SignaturesOK>'
    # Joined as text, so that nothing rewrites the bytes that the sender signed.
    text = f'<SealedDelivery xmlns="{MESSAGE_V3}">{signed.decode()}<Seal>{received}{verdict}</Seal></SealedDelivery>'
    return sign(etree.fromstring(text), dispatcher)


def changed(document: bytes) -> bytes:
    """Return a signed document with another subject than the one that was signed."""
    return document.replace(b"Beslut om bygglov", b"Beslut om byggnad", 1)


def delivery_argument(document: bytes) -> str:
    """Return a signed delivery as the argument of distributeSecure."""
    return renamed(document, "SignedDelivery", "signedDelivery")


def sealed_argument(document: bytes) -> str:
    """Return a sealed delivery as the argument of deliverSecure."""
    # The argument is an element of the Service schema around content of the Message schema. With a prefix for the one,
    # the other stays the default namespace, as it was signed.
    argument = renamed(document, "SealedDelivery", "s:deliverSecure")
    return argument.replace("<s:deliverSecure", f'<s:deliverSecure xmlns:s="{SERVICE_V3}"', 1)


def renamed(document: bytes, old: str, new: str) -> str:
    """Return a document with another name for its root; nothing else changes."""
    head, _, tail = document.decode().replace(f"<{old}", f"<{new}", 1).rpartition(f"</{old}")
    return f"{head}</{new}{tail}"


def fill(project: etree._ElementTree, values: dict[str, str]) -> None:
    """Set properties of a project. A property that the project does not have is an error."""
    properties = {
        entry.findtext(f"{CONFIG}name"): entry for entry in project.iterfind(f"{CONFIG}properties/{CONFIG}property")
    }
    for name, value in values.items():
        properties[name].find(f"{CONFIG}value").text = value


def main() -> None:
    """Write the project file that SoapUI opens."""
    parser = ArgumentParser(description="Make a SoapUI project with messages signed by a demonstration's keys.")
    parser.add_argument("demonstration", type=Path, help="the folder that `mm-soap init FOLDER --demo` made")
    parser.add_argument("output", type=Path, help="the project file to write")
    parser.add_argument("--endpoint", default="http://127.0.0.1:8080", help="where it is served")
    options = parser.parse_args()

    pki = options.demonstration / "pki"
    if not pki.is_dir():
        sys.exit(f"{pki} is not there: make a demonstration first, with `mm-soap init {options.demonstration} --demo`.")
    project = etree.parse(PROJECT)
    values = samples(lambda number: Signer.load(pki / f"{number}.pem", pki / f"{number}.key"))
    fill(project, {"endpoint": options.endpoint.rstrip("/"), **values})
    project.write(options.output, encoding="UTF-8", xml_declaration=True)
    print(f"Open {options.output} in SoapUI, or run it: testrunner.sh {options.output}")


if __name__ == "__main__":
    main()
