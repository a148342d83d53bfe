"""The operations of the Authority service that are built. The others are answered by the shell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mm_soap.far import wire
from mm_soap.far.service import Register

if TYPE_CHECKING:
    from mm_soap.soap import Handler


def authority_handlers(register: Register) -> Mapping[str, Handler]:
    """Return what answers each operation of the Authority service, by its name."""
    return {
        "getSenders": lambda _call: wire.senders_answer(register.get_senders()),
        "getDispatchers": lambda _call: wire.dispatchers_answer(register.get_dispatchers()),
        "isSenderAccepted": lambda call: wire.accepted_answer(
            register.is_sender_accepted(wire.read_organisation(call.payload))
        ),
    }
