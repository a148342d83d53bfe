"""What lists and responders say, right and wrong, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.errors import Refusal, Refused
from mm_soap.pki import TrustStore
from mm_soap.revocation.addresses import IssuerSources
from mm_soap.revocation.crl import read_list
from mm_soap.revocation.fetching import host_of
from mm_soap.revocation.keeper import Revocation
from mm_soap.revocation.model import Revoked, Standing, Unusable
from mm_soap.testing import FrozenClock, StatusServer, TestPki
from mm_soap.testing.pki import Authority
from mm_soap.testing.revocation import Mode, RevocationAuthority
from tests.unit.revocation.conftest import Build

NUMBER = "162021004748"
Trusting = Callable[[Revocation], TrustStore]


def outcome(store: TrustStore, certificate: x509.Certificate) -> str:
    """``good``, or why it was refused."""
    try:
        store.check(certificate)
    except Refused as refused:
        return refused.refusal.name + (f" ({refused.where})" if refused.where else "")
    return "good"


class TestLists:
    def test_what_is_on_no_list_is_good_and_what_is_on_one_is_revoked(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        good, bad = (pki.organisation(NUMBER, name).certificate for name in ("Kommun A", "Kommun B"))
        server.authority(pki.issuing).revoke(bad)
        store = trust(build())
        assert (outcome(store, good), outcome(store, bad)) == ("good", "CERTIFICATE_REVOKED")

    def test_an_authority_above_may_be_revoked(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        server.authority(pki.root).revoke(pki.issuing.certificate)
        found = outcome(trust(build()), pki.organisation(NUMBER, "Kommun A").certificate)
        assert found == "CERTIFICATE_REVOKED (an authority that issued it)"

    def test_the_refusal_says_what_to_do(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        server.authority(pki.issuing).revoke(certificate)
        with pytest.raises(Refused) as caught:
            trust(build()).check(certificate)
        assert caught.value.refusal.code == 5002
        assert caught.value.description == "The certificate is revoked. Use another one, and make the call again."

    @pytest.mark.parametrize(
        ("mode", "reason"),
        [
            ("future", "its thisUpdate lies in the future"),
            ("another key", "its signature does not hold for the issuer's key"),
            ("garbage", "it is no revocation list that can be read"),
            ("huge", "the answer has more than 100000 bytes"),
            ("slow", "no answer: ReadTimeoutError"),
            ("redirect", "HTTP 302"),
            ("away", "HTTP 503"),
        ],
    )
    def test_a_wrong_list_tells_nothing(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting, mode: Mode, reason: str
    ) -> None:
        server.mode = mode
        revocation = build(timeout=0.5, max_bytes=100_000)
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        assert outcome(trust(revocation), certificate) == "CERTIFICATE_STATUS_UNKNOWN"
        assert {source.failure for source in revocation.sources()} == {reason}
        assert all(not path.startswith("/elsewhere") for path in server.asked)

    def test_a_list_that_is_out_of_date_counts_as_long_as_the_grace(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        server.mode = "stale"  # its nextUpdate was seven days ago
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        strict = build(grace=timedelta(days=6))
        assert outcome(trust(strict), certificate) == "CERTIFICATE_STATUS_UNKNOWN"
        assert outcome(trust(build(grace=timedelta(days=8))), certificate) == "good"
        assert "what it says is out of date" in {source.failure for source in strict.sources()}

    def test_a_list_older_than_the_one_that_is_known_is_not_taken(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        revocation = build()
        store = trust(revocation)
        server.authority(pki.issuing).revoke(certificate)
        assert outcome(store, certificate) == "CERTIFICATE_REVOKED"
        clock.advance(timedelta(minutes=6))
        server.authority(pki.issuing).revoked.clear()
        server.mode = "stale"
        revocation.once()
        assert {source.failure for source in revocation.sources()} == {"it is older than the one that is known already"}
        assert outcome(store, certificate) == "CERTIFICATE_REVOKED"

    def test_what_is_no_longer_on_the_list_is_good_again(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting
    ) -> None:
        """Such as after certificateHold."""
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        revocation = build()
        store = trust(revocation)
        server.authority(pki.issuing).revoke(certificate)
        assert outcome(store, certificate) == "CERTIFICATE_REVOKED"
        server.authority(pki.issuing).revoked.clear()
        clock.advance(timedelta(minutes=6))
        revocation.once()
        assert outcome(store, certificate) == "good"

    def test_files_and_addresses_of_the_settings(
        self, pki: TestPki, server: StatusServer, clock: FrozenClock, build: Build, trust: Trusting, tmp_path: Path
    ) -> None:
        """What the certificate names itself is then not asked."""
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        issuing = server.authority(pki.issuing)
        file = tmp_path / "issuing.crl"
        file.write_bytes(issuing.crl())
        url = f"{server.url}/{pki.root.path}.crl"
        store = trust(
            revocation := build(
                IssuerSources(pki.issuing.certificate, [file]),
                IssuerSources(pki.root.certificate, (), [url]),
                hosts=frozenset(),
            )
        )
        assert outcome(store, certificate) == "good"
        assert server.asked == [f"/{pki.root.path}.crl"]
        issuing.revoke(certificate)
        clock.advance(timedelta(minutes=6))
        file.write_bytes(x509.load_der_x509_crl(issuing.crl()).public_bytes(Encoding.PEM))
        revocation.once()
        assert outcome(store, certificate) == "CERTIFICATE_REVOKED"


def a_list(authority: Authority, clock: FrozenClock, *extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(clock())
        .next_update(clock() + timedelta(days=1))
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(authority.key, SHA256()).public_bytes(Encoding.DER)


def scope(**values: Any) -> tuple[x509.ExtensionType, bool]:
    default = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**default, **values}), True


class TestKindsOfLists:
    @pytest.mark.parametrize(
        ("extension", "reason"),
        [
            ((x509.DeltaCRLIndicator(1), True), "it is a delta list"),
            (scope(indirect_crl=True), "it is an indirect list, or one of some revocations alone"),
            (
                scope(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])),
                "it is an indirect list, or one of some revocations alone",
            ),
            (scope(only_contains_attribute_certs=True), "it is an indirect list, or one of some revocations alone"),
            (
                (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
                "it has a critical extension that is not known here",
            ),
        ],
    )
    def test_what_is_no_complete_list_of_the_issuer(
        self, pki: TestPki, clock: FrozenClock, extension: tuple[x509.ExtensionType, bool], reason: str
    ) -> None:
        with pytest.raises(Unusable, match=f"^{reason}$"):
            read_list(a_list(pki.issuing, clock, extension), pki.issuing.certificate)

    def test_the_list_of_another_issuer(self, pki: TestPki, clock: FrozenClock) -> None:
        with pytest.raises(Unusable, match="another issuer"):
            read_list(a_list(pki.root, clock), pki.issuing.certificate)

    def test_lists_of_some_certificates_alone(self, pki: TestPki, clock: FrozenClock, server: StatusServer) -> None:
        leaf, authority = pki.organisation(NUMBER, "Kommun A").certificate, pki.issuing.certificate

        def says(certificate: x509.Certificate, **values: Any) -> object:
            return read_list(a_list(pki.issuing, clock, scope(**values)), authority).answer(certificate)

        assert says(leaf, only_contains_user_certs=True) is Standing.GOOD
        assert says(authority, only_contains_user_certs=True) is Standing.UNKNOWN
        assert says(leaf, only_contains_ca_certs=True) is Standing.UNKNOWN
        here = [x509.UniformResourceIdentifier(f"{server.url}/{pki.issuing.path}.crl")]
        assert says(leaf, full_name=here) is Standing.GOOD
        elsewhere = [x509.UniformResourceIdentifier("http://crl.example.se/2.crl")]
        assert says(leaf, full_name=elsewhere) is Standing.UNKNOWN

    def test_a_hundred_thousand_entries(self, pki: TestPki, clock: FrozenClock) -> None:
        issuer = RevocationAuthority(pki.issuing, clock)
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        issuer.entries = [
            x509.RevokedCertificateBuilder().serial_number(number).revocation_date(clock()).build()
            for number in range(1, 100_001)
        ]
        long = read_list(issuer.crl(), pki.issuing.certificate)
        assert len(long) == 100_000
        assert long.answer(certificate) is Standing.GOOD
        issuer.revoke(certificate)
        assert isinstance(read_list(issuer.crl(), pki.issuing.certificate).answer(certificate), Revoked)


class TestResponders:
    @pytest.mark.parametrize("mode", ["good", "delegate", "no nonce"])
    def test_good_and_revoked(
        self, ocsp: TestPki, server: StatusServer, build: Build, trust: Trusting, mode: Mode
    ) -> None:
        good, bad = (ocsp.organisation(NUMBER, name).certificate for name in ("Kommun A", "Kommun B"))
        server.mode = mode
        server.authority(ocsp.issuing).revoke(bad)
        store = TrustStore(ocsp.anchors, FrozenClock(), build())
        assert (outcome(store, good), outcome(store, bad)) == ("good", "CERTIFICATE_REVOKED")
        assert set(server.asked) == {f"/{each.path}.ocsp" for each in (ocsp.issuing, ocsp.root)}

    @pytest.mark.parametrize(
        ("mode", "reason"),
        [
            ("future", "its thisUpdate lies in the future"),
            ("another key", "its signature does not hold, or who signed may not answer for the issuer"),
            ("unauthorised delegate", "its signature does not hold, or who signed may not answer for the issuer"),
            ("other nonce", "the answer has the nonce of another request"),
            ("unknown", "the responder does not know the certificate"),
            ("garbage", "it is no answer of OCSP about this certificate that can be read"),
            ("huge", "the answer has more than 65536 bytes"),
            ("slow", "no answer: ReadTimeoutError"),
            ("redirect", "HTTP 302"),
            ("away", "HTTP 503"),
        ],
    )
    def test_a_wrong_answer_tells_nothing(
        self, ocsp: TestPki, server: StatusServer, build: Build, mode: Mode, reason: str
    ) -> None:
        server.mode = mode
        revocation = build(timeout=0.5)
        store = TrustStore(ocsp.anchors, FrozenClock(), revocation)
        found = outcome(store, ocsp.organisation(NUMBER, "Kommun A").certificate)
        assert found == "CERTIFICATE_STATUS_UNKNOWN"
        assert {source.failure for source in revocation.sources()} == {reason}

    def test_a_nonce_may_be_required_or_left_out(
        self, ocsp: TestPki, server: StatusServer, clock: FrozenClock, build: Build
    ) -> None:
        server.mode = "no nonce"
        certificate = ocsp.organisation(NUMBER, "Kommun A").certificate
        required = TrustStore(ocsp.anchors, clock, build(nonce="required"))
        assert outcome(required, certificate) == "CERTIFICATE_STATUS_UNKNOWN"
        server.mode = "other nonce"  # which is sent only if the request has one
        clock.advance(timedelta(minutes=2))
        assert outcome(required, certificate) == "CERTIFICATE_STATUS_UNKNOWN"
        clock.advance(timedelta(minutes=2))
        assert outcome(TrustStore(ocsp.anchors, clock, build(nonce="none")), certificate) == "good"

    def test_the_responder_of_the_settings(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        named = [
            IssuerSources(each.certificate, responder=f"{server.url}/{each.path}.ocsp")
            for each in (pki.issuing, pki.root)
        ]
        assert outcome(trust(build(*named)), pki.organisation(NUMBER, "Kommun A").certificate) == "good"
        assert all(path.endswith(".ocsp") for path in server.asked)

    def test_which_of_both_is_asked(self, clock: FrozenClock, server: StatusServer, build: Build) -> None:
        pki = TestPki(clock, crl_url=server.url, ocsp_url=server.url)
        server.add(pki.issuing, pki.root)
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        for prefer in ("crl", "ocsp"):
            server.asked.clear()
            assert outcome(TrustStore(pki.anchors, clock, build(prefer=prefer)), certificate) == "good"
            assert {path.rpartition(".")[2] for path in server.asked} == {prefer}


class TestWhoIsAsked:
    def test_a_strangers_certificate_causes_no_request(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        store = trust(build())
        stranger = pki.organisation(NUMBER, "Kommun A", other_issuer=True).certificate
        assert outcome(store, stranger) == "CERTIFICATE_UNKNOWN_ISSUER"
        assert outcome(store, pki.organisation(NUMBER, "Kommun A", expired=True).certificate) == "CERTIFICATE_EXPIRED"
        assert server.asked == []

    def test_no_host_is_asked_that_the_settings_do_not_name(
        self, pki: TestPki, server: StatusServer, build: Build, trust: Trusting
    ) -> None:
        store = trust(build(hosts=frozenset(["127.0.0.1", "crl.example.se"])))  # not this port
        assert outcome(store, pki.organisation(NUMBER, "Kommun A").certificate) == "CERTIFICATE_STATUS_UNKNOWN"
        assert server.asked == []

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("http://CRL.example.se/a.crl", "crl.example.se"),
            ("http://crl.example.se:80/a.crl", "crl.example.se"),
            ("https://crl.example.se:443/a.crl", "crl.example.se"),
            ("https://crl.example.se:80/a.crl", "crl.example.se:80"),
            ("http://[::1]:8080/a.crl", "[::1]:8080"),
            ("http://crl.example.se@elsewhere.example/", ""),
            ("http://crl.example.se\\@elsewhere.example/", ""),
            ("ldap://crl.example.se/cn=a", ""),
            ("file:///etc/passwd", ""),
            ("http://crl.example.se/@a", ""),
            ("http:///a", ""),
            ("http://crl.example.se:99999/", ""),
            ("http://crl.example.se/a b", ""),
            ("http://crl.example.se/\r\nHost: x", ""),
        ],
    )
    def test_the_host_of_an_address(self, url: str, host: str) -> None:
        assert host_of(url) == host

    def test_pinned_certificates_and_anchors_are_not_asked_for(
        self, pki: TestPki, clock: FrozenClock, server: StatusServer, build: Build
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        assert outcome(TrustStore([certificate], clock, build()), certificate) == "good"
        assert server.asked == []

    def test_refused_when_nothing_tells_unless_settings_accept_it(
        self, pki: TestPki, build: Build, trust: Trusting
    ) -> None:
        certificate = pki.organisation(NUMBER, "Kommun A").certificate
        nowhere: dict[str, Any] = {"hosts": frozenset()}
        assert outcome(trust(build(**nowhere)), certificate) == Refusal.CERTIFICATE_STATUS_UNKNOWN.name
        assert Refusal.CERTIFICATE_STATUS_UNKNOWN.code == 4000
        assert outcome(trust(build(accept_unknown=True, **nowhere)), certificate) == "good"
        one = [IssuerSources(each.certificate, accept_unknown=True) for each in (pki.issuing, pki.root)]
        assert outcome(trust(build(*one, **nowhere)), certificate) == "good"
