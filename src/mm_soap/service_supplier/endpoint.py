"""The operations of the Service service that are built. The others are answered by the shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mm_soap.dsig import VerifiedSeal
from mm_soap.service_supplier import wire
from mm_soap.service_supplier.service import MailboxService

if TYPE_CHECKING:
    from mm_soap.soap import Call, Handler, Precheck

PRECHECKS: Mapping[str, Precheck] = {"deliverSecure": wire.require_signatures}
"""What is looked at before the schema. A missing signature has an error code of its own; the schema would call it bad
input. Source: contract, errors, 5006."""


def service_handlers(service: MailboxService, verify: Callable[[Call], VerifiedSeal]) -> Mapping[str, Handler]:
    """Return what answers each operation of the Service service, by its name.

    Args:
        service: the use cases.
        verify: checks the seal and the signature of the delivery in a deliverSecure.
    """

    def deliver_secure(call: Call) -> bytes:
        outcome = service.deliver_secure(verify(call), call.raw, call.call_id, call.caller.organisation)
        return wire.delivery_answer(outcome)

    return {"deliverSecure": deliver_secure}
