"""Secure digital post over SOAP: address register, dispatcher and mailbox operator.

What others may rely on is what ``__all__`` lists here and in the packages below.
"""

from mm_soap.errors import (
    ConfigurationError,
    MmSoapError,
    Refusal,
    Refused,
    RemoteFault,
    TransportError,
)
from mm_soap.version import __version__

__all__ = [
    "ConfigurationError",
    "MmSoapError",
    "Refusal",
    "Refused",
    "RemoteFault",
    "TransportError",
    "__version__",
]
