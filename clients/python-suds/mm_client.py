"""Ask the register, send a signed message, follow a delivery.

    python mm_client.py ask REGISTER SENDER RECIPIENT...
    python mm_client.py send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF
    python mm_client.py follow MESSAGE SENDER ID

Exit status: 0 it was answered, 1 the service answered with a fault, 2 anything else.
"""

import sys
from pathlib import Path

import suds
from cryptography import x509
from mina_meddelanden import (
    application_fault,
    build_delivery,
    distribute_secure,
    follow_delivery,
    reachable,
    service,
    sign,
)

FOLLOW_SECONDS = 60


def ask(register: str, sender: str, *recipients: str) -> None:
    """Print one line for each recipient, in the order given."""
    statuses = service(register).service.isReachable(senderOrgNr=sender, recipientId=recipients)
    for status in statuses:
        print(status.AccountStatus.RecipientId, "yes" if reachable(status) else "no")


def send(message: str, certificate: str, key: str, recipient: str, subject: str, text: str, pdf: str) -> None:
    """Sign a text and a PDF, hand them to the dispatcher, print the distribution id."""
    # The first certificate of the file is the signer's own; intermediates may follow.
    signer = x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0]
    delivery = build_delivery(signer, recipient, subject, Path(text).read_bytes(), Path(pdf))
    print(distribute_secure(message, sign(delivery, signer, Path(key).read_bytes())))


def follow(message: str, sender: str, distribution_id: str) -> None:
    """Print the last status of a delivery."""
    print(follow_delivery(message, sender, distribution_id, FOLLOW_SECONDS))


def main() -> int:
    """Run the command in the arguments and return the exit status."""
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stderr.reconfigure(encoding="utf-8")
    try:
        command, *arguments = sys.argv[1:]
        {"ask": ask, "send": send, "follow": follow}[command](*arguments)
    except suds.WebFault as fault:
        typed = application_fault(fault)
        if typed:
            print(f"fault {typed.ErrorCode} {typed.Description} (CallId {typed.CallId})", file=sys.stderr)
            return 1
        print(fault, file=sys.stderr)
        return 2
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
