"""What the kit is told when it listens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mm_soap.config import Settings
from mm_soap.conformance.plan import Number
from mm_soap.demonstration import DISPATCHER
from mm_soap.message import Limits


class SenderPlan(BaseModel):
    """Where to listen, and whose signatures hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """Where to listen."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    """0 takes a free one."""
    url: str = ""
    """What senders call, where it is not the address that is listened at; it stands in the WSDLs."""
    trust: Path
    """PEM file: the authorities of the sender's certificate, or that certificate itself."""
    certificate: Path | None = None
    """The listening party's certificate, PEM with its chain. With it and its key, the kit listens with TLS."""
    key: Path | None = None
    client_trust: Path | None = None
    """Authorities of client certificates; with it, and TLS, each caller must have one."""
    dispatchers: tuple[Number, ...] = ()
    """Organisations that may sign for the sender, and seal, beside the sender itself."""
    mailboxes: tuple[Number, ...] = ()
    """Recipients who have a mailbox here; everybody without it."""
    sha1_from: tuple[Number, ...] = ()
    """Senders whose SHA-1 is no mistake."""
    check_digits: bool = True
    """Whether the check digits of identifiers must be right."""
    max_bytes: Annotated[int, Field(gt=0)] = Limits().max_bytes
    """The largest message with its attachments, in decoded bytes."""

    @model_validator(mode="after")
    def _together(self) -> SenderPlan:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.client_trust is not None and self.certificate is None:
            raise ValueError("client_trust needs certificate and key")
        return self


def demonstration(settings: Settings) -> dict[str, object]:
    """Return the plan's table for the senders of a demonstration."""
    return {
        "port": 8090,
        "trust": settings.trust.anchors[0],
        "dispatchers": [DISPATCHER.number],
    }
