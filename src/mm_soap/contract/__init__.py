"""The contract: a catalogue of ``wsdl/`` and ``xsd/``, validation against it, and its published form.

What is served is these files; nothing is generated from Python. What explains a violation to a person is in
`mm_soap.contract.explanation`, apart, since it loads a second validator that no service needs.
"""

from __future__ import annotations

from mm_soap.contract.catalogue import OperationContract, Port, ports
from mm_soap.contract.publishing import published, wsdl
from mm_soap.contract.validation import prepare, validate

__all__ = ["OperationContract", "Port", "ports", "prepare", "published", "validate", "wsdl"]
