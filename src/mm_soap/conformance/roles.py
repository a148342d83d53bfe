"""The roles that the kit can judge. Each one's module is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from mm_soap.conformance.plan import Role

ROLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "register": "an address register: Recipient and Authority",
        "dispatcher": "a dispatcher: Message and Notification",
        "operator": "a mailbox operator: Service",
    }
)
"""By name; the value says whom it judges. A role stands in the module of its name in this package, as ``ROLE``."""


def role_of(name: str) -> Role[Any, Any]:
    """Return a role by its name in `ROLES`."""
    role: Role[Any, Any] = import_module(f"mm_soap.conformance.{name}").ROLE
    return role
