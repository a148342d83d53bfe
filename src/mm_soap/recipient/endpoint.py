"""The operations of the Recipient service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from mm_soap.far import Register
from mm_soap.far.accounts import Accounts, Origin
from mm_soap.far.callers import Callers
from mm_soap.recipient import account_wire, wire
from mm_soap.recipient.hot import HotReach
from mm_soap.storage import RETENTION
from mm_soap.xml import RECIPIENT_V2, RECIPIENT_V3

if TYPE_CHECKING:
    from mm_soap.soap import Call, Handler, Precheck
    from mm_soap.soap.model import Answer

PRECHECKS: Mapping[str, Precheck] = {
    "isRegistered": wire.check_number_of_ids,
    "isReachable": wire.check_number_of_ids,
    "getPendingAccountRequest": wire.check_number_of_ids,
}
"""What is looked at before the schema. More than 1000 ids have an error code of their own; the schema would call it bad
input. Source: contract, errors."""

OriginOf = Callable[["Call"], Origin]
"""Tells where a call comes from."""


def recipient_handlers(
    register: Register, accounts: Accounts, callers: Callers, retention: timedelta = RETENTION
) -> Mapping[str, Handler]:
    """Return what answers each operation of the Recipient service, by its name.

    Args:
        register: the lookups.
        accounts: the use cases of accounts.
        callers: knows who may call.
        retention: how long a request that changed an account is kept as evidence.
    """

    def origin_of(call: Call) -> Origin:
        return Origin(call.call_id, call.caller.organisation, call.operation, call.raw, retention)

    asking = _Asking(register, callers)
    requests = _Requests(accounts, origin_of)
    waiting = _Waiting(accounts, origin_of)
    return {
        "isRegistered": asking.is_registered,
        "isReachable": asking.is_reachable,
        "register": requests.register,
        "deregister": requests.deregister,
        "changeServiceSupplier": requests.change_service_supplier,
        "storeAccountPreferences": requests.store_account_preferences,
        "getAccountPreferences": requests.get_account_preferences,
        "isAuthorizedSigner": requests.is_authorized_signer,
        "getPendingAccountRequest": waiting.get_account_request,
        "deletePendingAccountRequest": waiting.delete_account_request,
        "getPendingChangeServiceSupplier": waiting.get_change,
        "deletePendingChangeServiceSupplier": waiting.delete_change,
        "getPendingAccountPreferences": waiting.get_preferences,
        "deletePendingAccountPreferences": waiting.delete_preferences,
    }


class _Asking:
    def __init__(self, register: Register, callers: Callers) -> None:
        self._register = register
        self._callers = callers
        self._hot = HotReach(register)

    def is_registered(self, call: Call) -> bytes:
        self._callers.check_party(call.caller.organisation)
        return wire.registered_answer(self._register.is_registered(wire.read_ids(call.payload)))

    def is_reachable(self, call: Call) -> Answer:
        sender = wire.read_sender(call.payload)
        self._callers.check_reach(call.caller.organisation, sender)
        recipients = wire.read_ids(call.payload) if call.values is None else call.values
        quick = self._hot.answer(sender, recipients)
        return wire.reachable_answer(self._register.is_reachable(sender, recipients)) if quick is None else quick


class _Requests:
    def __init__(self, accounts: Accounts, origin_of: OriginOf) -> None:
        self._accounts = accounts
        self._origin = origin_of

    def register(self, call: Call) -> bytes:
        asked = account_wire.read_account_request(call.payload)
        found = self._accounts.register(asked.wanted, asked.operator_name, asked.signatures, self._origin(call))
        return account_wire.authorization_answer("register", RECIPIENT_V3, "return", found)

    def deregister(self, call: Call) -> bytes:
        asked = account_wire.read_account_request(call.payload)
        found = self._accounts.deregister(asked.wanted, asked.operator_name, asked.signatures, self._origin(call))
        return account_wire.authorization_answer("deregister", RECIPIENT_V3, "return", found)

    def change_service_supplier(self, call: Call) -> bytes:
        asked = account_wire.read_signed_change(call.payload)
        found = self._accounts.change_operator(
            asked.recipient, asked.user, asked.operator_name, asked.text, asked.signatures, self._origin(call)
        )
        element = "signatureAuthorizationResult"
        return account_wire.authorization_answer("changeServiceSupplier", RECIPIENT_V2, element, found)

    def store_account_preferences(self, call: Call) -> bytes:
        asked = account_wire.read_signed_change(call.payload)
        found = self._accounts.store_preferences(
            asked.recipient, asked.user, asked.accepted, asked.text, asked.signatures, self._origin(call)
        )
        return account_wire.authorization_answer("storeAccountPreferences", RECIPIENT_V2, "return", found)

    def get_account_preferences(self, call: Call) -> bytes:
        recipient, user = account_wire.read_identity(call.payload)
        senders = self._accounts.get_preferences(recipient, user, self._origin(call))
        return account_wire.preferences_answer(recipient, senders)

    def is_authorized_signer(self, call: Call) -> bytes:
        company, user = account_wire.read_identity(call.payload)
        return account_wire.authorized_signer_answer(
            self._accounts.authorized_signer(company, user, self._origin(call))
        )


class _Waiting:
    def __init__(self, accounts: Accounts, origin_of: OriginOf) -> None:
        self._accounts = accounts
        self._origin = origin_of

    def get_account_request(self, call: Call) -> bytes:
        recipients, user = account_wire.read_identities(call.payload)
        found = self._accounts.pending_account_requests(recipients, user, self._origin(call))
        return account_wire.pending_requests_answer(found)

    def delete_account_request(self, call: Call) -> bytes:
        recipient, user = account_wire.read_identity(call.payload)
        self._accounts.abandon_account_request(recipient, user, self._origin(call))
        return account_wire.abandoned_request_answer()

    def get_change(self, call: Call) -> bytes:
        recipient, user = account_wire.read_identity(call.payload)
        return account_wire.pending_change_answer(self._accounts.pending_change(recipient, user, self._origin(call)))

    def delete_change(self, call: Call) -> bytes:
        recipient, user = account_wire.read_identity(call.payload)
        return account_wire.abandoned_change_answer(self._accounts.abandon_change(recipient, user, self._origin(call)))

    def get_preferences(self, call: Call) -> bytes:
        recipient, user = account_wire.read_identity(call.payload)
        found = self._accounts.pending_preferences(recipient, user, self._origin(call))
        return account_wire.pending_preferences_answer(found)

    def delete_preferences(self, call: Call) -> bytes:
        recipient, user = account_wire.read_identity(call.payload)
        self._accounts.abandon_preferences(recipient, user, self._origin(call))
        return account_wire.abandoned_preferences_answer(recipient, user)
