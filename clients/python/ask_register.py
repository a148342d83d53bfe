"""Ask the register which recipients can be reached, and at which mailbox operator.

python ask_register.py --sender 162021004748 192705178354 191212121212
"""

from argparse import ArgumentParser
from typing import Any

from mina_meddelanden import add_connection_options, reachable, recipient_service, run

MOST_IN_ONE_CALL = 1000
COLUMNS = "{:<14}{:<11}{:<11}{:<9}{:<10}{}"


def row(status: Any) -> str:
    """Return one line of the table."""
    account = status.AccountStatus
    answers = (reachable(status), account.Pending, status.SenderAccepted)
    reached, pending, accepted = ("yes" if answer else "no" for answer in answers)
    operator = account.ServiceSupplier.Name if account.ServiceSupplier else "-"
    return COLUMNS.format(account.RecipientId, reached, account.Type, pending, accepted, operator)


def main() -> int:
    """Print a table with one line for each recipient, in the order in which they were given."""
    parser = ArgumentParser(description="Ask the register which recipients can be reached.")
    add_connection_options(parser)
    parser.add_argument("--sender", required=True, help="the organisation number of who wants to send, 12 digits")
    parser.add_argument("recipients", nargs="+", help="personal or organisation numbers, 12 digits")
    options = parser.parse_args()

    register = recipient_service(options)
    print(COLUMNS.format("recipient", "reachable", "account", "pending", "accepted", "operator"))
    for start in range(0, len(options.recipients), MOST_IN_ONE_CALL):
        asked = options.recipients[start : start + MOST_IN_ONE_CALL]
        for status in register.call("isReachable", senderOrgNr=options.sender, recipientId=asked):
            print(row(status))
    return 0


if __name__ == "__main__":
    run(main)
