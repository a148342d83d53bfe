"""What the kit answers, as a dispatcher or an operator would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4
from xml.sax.saxutils import escape

from mm_soap.conformance.sender.model import Request, Sheet
from mm_soap.dispatcher.model import Status
from mm_soap.dispatcher.wire import distribute_secure_response, status_response
from mm_soap.errors import Refused
from mm_soap.service_supplier.model import DeliveryOutcome
from mm_soap.service_supplier.wire import delivery_answer
from mm_soap.soap.envelope import fault, wrap
from mm_soap.soap.request import HttpError
from mm_soap.xml import NOTIFICATION_V3, SERVICE_V3

_XML: Final = "text/xml; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    """An answer, or with ``cut`` none: the connection is closed instead."""

    status: int
    body: bytes
    kind: str = _XML
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


def refusal(request: Request, sheet: Sheet, refused: Refused) -> Reply:
    """Return the fault for a refusal."""
    operation = sheet.operation.name if sheet.operation is not None else None
    element = request.port.fault_element(operation) if request.port is not None else None
    return Reply(500, fault(refused, str(uuid4()), element))


def http_error(error: HttpError) -> Reply:
    """Return the answer to what is no SOAP."""
    return Reply(error.code, f"{error.text}\n".encode(), "text/plain; charset=utf-8", error.headers)


def distributed(operation: str, distribution_id: str) -> Reply:
    """Return the answer of Message.distributeSecure, or of Notification.distribute."""
    if operation == "distributeSecure":
        return Reply(200, wrap(distribute_secure_response(distribution_id)))
    answer = (
        f'<distributeResponse xmlns="{NOTIFICATION_V3}"><return>{escape(distribution_id)}</return></distributeResponse>'
    )
    return Reply(200, wrap(answer.encode()))


def delivered(operation: str, trans_id: str, recipients: Iterable[tuple[str, bool]]) -> Reply:
    """Return the answer of one of the operations of Service."""
    if operation != "notify":
        answer = delivery_answer(DeliveryOutcome(trans_id, tuple(recipients)))
        return Reply(200, wrap(answer.replace(b"deliverSecureResponse", f"{operation}Response".encode())))
    rows = "".join(f'<Status xmlns="{NOTIFICATION_V3}">{_notified(*one)}</Status>' for one in recipients)
    start = (
        f'<notifyResponse xmlns="{SERVICE_V3}"><return><TransId xmlns="{NOTIFICATION_V3}">{escape(trans_id)}</TransId>'
    )
    return Reply(200, wrap(f"{start}{rows}</return></notifyResponse>".encode()))


def status(operation_of: str, recipients: Iterable[tuple[str, bool]]) -> Reply:
    """Return the answer of checkDistributionStatus.

    Args:
        operation_of: what the distribution id was answered to.
        recipients: each with whether it has a mailbox.
    """
    if operation_of == "distributeSecure":
        rows = [Status(one, *(("Digital", "Delivered") if there else ("Not", None))) for one, there in recipients]
        return Reply(200, wrap(status_response(rows)))
    told = "".join(f"<return>{_notified(*one)}</return>" for one in recipients)
    name = "checkDistributionStatusResponse"
    return Reply(200, wrap(f'<{name} xmlns="{NOTIFICATION_V3}">{told}</{name}>'.encode()))


def _notified(recipient: str, there: bool) -> str:
    flag = f"<DeliveredFlag>{'true' if there else 'false'}</DeliveredFlag>"
    channel = "<NotifiedByChannel>EMail</NotifiedByChannel>" if there else ""
    return f"<RecipientId>{escape(recipient)}</RecipientId><DeliveryStatus>{flag}{channel}</DeliveryStatus>"
