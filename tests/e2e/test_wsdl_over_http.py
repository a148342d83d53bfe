"""What is published can be read by the software that generates clients from it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import suds.client
import zeep

from mm_soap.xml import parse_untrusted
from tests.e2e.suite import Server, get

PORTS = {
    "/Recipient/v3": "isReachable",
    "/Authority": "getSenders",
    "/Message/v3": "distributeSecure",
    "/Notification/v3": "distribute",
    "/Service/v3": "deliverSecure",
    "/brevlada-tva/Service/v3": "deliverSecure",
}
EVERY_PORT = pytest.mark.parametrize("path", PORTS)


@EVERY_PORT
def test_every_import_resolves(served: Server, path: str) -> None:
    waiting, seen = [f"{served.url}{path}?wsdl"], set()
    while waiting:
        url = waiting.pop()
        seen.add(url)
        code, raw = get(url)
        assert code == 200, url
        for element in parse_untrusted(raw).iter("{*}import", "{*}include", "{*}redefine"):
            where = element.get("schemaLocation") or element.get("location")
            assert where, url
            assert where == urljoin(url, where), "not absolute"
            assert urlsplit(where).netloc == urlsplit(served.url).netloc
            if where not in seen:
                waiting.append(where)
    assert len(seen) > 3


@EVERY_PORT
def test_zeep(served: Server, path: str) -> None:
    with zeep.Client(f"{served.url}{path}?wsdl") as client:
        (service,) = client.wsdl.services.values()
        (port,) = service.ports.values()
        assert port.binding_options["address"] == served.url + path
        assert PORTS[path] in port.binding.all()


@EVERY_PORT
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_suds(served: Server, path: str, tmp_path: Path) -> None:
    client = suds.client.Client(f"{served.url}{path}?wsdl", cache=None)
    (definition,) = client.sd
    (port, _) = definition.ports[0]
    assert PORTS[path] in port.methods
    assert client.wsdl.services[0].ports[0].location == served.url + path


@EVERY_PORT
@pytest.mark.needs_program("wsimport")
@pytest.mark.slow
def test_wsimport(served: Server, path: str, tmp_path: Path) -> None:
    options = ["-quiet", "-Xnocompile", "-B-XautoNameResolution", "-d", str(tmp_path)]
    result = subprocess.run(
        ["wsimport", *options, f"{served.url}{path}?wsdl"], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[WARNING]" not in result.stdout + result.stderr
    sources = "".join(each.read_text() for each in tmp_path.rglob("*.java"))
    assert f" {PORTS[path]}(" in sources
