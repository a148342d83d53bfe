"""Who is trusted, and the reason for each who is not."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mm_soap.errors import Refusal, Refused
from mm_soap.pki import OrganisationCertificate, TrustStore
from mm_soap.pki import trust as trust_module
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.certificates import ISSUING, SIGNING, distinguished_name, kept_key, key_usage, sign

KOMMUN_A = "162021004748"
DAY = timedelta(days=1)


def refusal_of(
    store: TrustStore, certificate: x509.Certificate, intermediates: tuple[x509.Certificate, ...] = ()
) -> Refusal:
    with pytest.raises(Refused) as caught:
        store.check(certificate, intermediates)
    return caught.value.refusal


def default_self_signed(clock: FrozenClock, number: str | None) -> x509.Certificate:
    """As `openssl req -x509` makes one: CA true, no keyUsage."""
    name = distinguished_name(("SE", "Kommun A", "Kommun A"), number)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(kept_key("default self-signed").public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock() - DAY)
        .not_valid_after(clock() + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(kept_key("default self-signed"), SHA256())
    )


def issued_by(issuer: x509.Certificate, clock: FrozenClock) -> x509.Certificate:
    """A certificate for Kommun A by the holder of `default_self_signed`'s key."""
    return (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(("SE", "Kommun A", "leaf"), KOMMUN_A))
        .issuer_name(issuer.subject)
        .public_key(kept_key("leaf").public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock() - timedelta(hours=1))
        .not_valid_after(clock() + timedelta(hours=1))
        .add_extension(SIGNING, critical=True)
        .sign(kept_key("default self-signed"), SHA256())
    )


def forged_authority(name: x509.Name, clock: FrozenClock) -> x509.Certificate:
    """A self-signed authority under another's name; each time another certificate."""
    key = kept_key("forger")
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(clock() - DAY)
        .not_valid_after(clock() + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(ISSUING, critical=True)
        .sign(key, SHA256())
    )


