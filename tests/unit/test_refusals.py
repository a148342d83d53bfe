"""A refused call leaves its event and its evidence in the party's database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from mm_soap.errors import Refusal, Refused
from mm_soap.refusals import keep_refusals, keep_sent
from mm_soap.soap import Caller
from mm_soap.soap.request import HttpError
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


def test_what_is_refused_by_http_is_kept_as_far_as_it_came(engine: Engine) -> None:
    migrate(engine, "far")
    error = HttpError(415, "The Content-Type must be text/xml.")
    keep_refusals(engine)("call", None, Caller("162021004748", "127.0.0.1"), b"--x", error)
    with reading(engine) as connection:
        (event,) = events_of(connection, call_id="call")
        (evidence,) = evidence_of(connection, "call")
    assert (event.outcome, event.detail["code"]) == ("HTTP 415", "http415")
    assert (evidence.content, evidence.verdict, evidence.caller) == (b"--x", "HTTP 415", "162021004748")


def test_what_is_not_in_utf8_is_kept_as_it_came(engine: Engine) -> None:
    migrate(engine, "far")
    keep_sent(engine)("call", Caller(None, "127.0.0.1"), "<å/>".encode("utf-16"))
    with reading(engine) as connection:
        (evidence,) = evidence_of(connection, "call")
    assert (evidence.content, evidence.verdict) == ("<å/>".encode("utf-16"), "converted to UTF-8")
