"""Queries of requests about accounts, their signatures and their history.

The functions that change something expect the account to be locked by `lock_account` in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from mm_soap.far import store as register_store
from mm_soap.far.account_tables import history, imported_account, request, signature, used_signature
from mm_soap.far.accounts.model import GivenSignature, HistoryEntry, Importer, Kind, Pending, Step, sentence_of
from mm_soap.far.audit import audit
from mm_soap.far.model import Account, AccountType
from mm_soap.storage import insert_once

_KEPT: Final = tuple(name for name in GivenSignature.__dataclass_fields__ if name != "mark")

_account = register_store.account
_operator = register_store.operator
_choice = register_store.sender_choice

_one_account = select(
    _account.c.recipient, _account.c.operator, _account.c.account_type, _account.c.pending, _account.c.last_registration
).where(_account.c.recipient == bindparam("wanted"))
# SQLite lets one transaction write at a time and needs no more; PostgreSQL holds the row until the end.
_locked_account = _one_account.with_for_update()
_operator_by_name = select(_operator.c.number).where(
    _operator.c.name == bindparam("wanted"), _operator.c.closed.is_(None)
)
_pending = select(request).where(request.c.state == "pending").order_by(request.c.recipient, request.c.id)
_pending_of = _pending.where(request.c.recipient.in_(bindparam("recipients", expanding=True)))
_pending_signed_by = _pending.where(
    request.c.id.in_(select(signature.c.request).where(signature.c.signer == bindparam("signer")))
)
_signatures = (
    select(signature)
    .where(signature.c.request.in_(bindparam("requests", expanding=True)))
    .order_by(signature.c.request, signature.c.received, signature.c.signer)
)
_last_registration = (
    select(request.c.id, request.c.agreement_text)
    .where(request.c.recipient == bindparam("wanted"), request.c.kind == "register", request.c.state == "completed")
    .order_by(request.c.id.desc())
    .limit(1)
)
_history = (
    select(history, request.c.kind)
    .join_from(history, request, history.c.request == request.c.id)
    .where(history.c.recipient == bindparam("wanted"))
    .order_by(history.c.id)
)
_used = select(used_signature).where(used_signature.c.mark.in_(bindparam("marks", expanding=True)))
_last_completed = (
    select(request)
    .where(request.c.recipient == bindparam("wanted"), request.c.state == "completed")
    .order_by(request.c.changed.desc(), request.c.id.desc())
    .limit(1)
)
_imports = (
    select(imported_account, audit.c.at, audit.c.who, audit.c.login, audit.c.after, _operator.c.name)
    .join_from(imported_account, audit, imported_account.c.audit == audit.c.id)
    .join(_operator, _operator.c.number == imported_account.c.operator)
    # The second condition makes SQLite look into each import by its key, and not through all that was ever imported.
    .where(imported_account.c.recipient == bindparam("wanted"), imported_account.c.audit.in_(select(audit.c.id)))
    .order_by(imported_account.c.audit)
)
_choices = select(_choice.c.sender, _choice.c.accepted).where(_choice.c.recipient == bindparam("wanted"))
_end = update(request).where(request.c.id == bindparam("wanted"))
_move = update(_account).where(_account.c.recipient == bindparam("wanted"))
_close = delete(_account).where(_account.c.recipient == bindparam("wanted"))


def find_account(connection: Connection, recipient: str) -> Account | None:
    """Return the account of a recipient."""
    return _read_account(connection.execute(_one_account, {"wanted": int(recipient)}).first())


def lock_account(connection: Connection, recipient: str) -> Account | None:
    """Return the account of a recipient, and let nobody else change it before this transaction ends.

    Where there is none, nothing is locked: of two that then insert one, the second breaks a key.
    """
    return _read_account(connection.execute(_locked_account, {"wanted": int(recipient)}).first())


def _read_account(row: Any) -> Account | None:
    if row is None:
        return None
    return Account(str(row.recipient), row.operator, AccountType(row.account_type), row.pending, row.last_registration)


def operator_by_name(connection: Connection, name: str) -> str | None:
    """Return the number of the operator that is registered under a name and not closed."""
    number: str | None = connection.execute(_operator_by_name, {"wanted": name}).scalar()
    return number


def find_pending(connection: Connection, recipients: Collection[str], *kinds: Kind) -> Sequence[Pending]:
    """Return the pending requests of some recipients, of any or some kinds, by recipient."""
    rows = connection.execute(_pending_of, {"recipients": [int(one) for one in recipients]}).all()
    return _with_signatures(connection, [row for row in rows if not kinds or row.kind in kinds])


def find_pending_signed(connection: Connection, user: str, *kinds: Kind) -> Sequence[Pending]:
    """Return the pending requests of some kinds that a person has signed."""
    rows = connection.execute(_pending_signed_by, {"signer": user}).all()
    return _with_signatures(connection, [row for row in rows if row.kind in kinds])


def _with_signatures(connection: Connection, rows: Sequence[Any]) -> Sequence[Pending]:
    given: dict[int, list[GivenSignature]] = {}
    if rows:
        for row in connection.execute(_signatures, {"requests": [row.id for row in rows]}).mappings():
            given.setdefault(row["request"], []).append(_read_signature(row))
    answer = []
    for row in rows:
        content = row.content or {}
        answer.append(
            Pending(
                row.id,
                Kind(row.kind),
                str(row.recipient),
                row.operator,
                row.account_type,
                row.agreement_text,
                row.requested_on,
                row.changed,
                frozenset(content["accepted"]) if content else None,
                frozenset(content["deselected"]) if content else None,
                tuple(given.get(row.id, ())),
            )
        )
    return answer


def _read_signature(row: RowMapping) -> GivenSignature:
    return GivenSignature(**{name: row[name] for name in _KEPT})


def begin(connection: Connection, one: Pending) -> int:
    """Write a new request and return its key."""
    content = None
    if one.accepted is not None:
        content = {"accepted": sorted(one.accepted), "deselected": sorted(one.deselected or ())}
    row = {
        "recipient": int(one.recipient),
        "kind": one.kind.value,
        "state": "pending",
        "operator": one.operator,
        "account_type": one.account_type,
        "agreement_text": one.agreement_text,
        "requested_on": one.requested_on,
        "content": content,
        "begun": one.changed,
        "changed": one.changed,
    }
    return int(insert_once(connection, request, row))


def end(connection: Connection, request_id: int, step: Step, at: datetime) -> None:
    """Write that a request waits no more: it is completed, abandoned or replaced."""
    connection.execute(_end.values(state=step.value, changed=at), {"wanted": request_id})


def touch(connection: Connection, request_id: int, at: datetime) -> None:
    """Write when a signature was last added to a request."""
    connection.execute(_end.values(changed=at), {"wanted": request_id})


def record_step(connection: Connection, request_id: int, recipient: str, entry: HistoryEntry) -> None:
    """Write a step of the history, with the signatures that came with it."""
    row = {
        "request": request_id,
        "recipient": int(recipient),
        "at": entry.at,
        "step": entry.step.value,
        "operator": entry.operator,
        "caller": entry.caller,
        "call_id": entry.call_id,
        "sentence": entry.sentence,
    }
    key = connection.execute(insert(history), row).inserted_primary_key
    assert key is not None
    if entry.signatures:
        rows = [
            {"request": request_id, "history": key[0], **{name: getattr(one, name) for name in _KEPT}}
            for one in entry.signatures
        ]
        connection.execute(insert(signature), rows)


def requests_of(connection: Connection, given: Iterable[GivenSignature]) -> Mapping[str, int]:
    """Return, by mark, the request with which each of some signatures came before, if it did."""
    # Those that came before they were marked are known by their bytes.
    by_name = {name: one.mark for one in given for name in (hashlib.sha256(one.signature).hexdigest(), one.mark)}
    rows = connection.execute(_used, {"marks": sorted(by_name)})
    return {by_name[name]: request_id for name, request_id in rows}


def use(connection: Connection, request_id: int, given: Iterable[GivenSignature]) -> None:
    """Write that signatures came with a request. Breaks a key for one that came with another request."""
    marks = sorted({one.mark for one in given})
    if marks:
        connection.execute(insert(used_signature), [{"mark": mark, "request": request_id} for mark in marks])


def last_completed(connection: Connection, recipient: str) -> Pending | None:
    """Return the request about a recipient that was completed last, as it was."""
    found = _with_signatures(connection, connection.execute(_last_completed, {"wanted": int(recipient)}).all())
    return found[0] if found else None


def read_history(connection: Connection, recipient: str) -> Sequence[HistoryEntry]:
    """Return the history of a recipient's accounts, oldest first."""
    rows = connection.execute(_history, {"wanted": int(recipient)}).all()
    given: dict[int, list[GivenSignature]] = {}
    if rows:
        for row in connection.execute(_signatures, {"requests": sorted({row.request for row in rows})}).mappings():
            given.setdefault(row["history"], []).append(_read_signature(row))
    steps = [
        HistoryEntry(
            row.at,
            Kind(row.kind),
            Step(row.step),
            row.operator,
            row.caller,
            row.call_id,
            row.sentence,
            tuple(given.get(row.id, ())),
            request=row.request,
        )
        for row in rows
    ]
    return sorted([*_read_imports(connection, recipient), *steps], key=lambda entry: entry.at)


