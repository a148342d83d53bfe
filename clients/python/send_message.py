"""Sign a message and hand it to a dispatcher; print the distribution id.

    python send_message.py --certificate sender.pem --key sender.key --recipient 192705178354 \\
        --subject "Beslut om bygglov" --text beslut.txt --attach beslut.pdf
"""

from argparse import ArgumentParser
from pathlib import Path

from mina_meddelanden import (
    Attachment,
    Signer,
    add_connection_options,
    build_delivery,
    distribute,
    message_service,
    run,
    sign,
)


def main() -> int:
    """Print the distribution id, with which follow_status.py asks how far the message came."""
    parser = ArgumentParser(description="Sign a message and hand it to a dispatcher.")
    add_connection_options(parser)
    parser.add_argument("--certificate", required=True, type=Path, help="PEM file: who signs")
    parser.add_argument("--key", required=True, type=Path, help="PEM file: the signer's private key, not encrypted")
    parser.add_argument("--sender", help="organisation number, 12 digits, where a dispatcher signs for the sender")
    parser.add_argument("--sender-name", help="its name")
    parser.add_argument("--recipient", required=True, help="personal or organisation number, 12 digits")
    parser.add_argument("--subject", required=True)
    parser.add_argument("--text", required=True, type=Path, help="a file of plain text, UTF-8")
    parser.add_argument("--attach", default=[], action="append", type=Path, help="a file; may be given several times")
    options = parser.parse_args()

    signer = Signer.load(options.certificate, options.key)
    delivery = build_delivery(
        (options.sender or signer.organisation, options.sender_name or signer.name),
        options.recipient,
        options.subject,
        options.text.read_text(encoding="utf-8"),
        [Attachment.read(path) for path in options.attach],
    )
    print(distribute(message_service(options), sign(delivery, signer)))
    return 0


if __name__ == "__main__":
    run(main)
