"""Signatures that OpenSSL and xmlsec made are accepted here, and ours are accepted by them."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.testing.e_identification import EIdentity
from mm_soap.testing.user_signatures import EXCLUSIVE_C14N, XmlOptions
from mm_soap.user_signatures import UserSignature
from mm_soap.user_signatures import UserSignatureProblem as Problem
from tests.unit.user_signatures.samples import ANNA, CLOCK, ELSA, ISSUER, TEXT, problem, verify

PERSONS = pytest.mark.parametrize("person", [ANNA, ELSA], ids=["rsa", "ecdsa"])

TEMPLATE = """<?xml version="1.0" encoding="UTF-8"?>
<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">
  <SignedInfo>
    <CanonicalizationMethod Algorithm="{c14n}"/>
    <SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#{kind}-sha256"/>
    <Reference Type="http://www.bankid.com/signature/v1.0.0/types" URI="#bidSignedData">
      <Transforms><Transform Algorithm="{c14n}"/></Transforms>
      <DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/>
    </Reference>
    <Reference URI="#bidKeyInfo">
      <Transforms><Transform Algorithm="{c14n}"/></Transforms>
      <DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/>
    </Reference>
  </SignedInfo>
  <SignatureValue/>
  <KeyInfo Id="bidKeyInfo"><X509Data>{certificates}</X509Data></KeyInfo>
  <Object>
    <bankIdSignedData xmlns="http://www.bankid.com/signature/v1.0.0/types" Id="bidSignedData">
      <usrVisibleData charset="UTF-8" visible="wysiwys">{text}</usrVisibleData>
      <srvInfo><name>Y249bW0=</name><nonce>NDcxMQ==</nonce><displayName>bW0=</displayName></srvInfo>
      <clientInfo><funcId>Signing</funcId><version>MQ==</version><env><ai><type>QW5k</type></ai></env></clientInfo>
    </bankIdSignedData>
  </Object>
</Signature>
"""


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ISSUER.write(tmp_path, [ANNA, ELSA])
    (tmp_path / "text").write_bytes(TEXT.encode())
    (tmp_path / "issuing.pem").write_bytes(ISSUER.issuing.certificate.public_bytes(Encoding.PEM))
    return tmp_path


def openssl(folder: Path, person: EIdentity, *options: str) -> UserSignature:
    name = f"person-{person.personal_number}"
    # fmt: off
    run(folder, "openssl", "cms", "-sign", "-in", "text", "-outform", "DER", "-out", "made", "-md", "sha256",
        "-signer", f"{name}.pem", "-inkey", f"{name}.key", "-certfile", "issuing.pem", *options)
    # fmt: on
    return UserSignature((folder / "made").read_bytes(), (folder / f"{name}.pem").read_text())


@pytest.mark.needs_program("openssl")
class TestOpenssl:
    @PERSONS
    @pytest.mark.parametrize(
        "options",
        [
            ["-binary"],
            [],
            ["-binary", "-nodetach"],
            ["-nodetach"],
            ["-binary", "-nodetach", "-stream"],
            ["-binary", "-keyid"],
            ["-binary", "-cades"],
            ["-binary", "-nosmimecap", "-nocerts"],
        ],
        ids=" ".join,
    )
    def test_made_this(self, folder: Path, person: EIdentity, options: list[str]) -> None:
        signature = openssl(folder, person, *options)
        assert verify(signature).personal_number == person.personal_number
        assert problem(signature, TEXT + "!") is Problem.WRONG_TEXT

    def test_made_this_without_attributes(self, folder: Path) -> None:
        assert problem(openssl(folder, ANNA, "-binary", "-noattr")) is Problem.NO_SIGNED_ATTRIBUTES

    def test_made_this_with_sha1(self, folder: Path) -> None:
        assert problem(openssl(folder, ANNA, "-binary", "-md", "sha1")) is Problem.ALGORITHM

    def test_made_this_with_mime_headers(self, folder: Path) -> None:
        assert problem(openssl(folder, ANNA, "-text", "-nodetach")) is Problem.WRONG_TEXT

    @PERSONS
    @pytest.mark.parametrize("detached", [False, True])
    def test_accepts_ours(self, folder: Path, person: EIdentity, detached: bool) -> None:
        signature = ISSUER.sign_cms(person, TEXT, detached=detached, nonce="4711")
        (folder / "ours").write_bytes(signature.signature)
        # fmt: off
        run(folder, "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "ours", "-out", "out",
            "-CAfile", "e-identification-ca.pem", "-purpose", "any", "-attime", str(int(CLOCK().timestamp())),
            *(["-content", "text"] if detached else []))
        # fmt: on
        assert (folder / "out").read_bytes() == TEXT.encode()


@pytest.mark.needs_program("xmlsec1")
class TestXmlsec:
    @PERSONS
    @pytest.mark.parametrize("c14n", ["http://www.w3.org/TR/2001/REC-xml-c14n-20010315", EXCLUSIVE_C14N])
    def test_made_this(self, folder: Path, person: EIdentity, c14n: str) -> None:
        name = f"person-{person.personal_number}"
        template = TEMPLATE.format(
            c14n=c14n,
            kind="rsa" if person is ANNA else "ecdsa",
            certificates=f"<X509Certificate>{person.certificate_text}</X509Certificate>"
            + "".join(f"<X509Certificate>{replace(person, certificate=c).certificate_text}</X509Certificate>"
                      for c in person.chain),
            text=b64encode(TEXT.encode()).decode(),
        )  # fmt: skip
        (folder / "template").write_text(template)
        # fmt: off
        run(folder, "xmlsec1", "--sign", "--privkey-pem", f"{name}.key", "--output", "made",
            "--id-attr:Id", "http://www.bankid.com/signature/v1.0.0/types:bankIdSignedData",
            "--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:KeyInfo", "template")
        # fmt: on
        signature = UserSignature((folder / "made").read_bytes(), person.certificate_text, "4711")
        assert verify(signature).personal_number == person.personal_number
        assert problem(signature, TEXT + "!") is Problem.WRONG_TEXT
        assert problem(replace(signature, nonce="4712")) is Problem.NONCE

    @PERSONS
    @pytest.mark.parametrize("c14n", ["http://www.w3.org/TR/2001/REC-xml-c14n-20010315", EXCLUSIVE_C14N])
    def test_accepts_ours(self, folder: Path, person: EIdentity, c14n: str) -> None:
        ours = ISSUER.sign_xml(person, TEXT, nonce="4711", options=XmlOptions(canonicalization=c14n))
        (folder / "ours").write_bytes(ours.signature)
        # fmt: off
        run(folder, "xmlsec1", "--verify", "--trusted-pem", "e-identification-ca.pem",
            "--verification-gmt-time", CLOCK().strftime("%Y-%m-%d %H:%M:%S"),
            "--id-attr:Id", "http://www.bankid.com/signature/v1.0.0/types:bankIdSignedData",
            "--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:KeyInfo", "ours")
        # fmt: on
