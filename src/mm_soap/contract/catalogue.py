"""What the contract offers: its ports and their operations, read from the WSDL files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Final

from lxml import etree

from mm_soap.contract.files import contract_files
from mm_soap.errors import ConfigurationError

_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
_SOAP: Final = "{http://schemas.xmlsoap.org/wsdl/soap/}"
_PORTS: Final = MappingProxyType(
    {
        "recipient": ("Recipient.wsdl", "/Recipient/v3"),
        "authority": ("Authority.wsdl", "/Authority"),
        "message": ("Message.wsdl", "/Message/v3"),
        "notification": ("Notification.wsdl", "/Notification/v3"),
        "service": ("Service.wsdl", "/Service/v3"),
    }
)


@dataclass(frozen=True)
class OperationContract:
    """One operation. ``input``, ``output`` and ``fault`` are qualified names of elements, as ``{namespace}name``."""

    name: str
    input: str
    output: str
    fault: str


@dataclass(frozen=True)
class Port:
    """One service of the contract.

    ``name`` is its key in `ports`; ``path`` is where it is served, such as ``/Recipient/v3``; ``wsdl`` is the file name
    and ``service`` the name of the WSDL service; ``operations`` is by operation name.
    """

    name: str
    path: str
    wsdl: str
    service: str
    operations: Mapping[str, OperationContract]
    _by_input: Mapping[str, OperationContract] = field(repr=False, compare=False)
    _common_fault: str | None = field(repr=False, compare=False)

    def operation_for(self, qname: str) -> OperationContract | None:
        """Return the operation whose request element is ``qname``, or None. Namespaces differ within one port."""
        return self._by_input.get(qname)

    def fault_element(self, operation: str | None) -> str | None:
        """Return the qualified name of the fault element for the operation of that name.

        Four ports have one fault element for all operations, which is also right where no operation is known. The port
        ``authority`` has one for each operation, so there the answer is None where none is known.
        """
        contract = self.operations.get(operation) if operation is not None else None
        return contract.fault if contract is not None else self._common_fault


@cache
def ports() -> Mapping[str, Port]:
    """Return the five ports by name: recipient, authority, message, notification, service."""
    return MappingProxyType({name: _port(name, wsdl, path) for name, (wsdl, path) in _PORTS.items()})


def _port(name: str, wsdl: str, path: str) -> Port:
    root = etree.fromstring(contract_files()[f"/wsdl/{wsdl}"])
    elements = {
        str(message.get("name")): _resolve(message[0], str(message[0].get("element")))
        for message in root.findall(f"{_WSDL}message")
    }

    def element(operation: etree._Element, kind: str) -> str:
        node = operation.find(f"{_WSDL}{kind}")
        if node is None:
            raise ConfigurationError(f"{wsdl}: the operation {operation.get('name')} has no {kind}")
        return elements[str(node.get("message")).rpartition(":")[2]]

    found = [
        OperationContract(
            str(node.get("name")), element(node, "input"), element(node, "output"), element(node, "fault")
        )
        for node in root.iterfind(f"{_WSDL}portType/{_WSDL}operation")
    ]
    faults = {operation.fault for operation in found}
    service = root.find(f"{_WSDL}service")
    if service is None or service.find(f".//{_SOAP}address") is None:
        raise ConfigurationError(f"{wsdl} has no service with a SOAP address")
    return Port(
        name=name,
        path=path,
        wsdl=wsdl,
        service=str(service.get("name")),
        operations=MappingProxyType({operation.name: operation for operation in found}),
        _by_input=MappingProxyType({operation.input: operation for operation in found}),
        _common_fault=faults.pop() if len(faults) == 1 else None,
    )


def _resolve(node: etree._Element, value: str) -> str:
    prefix, _, name = value.rpartition(":")
    return f"{{{node.nsmap[prefix or None]}}}{name}"
