"""A short run of each target: over its corpus, over what Hypothesis makes of it, and led by coverage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from mm_soap.contract import validate
from mm_soap.contract.explanation import explain
from mm_soap.dsig import sign_delivery
from mm_soap.errors import Refused
from mm_soap.message import build_delivery
from mm_soap.xml import MESSAGE_V2, MESSAGE_V3, parse_untrusted
from tests.attacks.sites import KOMMUN_A, SITES, Target, document_in
from tests.conftest import missing
from tests.fuzz.targets import CORPUS, TARGETS, cast
from tests.unit.message.strategies import deliveries

ROOT = Path(__file__).parents[2]
RUNS = 500
FILES = [(name, file) for name, (_, folder) in TARGETS.items() for file in sorted((CORPUS / folder).iterdir())]
PIECES = [
    b"",
    b"<a/>",
    b"</a>",
    b"<!-- -->",
    b"<?p i?>",
    b"<![CDATA[]]>",
    b"&amp;",
    b"&#0;",
    b"\0",
    b"\xff",
    b" xmlns=''",
    b"<",
]


@pytest.mark.parametrize(("name", "file"), FILES, ids=lambda one: one if isinstance(one, str) else one.name)
def test_the_corpus(name: str, file: Path) -> None:
    TARGETS[name][0](file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_corpus_with_changes(name: str, data: st.DataObject) -> None:
    target, folder = TARGETS[name]
    raw = data.draw(st.sampled_from([file.read_bytes() for file in sorted((CORPUS / folder).iterdir())]))
    for _ in range(data.draw(st.integers(1, 3))):
        place, length = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 30))
        raw = raw[:place] + data.draw(st.sampled_from(PIECES) | st.binary(max_size=4)) + raw[place + length :]
    target(raw)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_led_by_coverage(name: str) -> None:
    if __import__("importlib.util").util.find_spec("atheris") is None:
        missing("atheris is not installed: it has wheels for Linux on x86_64 alone")
    command = [sys.executable, "-m", "tests.fuzz.run", name, f"-runs={RUNS}", "-max_total_time=15"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]


# Structures


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries)
def test_a_valid_structure_is_accepted_by_both_validators(delivery: object) -> None:
    element = _request(sign_delivery(build_delivery(delivery), cast().sender))  # type: ignore[arg-type]
    validate(element)
    assert explain(element) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_structure_that_was_changed_is_judged_alike(data: st.DataObject) -> None:
    """By the validator that decides and by the one that explains."""
    root = parse_untrusted(Target(SITES[0], cast()).good)
    places = [each for each in root.iter("*") if each.getparent() is not None]
    chosen = data.draw(st.sampled_from(places))
    parent = chosen.getparent()
    assert parent is not None
    change = data.draw(
        st.sampled_from(["remove", "double", "rename", "move", "namespace", "attribute", "text", "empty"])
    )
    if change == "remove":
        parent.remove(chosen)
    elif change == "double":
        chosen.addnext(parse_untrusted(etree.tostring(chosen, with_tail=False)))
    elif change == "rename":
        chosen.tag = f"{{{etree.QName(chosen).namespace}}}Annat"
    elif change == "move":
        parent.insert(data.draw(st.integers(0, len(parent))), chosen)
    elif change == "namespace":
        chosen.tag = (
            f"{{{data.draw(st.sampled_from([MESSAGE_V2, MESSAGE_V3, 'urn:x']))}}}{etree.QName(chosen).localname}"
        )
    elif change == "attribute":
        chosen.set(data.draw(st.sampled_from(["Id", "x", "{urn:x}y"])), KOMMUN_A)
    elif change == "text":
        chosen.text = (chosen.text or "") + "text"
    else:
        for child in list(chosen):
            chosen.remove(child)
        chosen.text = None
    element = _request(etree.tostring(root))
    try:
        validate(element)
    except Refused:
        assert explain(element) != []
    else:
        assert explain(element) == []


def _request(document: bytes) -> etree._Element:
    target = Target(SITES[0], cast())
    parent = document_in(target.request(document)).getparent()
    assert parent is not None
    return parent
