"""What mm-soap signs and seals holds for software that is not ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.dispatcher.wire import deliver_secure_request
from mm_soap.dsig import seal_for, sealed_document, sign_delivery
from mm_soap.xml import DSIG, MESSAGE_V3, parse_untrusted
from tests.unit.dsig import samples

OUTER = "/*/*[local-name()='Signature']"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A signed delivery, the sealed delivery made of it, and the same two with one letter changed."""
    folder = tmp_path_factory.mktemp("signed")
    signed = sign_delivery(
        samples.delivery(subject="Beslut å & <ä>".replace("&", "&amp;").replace("<", "&lt;")), samples.KOMMUN_A
    )
    seal = seal_for(signed, samples.DISPATCHER, samples.CLOCK().date())
    documents = {"signed": signed, "sealed": sealed_document(signed, seal)}
    documents |= {f"changed-{name}": raw.replace(b"Beslut", b"Beslux") for name, raw in documents.items()}
    for name, raw in documents.items():
        (folder / f"{name}.xml").write_bytes(raw)
    for name, certificate in zip(("root", "issuing"), samples.PKI.anchors, strict=True):
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.needs_program("xmlsec1")
@pytest.mark.parametrize(
    ("name", "expected"), [("signed", 0), ("sealed", 0), ("changed-signed", 1), ("changed-sealed", 1)]
)
def test_xmlsec1(files: dict[str, Path], name: str, expected: int) -> None:
    moment = samples.CLOCK().strftime("%Y-%m-%d %H:%M:%S")
    trusted = ["--trusted-pem", str(files["root"]), "--untrusted-pem", str(files["issuing"])]
    command = [
        "xmlsec1",
        "--verify",
        *trusted,
        "--verification-gmt-time",
        moment,
        "--node-xpath",
        OUTER,
        str(files[name]),
    ]
    result = subprocess.run(command, capture_output=True, check=False)
    assert min(result.returncode, 1) == expected, result.stderr.decode()


@pytest.mark.needs_program("java")
def test_the_jdk(files: dict[str, Path]) -> None:
    names = ["signed", "sealed", "changed-signed", "changed-sealed"]
    source = Path(__file__).with_name("VerifySignature.java")
    result = subprocess.run(
        ["java", str(source), *(str(files[name]) for name in names)], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["valid", "valid", "invalid", "invalid"]


def test_narrow_operators_find_what_they_need(files: dict[str, Path]) -> None:
    """Exactly one transform, the hash that SignatureMethod names, and a prefix for the namespace of the seal."""
    signed = files["signed"].read_bytes()
    request = parse_untrusted(
        deliver_secure_request(signed, seal_for(signed, samples.DISPATCHER, samples.CLOCK().date()))
    )
    inner = request[0]
    assert any(prefix and uri == MESSAGE_V3 for prefix, uri in inner.nsmap.items())
    signatures = list(inner.iter(f"{{{DSIG}}}Signature"))
    assert len(signatures) == 2
    for signature in signatures:
        (transform,) = signature.iter(f"{{{DSIG}}}Transform")
        assert transform.get("Algorithm") == f"{DSIG}enveloped-signature"
        (method,) = signature.iter(f"{{{DSIG}}}SignatureMethod")
        (digest,) = signature.iter(f"{{{DSIG}}}DigestMethod")
        assert method.get("Algorithm", "").endswith("rsa-sha256")
        assert digest.get("Algorithm", "").endswith("sha256")
        assert [child.tag for child in signature.find(f"{{{DSIG}}}KeyInfo/{{{DSIG}}}X509Data")] == [
            f"{{{DSIG}}}X509SubjectName",
            f"{{{DSIG}}}X509Certificate",
        ]
    assert not [each for each in inner.iterdescendants("*") if each.prefix is not None]
