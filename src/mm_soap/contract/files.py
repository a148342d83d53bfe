"""The bytes of the contract: our WSDL and XSD files, and the W3C's schema for signatures from the signxml package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final

XMLDSIG_PATH: Final = "/xsd/xmldsig-core-schema.xsd"

# zeep refuses a schema with a document type declaration, and nothing in the schema needs the one that it has.
_DOCTYPE: Final = re.compile(rb"<!DOCTYPE.*?\]>\s*", re.DOTALL)


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
    signature_schema = (files("signxml") / "schemas" / "xmldsig-core-schema.xsd").read_bytes()
    found[XMLDSIG_PATH] = _DOCTYPE.sub(b"", signature_schema, count=1)
    return MappingProxyType(dict(sorted(found.items())))


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for node in folder.iterdir():
        if node.is_dir():
            yield from _walk(node, f"{prefix}{node.name}/")
        else:
            yield prefix + node.name, node
