"""The kit's own signatures: what it calls right, other software verifies, and what it calls wrong is wrong."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from mm_soap.clock import system_clock
from mm_soap.conformance.class_one import notification
from mm_soap.conformance.dispatcher import CASES as DISPATCHER
from mm_soap.conformance.model import Case
from mm_soap.conformance.operator import CASES as OPERATOR
from mm_soap.conformance.operator import OperatorPlan
from mm_soap.conformance.plan import read_plan
from mm_soap.conformance.prefixes import prefixed
from mm_soap.conformance.signed import a_message
from mm_soap.conformance.signed_forms import MANNERS, SignedForm
from mm_soap.conformance.xmlsig import Manner, signed
from mm_soap.contract import validate
from mm_soap.message import Party, SecureDelivery, build_delivery
from mm_soap.testing import TestPki
from mm_soap.xml import NOTIFICATION_V3, parse_untrusted

PKI = TestPki(system_clock)
SENDER = PKI.organisation("162021004748", "Kommun A")
DELIVERY = etree.tostring(build_delivery(SecureDelivery(Party("162021004748", "A"), "192705178354", (a_message(),))))


def holds(document: bytes, folder: Path) -> bool:
    PKI.write(folder)
    file = folder / "document.xml"
    file.write_bytes(document)
    done = subprocess.run(
        [
            *("xmlsec1", "--verify", "--enabled-key-data", "x509", "--id-attr:Id", "SignedDelivery"),
            *("--trusted-pem", str(folder / "ca.pem"), "--untrusted-pem", str(folder / "issuing-ca.pem"), str(file)),
        ],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.needs_program("xmlsec1")
@pytest.mark.parametrize("form", MANNERS, ids=lambda form: form.name)
def test_other_software_verifies_each_manner(form: SignedForm, tmp_path: Path) -> None:
    document = signed(DELIVERY, SENDER, form.manner)
    assert holds(document, tmp_path)
    assert not holds(document.replace(b"Prov av", b"Prov om"), tmp_path)


@pytest.mark.needs_program("xmlsec1")
def test_other_software_verifies_what_was_signed_with_prefixes(tmp_path: Path) -> None:
    assert holds(signed(prefixed(DELIVERY), SENDER, Manner(prefix="ds")), tmp_path)


def test_putting_prefixes_changes_no_name_and_no_text() -> None:
    before, after = parse_untrusted(DELIVERY), parse_untrusted(prefixed(DELIVERY))
    assert [(each.tag, each.text) for each in before.iter()] == [(each.tag, each.text) for each in after.iter()]


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    names = ("sender", "dispatcher")
    files = "".join(f'{name}_certificate = "pki/{name}.pem"\n{name}_key = "pki/{name}.key"\n' for name in names)
    (tmp_path / "plan.toml").write_text(
        f'[operator]\nservice = "http://127.0.0.1/Service/v3"\n{files}'
        'recipient = "192705178354"\nunregistered = "191212121212"\n'
    )
    plan = read_plan(tmp_path / "plan.toml", "operator", OperatorPlan)
    assert plan.dispatcher_key == tmp_path / "pki/dispatcher.key"
    assert plan.deselecting is None


def test_the_notification_follows_the_schema() -> None:
    inside = notification("162021004748", "Kommun A", "192705178354")
    start = f'<distribute xmlns="{NOTIFICATION_V3}"><notificationDelivery>'
    validate(parse_untrusted(f"{start}{inside}</notificationDelivery></distribute>".encode()))


@pytest.mark.parametrize("case", [*OPERATOR, *DISPATCHER], ids=lambda case: case.id)
def test_each_case_says_what_it_is(case: Case[object]) -> None:
    assert re.fullmatch(r"(operator|dispatcher)\.[a-zA-Z]+\.[a-z0-9-]+", case.id)
    assert case.title.endswith(".")
    assert "\n" not in case.title
    assert re.match(r"(services|errors|messages|signing|wire|design)\.md|vectors/README\.md|SOAP 1\.1", case.rule)
    assert re.fullmatch(r"[A-Z][^\n]*\w\.", case.remedy)
