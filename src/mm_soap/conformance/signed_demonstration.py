"""The plans for the dispatcher and an operator of a demonstration."""

from __future__ import annotations

from mm_soap.config import Settings
from mm_soap.conformance.plan import tls_of_demonstration
from mm_soap.contract import ports
from mm_soap.demonstration import (
    DISPATCHER,
    KOMMUN_B,
    OPERATOR_ONE,
    OPERATOR_TWO,
    RECIPIENT,
    RECIPIENT_AT_TWO,
    RECIPIENT_WITHOUT_B,
    UNKNOWN,
)


def dispatcher(settings: Settings) -> dict[str, object]:
    """Return the plan's table for the dispatcher."""
    return {
        "message": f"{settings.base_url}{ports()['message'].path}",
        "notification": f"{settings.base_url}{ports()['notification'].path}",
        "unregistered": UNKNOWN,
        **_shared(settings),
        **tls_of_demonstration(settings, KOMMUN_B.number),
    }


def operator(settings: Settings) -> dict[str, object]:
    """Return the plan's table for operator two."""
    tls = tls_of_demonstration(settings, DISPATCHER.number)
    return {
        "service": f"{settings.base_url}{OPERATOR_TWO.path}{ports()['service'].path}",
        **_files(settings, "dispatcher", DISPATCHER.number),
        "unregistered": RECIPIENT,
        **_shared(settings),
        **(_files(settings, "forwarder", OPERATOR_TWO.number) if tls else {}),
        **tls,
    }


def _shared(settings: Settings) -> dict[str, object]:
    return {
        **_files(settings, "sender", KOMMUN_B.number),
        "sender_name": KOMMUN_B.name,
        **_files(settings, "outsider", OPERATOR_ONE.number),
        "recipient": RECIPIENT_AT_TWO,
        "deselecting": RECIPIENT_WITHOUT_B,
    }


def _files(settings: Settings, name: str, number: str) -> dict[str, object]:
    pki = settings.trust.anchors[0].parent
    return {f"{name}_certificate": pki / f"{number}.pem", f"{name}_key": pki / f"{number}.key"}
