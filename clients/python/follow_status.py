"""Follow a delivery until nothing more will happen to it.

    python follow_status.py --sender 162021004748 DISTRIBUTION-ID

Exit status: 0 delivered, 1 an error, 3 it ended otherwise, 4 it has not ended yet.
"""

import time
from argparse import ArgumentParser
from typing import Any

from mina_meddelanden import NOT_FINISHED, ApplicationFault, Service, add_connection_options, message_service, run

MEANING = {
    ("Digital", "Delivered"): "Delivered",
    ("Digital", "DeliveryFailed"): "DeliveryFailed: it did not reach the mailbox; send it on paper",
    ("Paper", None): "Paper: the recipient does not accept this sender; send it on paper",
    ("Not", None): "Not: the recipient is not in the register; send it on paper",
}
"""What is said once a delivery has ended. Any other status means: ask again."""


def ask(dispatcher: Service, sender: str, distribution_id: str) -> Any:
    """Return the delivery's status, or None while the dispatcher has not unpacked it."""
    try:
        answer = dispatcher.call("checkDistributionStatus", senderId=sender, distributionId=distribution_id)
    except ApplicationFault as fault:
        if fault.code == NOT_FINISHED:
            return None
        raise
    # A secure delivery has one recipient.
    return answer[0] if answer else None


def main() -> int:
    """Print how the delivery ended."""
    parser = ArgumentParser(description="Follow a delivery until nothing more will happen to it.")
    add_connection_options(parser)
    parser.add_argument("--sender", required=True, help="the sender's organisation number, 12 digits")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between two questions (default 2)")
    parser.add_argument("--wait", type=float, default=600.0, help="seconds until asking stops (default 600)")
    parser.add_argument("distribution_id")
    options = parser.parse_args()

    dispatcher = message_service(options)
    stop_at = time.monotonic() + options.wait
    while True:
        status = ask(dispatcher, options.sender, options.distribution_id)
        ended = MEANING.get((status.Type, status.DeliveryStatus)) if status else None
        if ended:
            print(ended)
            return 0 if status.DeliveryStatus == "Delivered" else 3
        if time.monotonic() + options.interval > stop_at:
            print("Pending: ask again later" if status else "Not unpacked yet: ask again later")
            return 4
        time.sleep(options.interval)


if __name__ == "__main__":
    run(main)
