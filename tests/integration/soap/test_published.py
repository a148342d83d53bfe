"""The contract from the running server, as the generators of client software read it."""

from __future__ import annotations

import re
import subprocess
import urllib.request
import warnings
from pathlib import Path

import pytest
from lxml import etree

PATHS = {
    "/Recipient/v3": ("isRegistered", 14),
    "/Authority": ("getSenders", 7),
    "/Message/v3": ("distributeSecure", 2),
    "/Notification/v3": ("registerNotificationInfo", 2),
    "/Service/v3": ("deliverSecure", 3),
}


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
        body: bytes = answer.read()
        return body


@pytest.mark.parametrize("path", PATHS)
def test_every_import_is_absolute_and_resolves(server, path):
    wsdl = get(f"{server.url}{path}?wsdl")
    assert wsdl == get(f"{server.url}{path}?WSDL")
    assert f'location="{server.url}{path}"'.encode() in wsdl
    todo, seen = [wsdl], set()
    while todo:
        for url in re.findall(r'schemaLocation="([^"]*)"', todo.pop().decode()):
            assert url.startswith(f"{server.url}/xsd/")
            if url not in seen:
                seen.add(url)
                todo.append(get(url))
    assert len(seen) > 3


@pytest.mark.parametrize("path", PATHS)
def test_zeep_loads_it(server, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import zeep

        client = zeep.Client(f"{server.url}{path}?wsdl")
    (service,) = client.wsdl.services.values()
    (port,) = service.ports.values()
    assert len(port.binding._operations) == len(client.service._operations)
    assert PATHS[path][1] == len(client.service._operations)
    assert port.binding_options["address"] == server.url + path
    client.transport.session.close()


@pytest.mark.parametrize("path", PATHS)
def test_suds_loads_it(server, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from suds.client import Client

        client = Client(f"{server.url}{path}?wsdl", cache=None)
    assert len(client.wsdl.services[0].ports[0].methods) == PATHS[path][1]


def test_zeep_calls_and_reads_a_fault(server):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import zeep

        client = zeep.Client(f"{server.url}/Recipient/v3?wsdl")
    answer = client.service.isRegistered(recipientId=["191212121212"])
    assert [row.Type for row in answer] == ["Not"]
    with pytest.raises(zeep.exceptions.Fault) as caught:
        client.service.isRegistered(recipientId=["199001010001"])
    detail = caught.value.detail[0]
    information = client.wsdl.types.get_element(detail.tag).parse(detail, client.wsdl.types)
    assert (information.ErrorCode, len(information.CallId)) == (5003, 36)
    client.transport.session.close()


def test_suds_calls_and_reads_a_fault(server):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from suds import WebFault
        from suds.client import Client

        client = Client(f"{server.url}/Recipient/v3?wsdl", cache=None)
        assert client.service.isRegistered(["191212121212"])[0].Type == "Not"
        with pytest.raises(WebFault) as caught:
            client.service.isRegistered(["199001010001"])
    assert int(caught.value.fault.detail.applicationFault.ErrorCode) == 5003


@pytest.mark.slow
@pytest.mark.needs_program("wsimport")
@pytest.mark.parametrize("path", PATHS)
def test_wsimport_loads_it(server, tmp_path: Path, path):
    command = ["wsimport", "-B-XautoNameResolution", "-Xnocompile", "-d", str(tmp_path), f"{server.url}{path}?wsdl"]
    done = subprocess.run(command, capture_output=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.rglob("*.java"))


def test_the_files_are_served_byte_for_byte_but_for_addresses(server):
    root = Path(__file__).parents[3]
    for file in sorted((root / "xsd").rglob("*.xsd")):
        served = get(f"{server.url}/{file.relative_to(root).as_posix()}")
        strip = re.compile(rb'schemaLocation="[^"]*"')
        assert strip.sub(b"", served) == strip.sub(b"", file.read_bytes())
        etree.fromstring(served)
