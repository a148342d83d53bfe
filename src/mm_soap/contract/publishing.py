"""The contract as it is served: byte for byte the files, but for addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import dirname, join, normpath
from types import MappingProxyType
from typing import Final
from xml.sax.saxutils import quoteattr

from mm_soap.contract.catalogue import Port, ports
from mm_soap.contract.files import contract_files

_SCHEMA_LOCATION: Final = re.compile(rb'(?<=\sschemaLocation=)"([^"]*)"')
_ADDRESS: Final = re.compile(rb'(<soap:address\s+location=)"[^"]*"')


def published(base_url: str, prefix: str = "") -> Mapping[str, bytes]:
    """Return what is served for reading, by path.

    Schemas stand at ``/xsd/...`` whatever the prefix, WSDLs at ``PREFIX/wsdl/...``. Every ``schemaLocation`` is an
    absolute URL, since some generators confuse equal file names in different folders. The address of a service is
    ``base_url + prefix + port.path``.

    Args:
        base_url: where callers reach this installation, such as ``http://127.0.0.1:8080``; never from a Host header.
        prefix: a path before the port's own, such as ``/brevlada-b``, for a second party of the same kind.
    """
    base = base_url.rstrip("/")
    served = {path: _absolute(path, raw, base) for path, raw in contract_files().items() if path.startswith("/xsd/")}
    for port in ports().values():
        served[f"{prefix}/wsdl/{port.wsdl}"] = wsdl(port, base_url, prefix)
    return MappingProxyType(served)


def wsdl(port: Port, base_url: str, prefix: str = "") -> bytes:
    """Return the WSDL of one port, as it is served at ``PATH?wsdl``. Arguments as for `published`."""
    base = base_url.rstrip("/")
    path = f"/wsdl/{port.wsdl}"
    raw = _absolute(path, contract_files()[path], base)
    return _ADDRESS.sub(lambda match: match[1] + _attribute(f"{base}{prefix}{port.path}"), raw)


def _absolute(path: str, raw: bytes, base: str) -> bytes:
    folder = dirname(path)
    return _SCHEMA_LOCATION.sub(lambda match: _attribute(base + normpath(join(folder, match[1].decode()))), raw)


def _attribute(url: str) -> bytes:
    return quoteattr(url).encode()
