"""Keys that stay in a token: SoftHSM's, in processes and threads, and the URIs that name them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from tests.tokens import LABEL, PIN, add_token, make_token, uri_of
from tests.unit.dsig.samples import delivery

from mm_soap.dsig import sign_delivery
from mm_soap.errors import ConfigurationError
from mm_soap.evidence.heads import SignedHeads, sign_heads
from mm_soap.pki import Identity, tokens
from mm_soap.pki.key_uri import KeyUri, WrongKeyUri
from mm_soap.testing import FrozenClock, TestPki

pytestmark = pytest.mark.needs_program("softhsm2-util")

NUMBER = "162021004748"


@dataclass
class Token:
    """A token of SoftHSM with one organisation's key, and that one's certificate."""

    folder: Path
    identity: Identity

    def uri(self, path: str = f"token={LABEL};object=signing", query: str | None = None) -> str:
        return uri_of(self.folder, path, query)

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def load(self, *arguments: str) -> Identity:
        return Identity.load(self.certificate, self.uri(*arguments))


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    folder = tmp_path_factory.mktemp("token")
    pki = TestPki(FrozenClock())
    identity, other = pki.organisation(NUMBER, "Kommun A"), pki.organisation("162021003898", "Kommun B")
    pki.write(folder, [identity, other])
    (folder / f"{NUMBER}.pem").rename(folder / "certificate.pem")
    keys = {"signing": ("a1b2", folder / f"{NUMBER}.key"), "another": ("a1b3", folder / f"{other.organisation}.key")}
    environment = make_token(folder, keys)
    with pytest.MonkeyPatch.context() as patch:
        # The library reads it once in a process: in these tests there is one token alone.
        patch.setenv("SOFTHSM2_CONF", environment["SOFTHSM2_CONF"])
        yield Token(folder, identity)


class TestSigning:
    def test_a_delivery_is_signed_as_with_a_key_in_a_file(self, token: Token) -> None:
        """Byte for byte: PKCS #1 v1.5 has no chance in it."""
        signed = [sign_delivery(delivery(), each) for each in (token.load(), token.identity)]
        assert signed[0] == signed[1]

    @pytest.mark.needs_program("xmlsec1")
    def test_xmlsec1_verifies_it(self, token: Token, tmp_path: Path) -> None:
        file = tmp_path / "signed.xml"
        file.write_bytes(etree.tostring(etree.fromstring(sign_delivery(delivery(), token.load()))))
        key = ("--pubkey-cert-pem", token.certificate)
        done = subprocess.run(["xmlsec1", "--verify", *key, file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_heads_of_evidence_are_signed(self, token: Token) -> None:
        signed = [sign_heads("{}\n", each) for each in (token.load(), token.identity)]
        assert [SignedHeads(each, Path("heads.pem")).document for each in signed] == ["{}\n", "{}\n"]

    @pytest.mark.parametrize(
        "path", ["token=mm-soap;id=%A1%B2", "object=signing;type=private", "object=signing;id=%a1%b2"]
    )
    def test_what_names_the_key(self, token: Token, path: str) -> None:
        assert token.load(path).organisation == NUMBER

    def test_many_threads(self, token: Token) -> None:
        identity = token.load()
        texts = [os.urandom(40) for _ in range(100)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda text: identity.key.sign(text, PKCS1v15(), SHA256()), texts))
        assert found == [token.identity.key.sign(text, PKCS1v15(), SHA256()) for text in texts]

    def test_one_thread_at_a_time_is_in_the_library(self, token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
        """SoftHSM would take several; a library that is told of one thread need not."""
        identity, both, met = token.load(), Barrier(2), list[bytes]()

        class Key:
            def sign(self, data: bytes, mechanism: object) -> bytes:
                with suppress(BrokenBarrierError):
                    both.wait(0.3)
                    met.append(data)
                return data

        monkeypatch.setattr(tokens._Tokens, "key", lambda *_: Key())
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda text: identity.key.sign(text, PKCS1v15(), SHA256()), [b"one", b"two"]))
        assert met == []

    def test_a_session_that_has_ended_is_opened_again(self, token: Token) -> None:
        """As when the token was taken out and put back, or another process restarted its service."""
        identity = token.load()
        for session in tokens._tokens.sessions.values():
            session.close()
        expected = token.identity.key.sign(b"text", PKCS1v15(), SHA256())
        assert identity.key.sign(b"text", PKCS1v15(), SHA256()) == expected

    def test_a_fork_opens_its_own(self, token: Token) -> None:
        """As gunicorn's workers do, after the settings were looked at; the parent goes on signing."""
        child = subprocess.run(
            [sys.executable, "-c", FORK, str(token.certificate), token.uri()],
            capture_output=True,
            text=True,
            check=False,
        )
        expected = token.identity.key.sign(b"text", PKCS1v15(), SHA256()).hex()
        said = child.stdout.split()
        assert (said.count(expected), said.count("0"), len(said)) == (7, 6, 13), child.stderr

    def test_the_key_stays_where_it_is(self, token: Token) -> None:
        with pytest.raises(NotImplementedError):
            token.load().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        assert PIN not in repr(token.load())


