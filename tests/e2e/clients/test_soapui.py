"""The SoapUI project: SoapUI can read it, and every step and assertion of it holds against the served suite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mm_soap.contract import ports
from tests.e2e.clients.conftest import CLIENTS, Installation, run_script
from tests.e2e.clients.soapui_player import Answer, Failed, Player
from tests.e2e.clients.soapui_project import NotUnderstood, Project, Request, read_project
from tests.e2e.clients.soapui_shapes import A_FAULT, NO_FAULT

FILE = CLIENTS / "soapui" / "mm-soap-soapui-project.xml"
MAKE = CLIENTS / "soapui" / "make_project.py"
COMMITTED = read_project(FILE)


@pytest.fixture(scope="module")
def made(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with messages that were signed with this demonstration's keys."""
    file = tmp_path_factory.mktemp("soapui") / "project.xml"
    done = run_script(MAKE, installation.folder, file, "--endpoint", installation.url)
    assert done.returncode == 0, done.stderr
    return read_project(file)


@pytest.fixture(scope="module")
def player(made: Project) -> Player:
    return Player(made)


@pytest.mark.parametrize("number", range(len(COMMITTED.cases)), ids=[str(case) for case in COMMITTED.cases])
def test_every_step_and_assertion_holds(number: int, made: Project, player: Player) -> None:
    player.play(made.cases[number])


def test_the_interfaces_are_those_of_the_contract(player: Player) -> None:
    assert len(COMMITTED.interfaces) == len(ports())
    for port in ports().values():
        interface = next(i for i in COMMITTED.interfaces.values() if f"{port.path}?wsdl" in i.definition)
        assert interface.definition == f"${{#Project#endpoint}}{port.path}?wsdl"
        assert set(interface.operations) == set(port.operations) == set(player.definition(interface.name).operations)


def requests() -> list[tuple[str, Request]]:
    return [(case.suite, step) for case in COMMITTED.cases for step in case.steps if isinstance(step, Request)]


def test_every_request_goes_to_the_endpoint_and_is_fully_judged() -> None:
    for _, step in requests():
        path = COMMITTED.interfaces[step.interface].definition.removesuffix("?wsdl")
        assert step.endpoint == path
        kinds = [assertion.kind for assertion in step.assertions]
        assert {"SOAP Response", "Schema Compliance", "XPath Match"} <= set(kinds)
        assert (NO_FAULT in kinds) != (A_FAULT in kinds)


def test_each_service_has_its_suite_with_expected_faults() -> None:
    suites = {"Recipient", "Authority", "Message", "Notification", "Service"}
    assert {suite for suite, _ in requests()} == suites
    faults = {suite for suite, step in requests() if A_FAULT in [assertion.kind for assertion in step.assertions]}
    assert faults == suites
    codes = {a.settings["content"] for _, step in requests() for a in step.assertions if a.name == "ErrorCode"}
    assert codes == {"5001", "5002", "5003", "5005", "5006", "5010"}


def test_the_committed_project_holds_no_signature() -> None:
    assert "SignatureValue" not in FILE.read_text(encoding="utf-8")
    assert "X509Certificate" not in FILE.read_text(encoding="utf-8")


def test_only_values_differ_in_the_project_that_was_made(made: Project) -> None:
    assert (made.interfaces, made.cases) == (COMMITTED.interfaces, COMMITTED.cases)
    assert made.properties.keys() == COMMITTED.properties.keys()
    assert "run make_project.py" not in made.properties.values()


def test_a_folder_that_is_no_demonstration_is_explained(tmp_path: Path) -> None:
    done = run_script(MAKE, tmp_path, tmp_path / "project.xml")
    assert done.returncode == 1
    assert "make a demonstration first" in done.stderr
    assert not (tmp_path / "project.xml").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('type="SOAP Response"', 'type="SOAP Request"'),
        ('type="XPath Match"', 'type="XQuery Match"'),
        ('type="delay"', 'type="goto"'),
        ("<con:settings/>", "<con:setting/>"),
        ("<con:settings/>", ""),
        (' searchProperties="true"', ""),
        (' searchProperties="true"', ' searchProperties="true" disabled="true"'),
        ("<ignoreCase>false", "<ignoreCase>true"),
        ("<con:sourceType>Response<", "<con:sourceType>Request<"),
        ('"con:RequestStep"', '"con:RestRequestStep"'),
        ('name="SOAP Response" id="[^"]+"', 'name="SOAP Response"'),
        ('name="isRegistered" searchProperties', 'name="isReachable without an id" searchProperties'),
        ('name="SOAP Response" id="[^"]+"', 'name="SOAP Response" id="same"'),
    ],
)
def test_what_the_player_does_not_know_is_an_error(old: str, new: str, tmp_path: Path) -> None:
    text, changes = re.subn(old, new, FILE.read_text(encoding="utf-8"), count=0 if "same" in new else 1)
    assert changes
    file = tmp_path / "project.xml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(NotUnderstood):
        read_project(file)


@pytest.mark.parametrize(
    ("case", "old", "new"),
    [
        ("Recipient: isRegistered", ">Secure<", ">Anonymous<"),
        ("Recipient: isRegistered", ">2<", ">3<"),
        ("Recipient: isRegistered", "return\\[2\\]", "return"),
        ("Recipient: isRegistered", "<token>http<", "<token>gopher<"),
        ("Recipient: isRegistered", f'"{NO_FAULT}"', f'"{A_FAULT}"'),
        ("Recipient: isReachable, 5001: not an id", f'"{A_FAULT}"', f'"{NO_FAULT}"'),
        ("Recipient: isReachable, 5001: not an id", "<token>19270517-8354", "<token>ErrorCode"),
    ],
)
def test_an_assertion_that_does_not_hold_is_noticed(
    case: str, old: str, new: str, installation: Installation, tmp_path: Path
) -> None:
    title = case.partition(": ")[2]
    before, start, after = FILE.read_text(encoding="utf-8").partition(f'name="{title}" searchProperties')
    after, changes = re.subn(old, new, after, count=1)
    assert changes
    file = tmp_path / "project.xml"
    file.write_text(before + start + after, encoding="utf-8")
    project = read_project(file)
    project.properties["endpoint"] = installation.url
    chosen = next(entry for entry in project.cases if str(entry) == case)
    with pytest.raises(Failed):
        Player(project).play(chosen)


@pytest.mark.parametrize(
    "answer",
    [
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>',
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><a/></e:Body></e:Envelope>',
        "<html/>",
    ],
)
def test_what_is_not_soap_is_noticed(answer: str, player: Player) -> None:
    with pytest.raises(Failed, match="not a SOAP envelope"):
        _ = Answer(answer, player.definition("MessageBinding-v3"), "distributeSecure").content
