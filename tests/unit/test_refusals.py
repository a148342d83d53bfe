"""A refused call leaves its event and its evidence in the party's database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from mm_soap.errors import Refusal, Refused
from mm_soap.refusals import keep_refusals
from mm_soap.soap import Caller
from mm_soap.storage import events_of, evidence_of, migrate, reading


@pytest.mark.parametrize("party", ["far", "dispatcher", "service_supplier"])
@pytest.mark.parametrize(("organisation", "named"), [(None, "127.0.0.1"), ("162021004748", "162021004748")])
def test_a_refused_call_leaves_its_evidence(engine: Engine, party: str, organisation: str | None, named: str) -> None:
    migrate(engine, party)  # type: ignore[arg-type]
    keep = keep_refusals(engine)
    keep("call", "isReachable", Caller(organisation, "127.0.0.1"), b"<sent/>", Refused(Refusal.TOO_MANY))
    with reading(engine) as connection:
        (event,) = events_of(connection, call_id="call")
        (evidence,) = evidence_of(connection, "call")
    assert (event.kind, event.outcome, event.detail["code"]) == ("refusal", "TOO_MANY", 5005)
    identity = "certificate" if organisation else "unknown"
    assert (event.detail["caller"], event.detail["caller_identity"]) == (named, identity)
    assert (evidence.content, evidence.verdict, evidence.caller) == (b"<sent/>", "TOO_MANY", named)