def _read_imports(connection: Connection, recipient: str) -> Sequence[HistoryEntry]:
    entries = []
    for row in connection.execute(_imports, {"wanted": int(recipient)}):
        sentence = sentence_of(Kind.REGISTER, recipient, row.name, row.account_type, ())
        step = Step.IMPORTED_ANEW if row.replaced else Step.IMPORTED
        importer = Importer(row.who, row.login, (row.after or {}).get("file_sha256"), row.audit)
        entries.append(HistoryEntry(row.at, Kind.REGISTER, step, row.operator, None, "", sentence, importer=importer))
    return entries


def last_registration(connection: Connection, recipient: str) -> tuple[str, Sequence[GivenSignature]] | None:
    """Return the agreement text and the signatures by which an account was last opened, where they are known."""
    row = connection.execute(_last_registration, {"wanted": int(recipient)}).first()
    if row is None:
        return None
    rows = connection.execute(_signatures, {"requests": [row.id]}).mappings()
    return row.agreement_text, [_read_signature(one) for one in rows]


def add_pending_account(connection: Connection, recipient: str, operator: str, account_type: str) -> None:
    """Write an account that waits for signatures. Breaks a key where there is one already."""
    row = {"recipient": int(recipient), "account_type": account_type, "pending": True, "operator": operator}
    insert_once(connection, _account, row)


