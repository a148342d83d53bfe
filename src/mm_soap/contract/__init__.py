"""The contract: a catalogue of ``wsdl/`` and ``xsd/``, validation against it, and its published form.

What is served is these files; nothing is generated from Python.
"""

from __future__ import annotations

from mm_soap.contract.catalogue import OperationContract, Port, ports
from mm_soap.contract.explanation import Violation, explain
from mm_soap.contract.publishing import published, wsdl
from mm_soap.contract.validation import prepare, validate

__all__ = ["OperationContract", "Port", "Violation", "explain", "ports", "prepare", "published", "validate", "wsdl"]