class TestPath:
    def test_accepts_an_organisation_of_a_trusted_authority(self, pki: TestPki) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        assert pki.trust_store().check(certificate) == OrganisationCertificate(KOMMUN_A, certificate)

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            ("expired", Refusal.CERTIFICATE_EXPIRED),
            ("not_yet_valid", Refusal.CERTIFICATE_NOT_YET_VALID),
            ("other_issuer", Refusal.CERTIFICATE_UNKNOWN_ISSUER),
            ("self_signed", Refusal.CERTIFICATE_UNKNOWN_ISSUER),
            ("wrong_usage", Refusal.CERTIFICATE_WRONG_USAGE),
            ("no_organisation", Refusal.CERTIFICATE_NO_ORGANISATION),
            ("weak_key", Refusal.CERTIFICATE_WEAK_KEY),
        ],
    )
    def test_each_fault_has_its_own_reason(self, pki: TestPki, fault: str, expected: Refusal) -> None:
        identity = pki.organisation(KOMMUN_A, "Kommun A", **{fault: True})
        assert refusal_of(pki.trust_store(), identity.certificate) is expected

    def test_refuses_a_key_that_is_not_rsa(self, pki: TestPki) -> None:
        assert refusal_of(pki.trust_store(), pki.elliptic(KOMMUN_A, "Kommun A")) is Refusal.CERTIFICATE_KEY_TYPE

    def test_the_dates_count_to_the_second(self, pki: TestPki, clock: FrozenClock) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        second = timedelta(seconds=1)
        for moment, expected in [
            (certificate.not_valid_before_utc - second, Refusal.CERTIFICATE_NOT_YET_VALID),
            (certificate.not_valid_before_utc, None),
            (certificate.not_valid_after_utc, None),
            (certificate.not_valid_after_utc + second, Refusal.CERTIFICATE_EXPIRED),
        ]:
            clock.set(moment)
            store = pki.trust_store()
            if expected is None:
                assert store.check(certificate).organisation == KOMMUN_A
            else:
                assert refusal_of(store, certificate) is expected

    def test_no_anchors_trust_nobody(self, pki: TestPki, clock: FrozenClock) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        assert refusal_of(TrustStore([], clock), certificate) is Refusal.CERTIFICATE_UNKNOWN_ISSUER

    def test_uses_the_authorities_that_come_with_the_certificate(self, pki: TestPki, clock: FrozenClock) -> None:
        middle = pki.authority("middle", pki.root)
        lowest = pki.authority("lowest", middle)
        certificate = pki.organisation(KOMMUN_A, "Kommun A", issuer=lowest).certificate
        store = TrustStore([pki.root.certificate], clock)
        assert refusal_of(store, certificate) is Refusal.CERTIFICATE_UNKNOWN_ISSUER
        given = (lowest.certificate, middle.certificate)
        assert store.check(certificate, given).organisation == KOMMUN_A
        assert store.check(certificate, given[::-1]).organisation == KOMMUN_A

    def test_an_issuing_authority_alone_can_be_the_anchor(self, pki: TestPki, clock: FrozenClock) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        assert TrustStore([pki.issuing.certificate], clock).check(certificate).organisation == KOMMUN_A

    def test_refuses_when_an_authority_has_expired(self, pki: TestPki, clock: FrozenClock) -> None:
        old = pki.authority("old", pki.root, expired=True)
        certificate = pki.organisation(KOMMUN_A, "Kommun A", issuer=old).certificate
        for anchors, given in [
            ([pki.root.certificate, old.certificate], ()),
            ([pki.root.certificate], (old.certificate,)),
            ([old.certificate], ()),
        ]:
            assert refusal_of(TrustStore(anchors, clock), certificate, given) is Refusal.CERTIFICATE_PATH_INVALID

    def test_a_renewed_root_counts_beside_the_expired_one(self, pki: TestPki, clock: FrozenClock) -> None:
        old = pki.authority("root", None, expired=True)
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        for roots in ([old, pki.root], [pki.root, old]):
            anchors = [*(root.certificate for root in roots), pki.issuing.certificate]
            assert TrustStore(anchors, clock).check(certificate).organisation == KOMMUN_A

    @pytest.mark.parametrize("limited", ["root", "intermediate"])
    def test_refuses_a_path_longer_than_an_authority_allows(
        self, pki: TestPki, clock: FrozenClock, limited: str
    ) -> None:
        top = pki.authority("top", None, path_length=1 if limited == "root" else None)
        middle = pki.authority("middle", top, path_length=0 if limited == "intermediate" else None)
        lowest = pki.authority("lowest", middle)
        store = TrustStore([top.certificate], clock)
        allowed = pki.organisation(KOMMUN_A, "Kommun A", issuer=middle).certificate
        assert store.check(allowed, (middle.certificate,)).organisation == KOMMUN_A
        too_long = pki.organisation(KOMMUN_A, "Kommun A", issuer=lowest).certificate
        given = (middle.certificate, lowest.certificate)
        assert refusal_of(store, too_long, given) is Refusal.CERTIFICATE_PATH_INVALID

    def test_refuses_an_issuer_that_is_no_authority(self, pki: TestPki, clock: FrozenClock) -> None:
        plain = pki.authority("plain", pki.root, constrained=False)
        certificate = pki.organisation(KOMMUN_A, "Kommun A", issuer=plain).certificate
        store = TrustStore([pki.root.certificate, plain.certificate], clock)
        assert refusal_of(store, certificate) is Refusal.CERTIFICATE_UNKNOWN_ISSUER
        assert refusal_of(store, certificate, (plain.certificate,)) is Refusal.CERTIFICATE_UNKNOWN_ISSUER

    def test_forged_authorities_do_not_get_into_the_search(
        self, pki: TestPki, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Each names itself, and so each other, as the issuer: every order of them looks like a path.
        forged = tuple(forged_authority(pki.issuing.certificate.subject, clock) for _ in range(6))
        asked = count_validations(monkeypatch)
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        assert pki.trust_store().check(certificate, forged).organisation == KOMMUN_A
        (_, searched, *_), *_ = asked
        assert searched == [pki.issuing.certificate]

    def test_looks_at_a_bounded_number_of_authorities(self, pki: TestPki, clock: FrozenClock) -> None:
        middle = pki.authority("middle", pki.root).certificate
        certificate = pki.organisation(KOMMUN_A, "Kommun A", issuer=pki.authority("middle", pki.root)).certificate
        forged = tuple(forged_authority(middle.subject, clock) for _ in range(trust_module.MAX_INTERMEDIATES))
        store = TrustStore([pki.root.certificate], clock)
        assert store.check(certificate, (middle, *forged)).organisation == KOMMUN_A
        assert refusal_of(store, certificate, (*forged, middle)) is Refusal.CERTIFICATE_UNKNOWN_ISSUER

    def test_a_certificate_with_the_name_and_key_of_an_anchor_is_not_that_anchor(
        self, pki: TestPki, clock: FrozenClock
    ) -> None:
        key = kept_key("anchor and signer")
        name = distinguished_name(("SE", "Kommun A", "Kommun A"), KOMMUN_A)
        both: list[tuple[x509.ExtensionType, bool]] = [
            (key_usage(sign=True, issue=True), True),
            (x509.BasicConstraints(ca=True, path_length=None), True),
        ]
        anchor = sign(name, key.public_key(), name, key, clock() - DAY, clock() + DAY, both)
        root = pki.root
        expired = sign(
            name, key.public_key(), root.certificate.subject, root.key, clock() - 3 * DAY, clock() - 2 * DAY, both
        )
        store = TrustStore([anchor, root.certificate], clock)
        assert store.check(anchor).organisation == KOMMUN_A
        assert refusal_of(store, expired) is Refusal.CERTIFICATE_UNKNOWN_ISSUER


class TestPinned:
    def test_a_self_signed_certificate_is_trusted_where_it_is_an_anchor(self, pki: TestPki, clock: FrozenClock) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A", self_signed=True).certificate
        store = TrustStore([*pki.anchors, certificate], clock)
        assert store.check(certificate).organisation == KOMMUN_A

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [
            ("expired", Refusal.CERTIFICATE_EXPIRED),
            ("not_yet_valid", Refusal.CERTIFICATE_NOT_YET_VALID),
            ("wrong_usage", Refusal.CERTIFICATE_WRONG_USAGE),
            ("no_organisation", Refusal.CERTIFICATE_NO_ORGANISATION),
            ("weak_key", Refusal.CERTIFICATE_WEAK_KEY),
        ],
    )
    def test_is_held_to_all_else(self, pki: TestPki, clock: FrozenClock, fault: str, expected: Refusal) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A", self_signed=True, **{fault: True}).certificate
        assert refusal_of(TrustStore([certificate], clock), certificate) is expected

    def test_speaks_for_nobody_else(self, clock: FrozenClock) -> None:
        pinned = default_self_signed(clock, "162021003898")
        store = TrustStore([pinned], clock)
        assert store.check(pinned).organisation == "162021003898"
        assert refusal_of(store, issued_by(pinned, clock)) is Refusal.CERTIFICATE_UNKNOWN_ISSUER

    def test_an_authority_without_key_usage_may_issue_unless_it_names_an_organisation(self, clock: FrozenClock) -> None:
        root = default_self_signed(clock, None)
        assert TrustStore([root], clock).check(issued_by(root, clock)).organisation == KOMMUN_A


