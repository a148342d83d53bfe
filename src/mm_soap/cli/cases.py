"""What mm-soap mailbox says of the case that a message belongs to."""

from __future__ import annotations

from typing import Any, Final

from mm_soap.service_supplier import Case, CaseEvent, Turn

_WORDS: Final = {
    Turn.SENDER: "the sender acts next",
    Turn.RECIPIENT: "the recipient acts next",
    Turn.CLOSED: "closed",
    None: "the sender did not say whose turn it is",
}


def case_rows(event: CaseEvent | None, case: Case | None) -> list[tuple[object, ...]]:
    """Return rows about the case of a message; none where its sender said nothing of one."""
    if event is None:
        return []
    rows: list[tuple[object, ...]] = []
    if case is not None:
        number = f" ({case.official_matter_id})" if case.official_matter_id else ""
        messages = "1 message" if case.total == 1 else f"{case.total} messages"
        rows += [("case", f"{case.subject}{number}, {messages}"), ("case now", _WORDS[case.turn])]
        kind = f": {event.event_type}" if event.event_type else ""
        rows.append(("event", f"{event.dated}{kind}"))
    return rows + [("other detail", f"{one.name}: {one.text}") for one in event.details]


def case_document(event: CaseEvent | None, case: Case | None) -> dict[str, Any] | None:
    """Return the same for a JSON document."""
    if event is None:
        return None
    turn = case.turn if case is not None else None
    now = None if case is None else {"subject": case.subject, "messages": case.total, "matter_status": turn}
    return event.document() | {"now": now}
