"""The bytes of the contract: the WSDL and XSD files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from lxml import etree


@cache
def contract_files() -> Mapping[str, bytes]:
    """Return each file of the contract by its path, such as ``/wsdl/Service.wsdl`` and ``/xsd/v3/Common.xsd``."""
    package = files("mm_soap.contract")
    found = {
        f"/{kind}/{path}": node.read_bytes()
        for kind, suffix in (("wsdl", ".wsdl"), ("xsd", ".xsd"))
        for path, node in _walk(package / kind)
        if path.endswith(suffix)
    }
    return MappingProxyType(dict(sorted(found.items())))


@contextmanager
def unpacked_schemas() -> Iterator[Path]:
    """Give, for as long as the block runs, a file that imports every schema of the contract.

    Both validators load schemas from files: lxml's way to answer imports from memory is a setting of the whole process,
    which any other thread that parses at that moment takes away, and imports that fail are left out without an error.
    """
    with TemporaryDirectory(prefix="mm-soap-contract-") as folder:
        root = Path(folder)
        imports = ""
        for path, raw in contract_files().items():
            if path.startswith("/xsd/"):
                target = root / path[1:]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(raw)
                namespace = etree.fromstring(raw).get("targetNamespace")
                imports += f'<xs:import namespace="{namespace}" schemaLocation="{path[1:]}"/>'
        driver = root / "all.xsd"
        driver.write_text(f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>')
        yield driver


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for node in folder.iterdir():
        if node.is_dir():
            yield from _walk(node, f"{prefix}{node.name}/")
        else:
            yield prefix + node.name, node
