"""How long what is known counts, and what happens when nothing newer can be had."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from mm_soap.errors import Refusal
from mm_soap.pki import TrustStore
from mm_soap.revocation.addresses import IssuerSources
from mm_soap.revocation.keeper import Revocation
from mm_soap.revocation.model import Answer, Rules, Standing, hold
from mm_soap.testing import FrozenClock, StatusServer, TestPki
from tests.e2e.suite import until
from tests.unit.revocation.conftest import Build
from tests.unit.revocation.test_sources import NUMBER, Trusting, outcome

UNKNOWN = Refusal.CERTIFICATE_STATUS_UNKNOWN.name
REVOKED = Refusal.CERTIFICATE_REVOKED.name


@contextmanager
def running(*kept: Revocation) -> Iterator[None]:
    try:
        for one in kept:
            one.start()
        yield
    finally:
        for one in kept:
            one.stop()


def all_confirmed(kept: Sequence[Revocation], moment: datetime) -> bool:
    return all(each.held and each.held.confirmed == moment for one in kept for each in one.sources())


class TestAnOutage:
    def test_within_the_grace_the_last_known_status_counts_and_after_it_none(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        revocation = build(max_age=timedelta(hours=1), grace=timedelta(hours=4), skew=timedelta(minutes=1))
        store = trust(revocation)
        assert outcome(store, certificate) == "good"
        assert revocation.warnings() == []
        server.mode = "away"
        clock.advance(timedelta(minutes=30))
        revocation.once()
        assert outcome(store, certificate) == "good"
        assert all("could not be renewed: HTTP 503" in each for each in revocation.warnings())
        clock.advance(timedelta(hours=4))
        assert outcome(store, certificate) == "good"
        clock.advance(timedelta(hours=1))
        assert outcome(store, certificate) == UNKNOWN
        assert all("counts no more" in each for each in revocation.warnings())
        server.mode = "good"
        revocation.once()
        assert outcome(store, certificate) == "good"
        assert revocation.warnings() == []

    def test_what_was_revoked_stays_so(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        server.authority(pki.issuing).revoke(certificate)
        store = trust(build(accept_unknown=True))
        assert outcome(store, certificate) == REVOKED
        server.mode = "away"
        clock.advance(timedelta(days=300))
        assert outcome(store, certificate) == REVOKED

    def test_after_a_start_during_an_outage_the_folder_tells(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        good, bad = (pki.organisation(NUMBER, name).certificate for name in ("Kommun A", "Kommun B"))
        server.authority(pki.issuing).revoke(bad)
        assert outcome(trust(build()), good) == "good"
        server.mode = "away"
        clock.advance(timedelta(hours=20))
        store = trust(build())
        assert (outcome(store, good), outcome(store, bad)) == ("good", REVOKED)

    def test_a_spoilt_file_in_the_folder_is_fetched_again(
        self, pki: TestPki, build: Build, trust: Trusting, tmp_path: Path
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        assert outcome(trust(build()), certificate) == "good"
        for file in (tmp_path / "revocation").iterdir():
            file.write_bytes(b"spoilt")
        assert outcome(trust(build()), certificate) == "good"

    def test_a_file_counts_as_long_as_it_says(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting, tmp_path: Path
    ) -> None:
        """That it can be read says nothing of how old it is: its nextUpdate does, in seven days."""
        files = []
        for each in (pki.issuing, pki.root):
            files.append(tmp_path / f"{each.path}.crl")
            files[-1].write_bytes(server.authority(each).crl())
        issuers = zip((pki.issuing, pki.root), files, strict=True)
        revocation = build(*(IssuerSources(each.certificate, [file]) for each, file in issuers))
        store, certificate = trust(revocation), pki.organisation(NUMBER, "Kommun A").certificate
        for days, expected in ((6, "good"), (7.9, "good"), (8.1, UNKNOWN)):
            clock.set(datetime(2026, 5, 4, 12, tzinfo=UTC) + timedelta(days=days))
            revocation.once()
            assert outcome(store, certificate) == expected


class TestTheDayInTheSeal:
    """Source: decision record 22."""

    def test_a_revocation_after_that_day_does_not_count(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        since = clock() - timedelta(days=3)
        server.authority(pki.issuing).revoke(certificate, since)
        store = trust(build())
        assert outcome(store, certificate) == REVOKED
        for day in (since.date(), since.date() - timedelta(days=9)):
            assert store.check(certificate, received=day).organisation == NUMBER
        with pytest.raises(Exception, match=REVOKED):
            store.check(certificate, received=since.date() + timedelta(days=1))

    def test_the_day_says_nothing_where_nothing_is_known(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        server.mode = "away"
        with pytest.raises(Exception, match=UNKNOWN):
            trust(build()).check(pki.organisation(NUMBER, "Kommun A").certificate, received=date(2026, 1, 1))


class TestInTheBackground:
    def test_a_call_waits_for_the_first_status_and_for_none_after_it(
        self, ocsp: TestPki, server: StatusServer, clock: FrozenClock, build: Build
    ) -> None:
        certificate = ocsp.organisation(NUMBER, "Kommun A").certificate
        revocation = build(first_wait=20)
        store = TrustStore(ocsp.anchors, clock, revocation)
        with running(revocation):
            assert outcome(store, certificate) == "good"
            server.mode = "slow"
            asked = len(server.asked)
            clock.advance(timedelta(minutes=6))
            until(lambda: len(server.asked) > asked, 10, "the background")
            assert outcome(store, certificate) == "good"  # it would wait for 20 seconds, and then for ten

    def test_a_first_status_that_does_not_come_is_waited_for_in_bounded_time(
        self, ocsp: TestPki, server: StatusServer, clock: FrozenClock, build: Build
    ) -> None:
        server.mode = "slow"
        certificates = [ocsp.organisation(NUMBER, f"Kommun {number}").certificate for number in range(20)]
        revocation = build(first_wait=0.2, timeout=1)
        store = TrustStore(ocsp.anchors, clock, revocation)
        found: list[str] = []
        with running(revocation):
            threads = [
                threading.Thread(target=lambda one=one: found.append(outcome(store, one))) for one in certificates
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert found == [UNKNOWN] * 20

    def test_a_revocation_is_found_in_the_middle_of_traffic(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        revocation = build()
        store = trust(revocation)
        with running(revocation):
            assert outcome(store, certificate) == "good"
            server.authority(pki.issuing).revoke(certificate)
            assert outcome(store, certificate) == "good"
            clock.advance(timedelta(minutes=5))
            until(lambda: outcome(store, certificate) == REVOKED, 10, "the revocation")

    def test_two_processes_ask_once(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        kept = [build(), build()]
        stores = [trust(one) for one in kept]
        with running(*kept):
            for _ in range(3):
                server.authority(pki.issuing).revoked.clear()
                server.asked.clear()
                clock.advance(timedelta(minutes=6))
                moment = clock().replace(microsecond=0)
                assert [outcome(store, certificate) for store in stores] == ["good"] * 2
                until(partial(all_confirmed, kept, moment), 10, "both processes")
                assert sorted(server.asked) == sorted(f"/{each.path}.crl" for each in (pki.issuing, pki.root))

    def test_while_another_process_asks_what_it_got_before_counts(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting, tmp_path: Path
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        assert outcome(trust(build()), certificate) == "good"
        server.asked.clear()
        with ExitStack() as held:
            for file in (tmp_path / "revocation").glob("*.lock"):
                fcntl.flock(held.enter_context(file.open()), fcntl.LOCK_EX)
            assert outcome(trust(build()), certificate) == "good"
        assert server.asked == []

    def test_what_nobody_uses_is_not_asked_for_any_more(
        self, ocsp: TestPki, server: StatusServer, clock: FrozenClock, build: Build
    ) -> None:
        certificate = ocsp.organisation(NUMBER, "Kommun A").certificate
        revocation = build()
        store = TrustStore(ocsp.anchors, clock, revocation)
        assert outcome(store, certificate) == "good"
        clock.advance(timedelta(minutes=50))
        server.asked.clear()
        revocation.once()
        assert len(server.asked) == 2
        clock.advance(timedelta(minutes=20))
        revocation.once()
        assert len(server.asked) == 2
        server.authority(ocsp.issuing).revoke(certificate)
        assert outcome(store, certificate) == REVOKED  # it is asked when it is seen again

    def test_a_persons_certificate_is_asked_for_when_it_is_used(
        self, ocsp: TestPki, server: StatusServer, clock: FrozenClock, build: Build
    ) -> None:
        certificate = ocsp.organisation(NUMBER, "Kommun A").certificate
        revocation = build()
        store = TrustStore(ocsp.anchors, clock, revocation)
        store.check_path(certificate)
        clock.advance(timedelta(minutes=6))
        server.asked.clear()
        revocation.once()
        assert server.asked == []
        server.authority(ocsp.issuing).revoke(certificate)
        with pytest.raises(Exception, match=REVOKED):
            store.check_path(certificate)

    def test_a_list_is_kept_fresh_for_the_persons_that_it_tells_of(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        """They come once each, and no call waits for it but the first."""
        revocation = build()
        store = trust(revocation)
        for number in range(3):
            store.check_path(pki.organisation(NUMBER, f"Kommun {number}").certificate)
            assert len(server.asked) == 2 * number + 2  # of two authorities; later ones cause no request
            clock.advance(timedelta(minutes=6))
            revocation.once()
        clock.advance(timedelta(hours=25))
        server.asked.clear()
        revocation.once()
        assert server.asked == []

    def test_who_signed_once_is_forgotten_and_who_is_remembered_stays_known(
        self, ocsp: TestPki, server: StatusServer, clock: FrozenClock, build: Build
    ) -> None:
        remembered = ocsp.organisation(NUMBER, "Kommun A").certificate
        revocation = build()
        store = TrustStore(ocsp.anchors, clock, revocation)
        assert outcome(store, remembered) == "good"
        for number in range(5):
            store.check_path(ocsp.organisation(NUMBER, f"Person {number}").certificate)
        assert len(revocation.sources()) == 2  # of the organisation, and of its issuer
        clock.advance(timedelta(minutes=6))
        server.authority(ocsp.issuing).revoke(remembered)
        revocation.once()
        assert outcome(store, remembered) == REVOKED

    def test_the_folder_forgets(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting, clock: FrozenClock, tmp_path: Path
    ) -> None:
        revocation = build()
        assert outcome(trust(revocation), pki.organisation(NUMBER, "Kommun A").certificate) == "good"
        files = list((tmp_path / "revocation").iterdir())
        assert len(files) == 4
        for file in files:
            os.utime(file, (0, 0))
        with running(revocation):
            until(lambda: not any((tmp_path / "revocation").glob("*.lock")), 10, "the end of old files")


@dataclass(frozen=True)
class Told:
    this_update: datetime
    next_update: datetime | None

    def answer(self, certificate: x509.Certificate) -> Answer:
        return Standing.GOOD


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))


@given(MOMENTS, st.none() | SPANS, SPANS, SPANS, SPANS, SPANS)
def test_nothing_counts_longer_than_the_rules_say(
    this_update: datetime,
    lasts: timedelta | None,
    later: timedelta,
    max_age: timedelta,
    grace: timedelta,
    skew: timedelta,
) -> None:
    confirmed = this_update + later
    told = Told(this_update, None if lasts is None else this_update + lasts)
    held = hold(told, confirmed, Rules(max_age=max_age, grace=grace, skew=skew))
    assert held.usable_until - held.fresh_until == grace
    assert held.fresh_until <= confirmed + max_age
    if told.next_update is not None:
        assert held.fresh_until == min(told.next_update + skew, confirmed + max_age)
    else:
        assert held.fresh_until == min(this_update + max_age + skew, confirmed + max_age)
