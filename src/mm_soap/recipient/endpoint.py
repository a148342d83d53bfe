"""The operations of the Recipient service that are built. The others are answered by the shell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mm_soap.far import Register
from mm_soap.recipient import wire

if TYPE_CHECKING:
    from mm_soap.soap import Handler, Precheck

PRECHECKS: Mapping[str, Precheck] = {"isRegistered": wire.check_number_of_ids, "isReachable": wire.check_number_of_ids}
"""What is looked at before the schema. More than 1000 ids have an error code of their own; the schema would call it bad
input. Source: contract, errors."""


def recipient_handlers(register: Register) -> Mapping[str, Handler]:
    """Return what answers each operation of the Recipient service, by its name."""
    return {
        "isRegistered": lambda call: wire.registered_answer(register.is_registered(wire.read_ids(call.payload))),
        "isReachable": lambda call: wire.reachable_answer(
            register.is_reachable(wire.read_sender(call.payload), wire.read_ids(call.payload))
        ),
    }
