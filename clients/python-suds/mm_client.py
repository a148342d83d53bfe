"""Ask the register, send a signed message, follow a delivery, verify one.

    python mm_client.py ask REGISTER SENDER RECIPIENT...
    python mm_client.py send MESSAGE CERTIFICATE KEY RECIPIENT SUBJECT TEXT PDF
    python mm_client.py follow MESSAGE SENDER ID
    python mm_client.py verify FILE CERTIFICATE...

Exit status: 0 all is well, 1 the service answered with a fault or a signature is invalid, 2 anything else.
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
from verification import InvalidSignature, read_authorities, verify_sealed

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


def verify(file: str, *certificates: str) -> None:
    """Verify both signatures of a sealed delivery, and print who made them."""
    sealed = verify_sealed(Path(file).read_bytes(), read_authorities(certificates))
    print("seal", sealed.sealer)
    print("signature", sealed.signer)


def main() -> int:
    """Run the command in the arguments and return the exit status."""
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stderr.reconfigure(encoding="utf-8")
    try:
        command, *arguments = sys.argv[1:]
        {"ask": ask, "send": send, "follow": follow, "verify": verify}[command](*arguments)
    except suds.WebFault as fault:
        typed = application_fault(fault)
        if typed:
            print(f"fault {typed.ErrorCode} {typed.Description} (CallId {typed.CallId})", file=sys.stderr)
            return 1
        print(fault, file=sys.stderr)
        return 2
    except InvalidSignature as error:
        print(f"invalid {error}", file=sys.stderr)
        return 1
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
