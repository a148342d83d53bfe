"""The use cases of the register."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Engine

from mm_soap.clock import Clock, system_clock
from mm_soap.errors import Refusal, Refused
from mm_soap.far import store
from mm_soap.far.model import (
    MOST_IDS,
    Account,
    AccountStatus,
    AccountType,
    Dispatcher,
    Operator,
    Reachability,
    Sender,
    is_recipient,
)
from mm_soap.storage import Conflict, reading, writing

_NOT = AccountType.NOT.value


class Register:
    """The address register.

    Args:
        engine: its database, migrated.
        clock: the time.

    Every method raises ``Refused`` with ``UNAVAILABLE`` when the database is away or busy.
    """

    def __init__(self, engine: Engine, clock: Clock = system_clock) -> None:
        self._engine = engine
        self._clock = clock

    @property
    def engine(self) -> Engine:
        """The database, for what must be close to it."""
        return self._engine

    def is_registered(self, recipients: Sequence[str]) -> Sequence[AccountStatus]:
        """Return the status of each id, in the order asked; one asked twice is answered twice.

        Source: contract, services, isRegistered.

        Raises:
            Refused: ``TOO_MANY`` for more than 1000 ids.
        """
        _bound(recipients)
        with reading(self._engine) as connection:
            found = store.find_accounts(connection, recipients)
            operators = store.all_operators(connection) if found else {}
        answer = []
        for recipient in recipients:
            row = found.get(recipient)
            if row is None:
                answer.append(AccountStatus(recipient, _NOT, False, None, None))
            else:
                _, kind, pending, number, registered = row
                answer.append(AccountStatus(recipient, kind, pending, operators[number], registered))
        return answer

    def is_reachable(self, sender: str, recipients: Sequence[str]) -> Sequence[Reachability]:
        """Return for each id, in the order asked, its account and whether it accepts the sender.

        An id without an account is a normal answer. A sender that is not connected is accepted by nobody. A pending
        account tells what its recipient chose; the caller treats it as not reachable. Source: contract, services,
        isReachable.

        Raises:
            Refused: ``TOO_MANY`` for more than 1000 ids.
        """
        _bound(recipients)
        with reading(self._engine) as connection:
            found = store.find_accounts_for(connection, sender, recipients)
            operators = store.all_operators(connection) if found else {}
            connected = bool(found) and store.is_sender(connection, sender)
        answer = []
        for recipient in recipients:
            row = found.get(recipient)
            if row is None:
                answer.append(Reachability(AccountStatus(recipient, _NOT, False, None, None), False, None))
            else:
                _, kind, pending, number, registered, accepted, changed = row
                status = AccountStatus(recipient, kind, pending, operators[number], registered)
                answer.append(Reachability(status, connected and accepted is not False, changed))
        return answer

    def get_senders(self) -> Sequence[Sender]:
        """Return every connected sender, by organisation number."""
        with reading(self._engine) as connection:
            return store.all_senders(connection)

    def get_dispatchers(self) -> Sequence[Dispatcher]:
        """Return every approved dispatcher with the senders for which it may sign, by organisation number."""
        with reading(self._engine) as connection:
            return store.all_dispatchers(connection)

    def is_sender_accepted(self, number: str) -> bool:
        """Tell whether an organisation is a connected sender."""
        with reading(self._engine) as connection:
            return store.is_sender(connection, number)

    def add_operator(self, operator: Operator) -> None:
        """Add an operator, or change the one of that number.

        Raises:
            Refused: ``OBJECT_EXISTS`` when another operator has that name.
        """
        try:
            with writing(self._engine) as connection:
                store.save_operator(connection, operator)
        except Conflict:
            raise Refused(Refusal.OBJECT_EXISTS, "ServiceSupplier/Name") from None

    def add_sender(self, sender: Sender) -> None:
        """Add a sender, or change the one of that number."""
        with writing(self._engine) as connection:
            store.save_sender(connection, sender)

    def add_dispatcher(self, dispatcher: Dispatcher) -> None:
        """Add a dispatcher, or change the one of that number. Its list of senders replaces the one before.

        Raises:
            Refused: ``NOT_FOUND`` when one of its senders is not connected.
        """
        try:
            with writing(self._engine) as connection:
                store.save_dispatcher(connection, dispatcher)
        except Conflict:
            raise Refused(Refusal.NOT_FOUND, "Dispatcher/Senders") from None

    def add_accounts(self, accounts: Iterable[Account]) -> None:
        """Add accounts, or change those of the same recipients: all or nothing.

        Raises:
            Refused: ``NOT_FOUND`` when an operator is not registered, ``BAD_IDENTIFIER`` for a recipient that is not
                twelve digits.
        """
        accounts = list(accounts)
        if not all(is_recipient(account.recipient) for account in accounts):
            raise Refused(Refusal.BAD_IDENTIFIER, "RecipientId")
        try:
            with writing(self._engine) as connection:
                store.save_accounts(connection, accounts)
        except Conflict:
            raise Refused(Refusal.NOT_FOUND, "AccountRequest/ServiceSupplier") from None

    def add_account(self, account: Account) -> None:
        """Add one account; see `add_accounts`."""
        self.add_accounts([account])

    def deselect(self, recipient: str, sender: str) -> None:
        """Write that a recipient does not accept a sender.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no account or the sender is not connected.
        """
        self._choose(recipient, sender, False)

    def select(self, recipient: str, sender: str) -> None:
        """Write that a recipient accepts a sender again.

        Raises:
            Refused: ``NOT_FOUND`` when the recipient has no account or the sender is not connected.
        """
        self._choose(recipient, sender, True)

    def _choose(self, recipient: str, sender: str, accepted: bool) -> None:
        if not is_recipient(recipient):
            raise Refused(Refusal.BAD_IDENTIFIER, "RecipientId")
        try:
            with writing(self._engine) as connection:
                store.save_choice(connection, recipient, sender, accepted, self._clock())
        except Conflict:
            raise Refused(Refusal.NOT_FOUND, "AccountPreferences") from None


def _bound(recipients: Sequence[str]) -> None:
    if len(recipients) > MOST_IDS:
        raise Refused(Refusal.TOO_MANY, "recipientId")