def activate(connection: Connection, recipient: str, at: datetime) -> None:
    """Make a pending account active."""
    connection.execute(_move.values(pending=False, last_registration=at), {"wanted": int(recipient)})


def move(connection: Connection, recipient: str, operator: str) -> None:
    """Move an account to another operator."""
    connection.execute(_move.values(operator=operator), {"wanted": int(recipient)})


def close(connection: Connection, recipient: str) -> None:
    """Take an account away, with what its recipient chose. Its history stays."""
    connection.execute(_close, {"wanted": int(recipient)})


def deselected(connection: Connection, recipient: str) -> frozenset[str]:
    """Return the numbers of the senders that a recipient does not accept."""
    found = connection.execute(_choices, {"wanted": int(recipient)})
    return frozenset(number for number, accepted in found if not accepted)


def replace_choices(connection: Connection, recipient: str, unwanted: Iterable[str], at: datetime) -> None:
    """Write whom a recipient does not accept; everybody else is accepted. Senders that are gone are left out."""
    before = deselected(connection, recipient)
    connected = {one.number for one in register_store.all_senders(connection)}
    now = frozenset(unwanted) & connected
    for number in sorted(now - before):
        register_store.save_choice(connection, recipient, number, False, at)
    for number in sorted(before - now):
        register_store.save_choice(connection, recipient, number, True, at)
