"""Certificates are told of before they expire, each once, and without stopping anything until they have."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.expiry import ExpiryWatch, Watched, of_signers
from mm_soap.pki import OrganisationCertificate
from mm_soap.soap import Metrics
from mm_soap.testing.clock import FrozenClock
from mm_soap.testing.pki import TestPki

MADE = FrozenClock()()
PKI = TestPki(FrozenClock(MADE))
LATER_PKI = TestPki(FrozenClock(MADE + timedelta(days=300)))
KOMMUN_A, DISPATCHER = "162021004748", "165599999900"
OLD, NEW = (pki.organisation(KOMMUN_A, "Kommun A").certificate for pki in (PKI, LATER_PKI))
OWN = Watched("dispatcher", "signing", PKI.organisation(DISPATCHER, "Förmedlare").certificate)
ANCHOR = Watched("trust", "anchor", PKI.root.certificate)
DAY = timedelta(days=1)


def watch(
    clock: FrozenClock, *own: Watched, seen: tuple[OrganisationCertificate, ...] = (), days: int = 30
) -> ExpiryWatch:
    return ExpiryWatch(own or (OWN, ANCHOR), lambda: seen, timedelta(days=days), clock)


@given(st.integers(-400, 400), st.integers(0, 90))
def test_it_is_told_of_from_so_many_days_before(left: int, days: int) -> None:
    one = watch(FrozenClock(OWN.expires - left * DAY), OWN, days=days)
    assert bool(one.warnings()) == (left <= days)
    assert one.has_expired(["dispatcher"]) == (left < 0)


def test_what_is_said() -> None:
    clock = FrozenClock(OWN.expires - 12 * DAY - timedelta(hours=1))
    (soon,) = watch(clock).warnings()
    assert soon.startswith(f"The certificate of dispatcher (signing, SHA-256 {OWN.fingerprint[:16]}) expires on ")
    assert soon.endswith(", in 12 days: replace it before.")
    clock.advance(13 * DAY)
    (over,) = watch(clock).warnings()
    assert "has expired on " in over


def test_only_what_a_party_signs_with_makes_it_unready() -> None:
    clock = FrozenClock(OWN.expires + DAY)
    assert watch(clock).has_expired(["far", "dispatcher"])
    assert not watch(clock).has_expired(["far", f"operator:{DISPATCHER}"])
    clock.set(ANCHOR.expires + DAY)
    assert not watch(clock, ANCHOR).has_expired(["trust", "dispatcher"])


def test_of_a_signer_the_certificate_that_holds_longest_counts() -> None:
    seen = tuple(OrganisationCertificate(KOMMUN_A, each) for each in (NEW, OLD))
    assert of_signers(seen) == [Watched(f"signer:{KOMMUN_A}", "signing", NEW)]
    clock = FrozenClock(OLD.not_valid_after_utc - DAY)
    assert watch(clock, ANCHOR, seen=seen).warnings() == []
    assert len(watch(clock, ANCHOR, seen=seen[1:]).warnings()) == 1


def test_metrics_name_parties_and_nothing_else() -> None:
    clock, metrics = FrozenClock(OWN.expires - DAY), Metrics()
    metrics.add_gauge("left", "Seconds.", watch(clock, OWN, OWN).seconds_left)
    lines = metrics.render().decode().splitlines()[-3:]
    assert lines == [
        "# HELP left Seconds.",
        "# TYPE left gauge",
        f'left{{party="dispatcher",use="signing",certificate="{OWN.fingerprint[:16]}"}} 86400',
    ]
    assert "Förmedlare" not in "".join(lines)


def test_it_is_logged_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    one = watch(FrozenClock(OWN.expires - DAY))
    with caplog.at_level("WARNING"):
        one.log()
    (record,) = caplog.records
    assert "in 1 days" in record.getMessage()