class TestMemory:
    def test_validates_once_while_the_path_holds(
        self, pki: TestPki, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = count_validations(monkeypatch)
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        store = pki.trust_store()
        for _ in range(3):
            store.check(certificate)
            clock.advance(DAY)
        assert len(asked) == 1

    def test_forgets_an_acceptance_when_the_earliest_certificate_ends(self, pki: TestPki, clock: FrozenClock) -> None:
        short = pki.authority("short", pki.root)
        clock.advance(timedelta(days=3649))
        certificate = pki.organisation(KOMMUN_A, "Kommun A", issuer=short).certificate
        store = TrustStore([short.certificate], clock)
        assert store.check(certificate).organisation == KOMMUN_A
        clock.advance(2 * DAY)
        assert refusal_of(store, certificate) is Refusal.CERTIFICATE_PATH_INVALID

    def test_forgets_a_refusal_after_a_minute(
        self, pki: TestPki, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = count_validations(monkeypatch)
        certificate = pki.organisation(KOMMUN_A, "Kommun A", expired=True).certificate
        store = pki.trust_store()
        for seconds, validations in [(0, 1), (60, 1), (61, 2)]:
            now = clock()
            clock.advance(timedelta(seconds=seconds))
            assert refusal_of(store, certificate) is Refusal.CERTIFICATE_EXPIRED
            assert len(asked) == validations
            clock.set(now)

    def test_an_expired_certificate_is_accepted_when_the_clock_is_put_right(
        self, pki: TestPki, clock: FrozenClock
    ) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate
        store = pki.trust_store()
        now = clock()
        clock.advance(timedelta(days=1000))
        assert refusal_of(store, certificate) is Refusal.CERTIFICATE_EXPIRED
        clock.set(now)
        assert store.check(certificate).organisation == KOMMUN_A

    def test_is_bounded(self, pki: TestPki, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trust_module, "CACHE_SIZE", 2)
        asked = count_validations(monkeypatch)
        first, *others = [pki.organisation(f"16202100000{i}", "Kommun").certificate for i in range(3)]
        store = pki.trust_store()
        for certificate in (first, *others, first):
            store.check(certificate)
        assert len(asked) == 4

    def test_strangers_do_not_push_out_who_was_accepted(self, pki: TestPki, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trust_module, "CACHE_SIZE", 1)
        asked = count_validations(monkeypatch)
        good = pki.organisation(KOMMUN_A, "Kommun A").certificate
        store = pki.trust_store()
        store.check(good)
        for _ in range(3):
            refusal_of(store, pki.organisation(KOMMUN_A, "Kommun A", expired=True).certificate)
        store.check(good)
        assert len(asked) == 4


class TestThreads:
    def test_many_threads_get_the_same_answers(self, pki: TestPki) -> None:
        good = pki.organisation(KOMMUN_A, "Kommun A").certificate
        bad = pki.organisation(KOMMUN_A, "Kommun A", expired=True).certificate

        def ask(store: TrustStore) -> tuple[str, Refusal]:
            return store.check(good).organisation, refusal_of(store, bad)

        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                answers = set(pool.map(ask, [pki.trust_store()] * 32))
                assert answers == {(KOMMUN_A, Refusal.CERTIFICATE_EXPIRED)}

    def test_works_where_an_event_loop_runs(self, pki: TestPki) -> None:
        certificate = pki.organisation(KOMMUN_A, "Kommun A").certificate

        async def within() -> str:
            return pki.trust_store().check(certificate).organisation

        assert asyncio.run(within()) == KOMMUN_A


def count_validations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []
    real = trust_module.validate_path

    def counted(*args: object) -> object:
        asked.append(args)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(trust_module, "validate_path", counted)
    return asked
