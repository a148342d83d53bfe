"""Letters for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mm_soap.channels import Contact, Letter, Origin
from mm_soap.message import Message, new_message

ORIGIN = Origin("162021004748", "Kommun Å", "post@kommun.example", "KommunA", ("Box 1", "123 45 Småstad"))
CONTACT = Contact("Šejla Nguyễn", "sejla@example.org", "+46701740605", ("c/o Ærø", "Storgatan 1", "123 45 Ö-vik"))


def a_letter(*messages: Message, **change: Any) -> Letter:
    made = Letter(
        "7d0c7c4e-3f0f-4d65-9a0c-5d3a2b1c0d9e",
        ORIGIN,
        CONTACT,
        messages or (replace(new_message("Tid hos oss", text="Välkommen på tisdag & ta med legitimation."), id="m-1"),),
        datetime(2026, 11, 2, 10, 0, 0, 123456, tzinfo=UTC),
    )
    return replace(made, **change)
