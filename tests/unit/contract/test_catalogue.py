from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mm_soap import contract

S = "http://minameddelanden.gov.se/schema"
AUTHORITY = "http://minameddelanden.gov.se/Authority"
ROOT = Path(__file__).parents[3]
FACTS = ROOT.parent / "shared" / "contract"


def test_the_five_ports():
    assert {name: (port.path, port.service, len(port.operations)) for name, port in contract.ports().items()} == {
        "recipient": ("/Recipient/v3", "Recipient", 14),
        "authority": ("/Authority", "Authority", 7),
        "message": ("/Message/v3", "Message", 2),
        "notification": ("/Notification/v3", "Notification", 2),
        "service": ("/Service/v3", "Service", 3),
    }
    assert contract.ports() is contract.ports()


def test_operations_are_found_by_the_qualified_name_of_their_element():
    recipient = contract.ports()["recipient"]
    found = recipient.operation_for(f"{{{S}/Recipient/v3}}isReachable")
    assert found == contract.OperationContract(
        "isReachable",
        f"{{{S}/Recipient/v3}}isReachable",
        f"{{{S}/Recipient/v3}}isReachableResponse",
        f"{{{S}/Common/v3}}applicationFault",
    )
    assert recipient.operation_for(f"{{{S}/Recipient/v9}}isReachable") is None
    assert recipient.operation_for("isReachable") is None
    # Several namespaces stand on one port.
    assert len({operation.input.partition("}")[0] for operation in recipient.operations.values()}) > 1
    for port in contract.ports().values():
        for operation in port.operations.values():
            assert port.operation_for(operation.input) is operation


def test_fault_elements():
    ports = contract.ports()
    assert ports["service"].fault_element(None) == f"{{{S}/Common/v3}}applicationFault"
    assert ports["authority"].fault_element("getSenders") == f"{{{AUTHORITY}}}getSendersFault"
    assert ports["authority"].fault_element(None) is None
    assert ports["authority"].fault_element("unknown") is None


def test_published_addresses_under_a_prefix():
    served = contract.published("http://127.0.0.1:8080/", "/brevlada-b")
    wsdl = served["/brevlada-b/wsdl/Service.wsdl"]
    assert b'location="http://127.0.0.1:8080/brevlada-b/Service/v3"' in wsdl
    assert wsdl == contract.wsdl(contract.ports()["service"], "http://127.0.0.1:8080", "/brevlada-b")
    for path, raw in served.items():
        for location in re.findall(r'schemaLocation="([^"]*)"', raw.decode()):
            assert location.removeprefix("http://127.0.0.1:8080") in served, path


def test_an_address_is_escaped():
    wsdl = contract.wsdl(contract.ports()["service"], 'http://h/a&"b')
    assert b"a&amp;" in wsdl
    assert b'&"b' not in wsdl


@pytest.mark.skipif(not FACTS.is_dir(), reason="the facts of the contract are not beside the repository")
def test_the_files_are_the_contract():
    command = [sys.executable, str(FACTS / "contract_facts.py"), "check", str(FACTS / "contract.json"), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 differences")
