"""One program for what the three scripts do, with the arguments and the output that every client in this project has.

    python mm_client.py ask REGISTER SENDER RECIPIENT...
    python mm_client.py send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF
    python mm_client.py follow MESSAGE SENDER ID
    python mm_client.py verify FILE CERTIFICATE...

Exit status: 0 all is well, 1 the service answered with a fault or a signature is invalid, 2 anything else.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from mina_meddelanden import (
    NOT_FINISHED,
    ApplicationFault,
    Attachment,
    Signer,
    add_tls_options,
    build_delivery,
    distribute,
    message_service,
    reachable,
    recipient_service,
    sign,
)
from verification import InvalidSignature, read_authorities, verify_sealed

FOLLOW_SECONDS = 60


def ask(options: Namespace) -> None:
    """Print one line for each recipient, in the order given."""
    register = recipient_service(options, options.register)
    for status in register.call("isReachable", senderOrgNr=options.sender, recipientId=options.recipients):
        print(status.AccountStatus.RecipientId, "yes" if reachable(status) else "no")


def send(options: Namespace) -> None:
    """Sign a text and a PDF, hand them to the dispatcher, print the distribution id."""
    signer = Signer.load(options.certificate, options.key)
    text = options.text.read_text(encoding="utf-8")
    attachments = [Attachment.read(options.pdf)]
    delivery = build_delivery((signer.organisation, signer.name), options.recipient, options.subject, text, attachments)
    print(distribute(message_service(options, options.message), sign(delivery, signer)))


def follow(options: Namespace) -> None:
    """Print the last status of a delivery."""
    dispatcher = message_service(options, options.message)
    stop_at = time.monotonic() + FOLLOW_SECONDS
    while True:
        try:
            # A secure delivery has one recipient.
            [status] = dispatcher.call("checkDistributionStatus", senderId=options.sender, distributionId=options.id)
            # Paper and Not are types: there is no mailbox, and so no status of delivering to it.
            said = status.DeliveryStatus or status.Type
            if said != "Pending" or time.monotonic() >= stop_at:
                print(said)
                return
        except ApplicationFault as fault:
            if fault.code != NOT_FINISHED or time.monotonic() >= stop_at:
                raise
        time.sleep(1)


def verify(options: Namespace) -> None:
    """Verify both signatures of a sealed delivery, and print who made them."""
    sealed = verify_sealed(options.file.read_bytes(), read_authorities(options.certificates))
    print("seal", sealed.sealer)
    print("signature", sealed.signer)


def main() -> int:
    """Run the command in the arguments and return the exit status."""
    parser = ArgumentParser(description="Ask the register, send a signed message, follow a delivery, verify one.")
    add_tls_options(parser)
    commands = parser.add_subparsers(required=True)
    for command, names in (
        (ask, ("register", "sender")),
        (send, ("message", "certificate", "key", "recipient", "subject", "text", "pdf")),
        (follow, ("message", "sender", "id")),
        (verify, ("file",)),
    ):
        added = commands.add_parser(command.__name__, help=command.__doc__)
        added.set_defaults(run=command)
        for name in names:
            is_file = name in ("certificate", "key", "text", "pdf", "file")
            added.add_argument(name, type=Path if is_file else str)
        if command is ask:
            added.add_argument("recipients", nargs="+")
        if command is verify:
            added.add_argument("certificates", nargs="+")
    options = parser.parse_args()

    try:
        options.run(options)
    except ApplicationFault as fault:
        print(f"fault {fault.code} {fault.description} (CallId {fault.call_id})", file=sys.stderr)
        return 1
    except InvalidSignature as error:
        print(f"invalid {error}", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