class TestWhatCannotBeUsed:
    @pytest.mark.parametrize(
        ("path", "query", "sentence"),
        [
            ("token=mm-soap;object=another", None, "does not belong to the certificate"),
            ("token=mm-soap;object=none", None, "cannot be used: NoSuchKey"),
            ("token=none;object=signing", None, "cannot be used: no token is as its URI says"),
            ("object=signing", "pin-source=file:/none", "cannot be used: its PIN's file cannot be read, or is empty"),
            ("object=signing", "pin-value=4711", "must not hold the PIN: name its file with pin-source"),
            ("token=mm-soap", None, "must name the key: object, id or both"),
        ],
    )
    def test_it_is_told_in_one_sentence(self, token: Token, path: str, query: str | None, sentence: str) -> None:
        # Afresh, since a token that was opened once asks for no PIN.
        child = subprocess.run(
            [sys.executable, "-c", LOAD, str(token.certificate), token.uri(path, query)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert sentence in child.stdout
        assert PIN not in child.stdout

    def test_a_wrong_pin_is_tried_once(self, token: Token, tmp_path: Path) -> None:
        """A token locks itself after a few."""
        (tmp_path / "pin").write_text("0000")
        uri = token.uri(query=f"pin-source={tmp_path}/pin")
        child = subprocess.run(
            [sys.executable, "-c", LOAD, str(token.certificate), uri, uri],
            capture_output=True,
            text=True,
            check=False,
        )
        first, second = child.stdout.splitlines()
        assert "cannot be used: PinIncorrect" in first
        assert "it refused its PIN, which is not tried again" in second

    def test_two_tokens_that_fit_are_one_too_many(self, token: Token, tmp_path: Path) -> None:
        environment = make_token(tmp_path / "two", {})
        add_token(environment, "Another")
        child = subprocess.run(
            [sys.executable, "-c", LOAD, str(token.certificate), uri_of(tmp_path / "two", "object=signing")],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "several tokens are as its URI says" in child.stdout, child.stderr

    def test_a_library_that_is_not_there(self, token: Token) -> None:
        with pytest.raises(ConfigurationError, match="cannot be used: PKCS11Error"):
            Identity.load(token.certificate, "pkcs11:object=signing?module-path=/none.so")


LOAD = """
import sys
from pathlib import Path
from mm_soap.errors import ConfigurationError
from mm_soap.pki import Identity
for uri in sys.argv[2:]:
    try:
        Identity.load(Path(sys.argv[1]), uri)
    except ConfigurationError as error:
        print(error)
"""


FORK = """
import os, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from mm_soap.pki import Identity, tokens
key = Identity.load(Path(sys.argv[1]), sys.argv[2]).key
def sign():
    os.write(1, key.sign(b"text", PKCS1v15(), SHA256()).hex().encode() + b"\\n")
sign()
for _ in range(3):
    child = os.fork()
    # SoftHSM forgives who goes on with what the parent opened; other libraries do not.
    os.write(1, f"{len(tokens._tokens.sessions)}\\n".encode())
    sign()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""


class TestUris:
    """Source: RFC 7512."""

    def test_escapes(self) -> None:
        found = KeyUri.parse(
            "pkcs11:token=My%20token;manufacturer=Snake%20Oil%2c%20Inc.;object=S%3bK;id=%00%ff%3D"
            "?module-path=/usr/lib/p11%20kit.so&pin-source=file:///run/pin"
        )
        assert found.token == (("token", "My token"), ("manufacturer", "Snake Oil, Inc."))
        assert (found.label, found.id) == ("S;K", b"\x00\xff=")
        assert (found.module, found.pin_file) == (Path("/usr/lib/p11 kit.so"), Path("/run/pin"))

    @pytest.mark.parametrize(
        "uri",
        [
            "pkcs11:",
            "file:/a",
            "pkcs11:object=a",
            "pkcs11:object=a?module-path=a.so",
            "pkcs11:object=a;object=b?module-path=/a.so",
            "pkcs11:object=a;slot-id=1?module-path=/a.so",
            "pkcs11:object=a;type=cert?module-path=/a.so",
            "pkcs11:object=a;nothing?module-path=/a.so",
            "pkcs11:object=a?module-path=/a.so&pin-source=pin",
            "pkcs11:object=a?module-path=/a.so&pin-source=|ask",
            "pkcs11:object=a?module-path=/a.so&pin-value=1",
            "pkcs11:object=a?module-path=/a.so&x-vendor=1",
        ],
    )
    def test_what_is_none(self, uri: str) -> None:
        with pytest.raises(WrongKeyUri, match="must"):
            KeyUri.parse(uri)
