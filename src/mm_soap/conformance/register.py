"""The kit for a foreign register: every operation of Recipient and Authority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mm_soap.conformance import (
    register_accounts,
    register_authority,
    register_envelopes,
    register_faults,
    register_life,
    register_lookups,
    register_reach,
    register_soap,
    register_wsdl,
)
from mm_soap.conformance.carrying import Line
from mm_soap.conformance.model import Cases
from mm_soap.conformance.plan import Role
from mm_soap.conformance.register_target import Register, RegisterPlan, demonstration

CASES: Final = Cases(
    "register",
    register_soap.BEFORE,
    register_faults.CASES,
    register_lookups.CASES,
    register_reach.CASES,
    register_soap.CASES,
    register_envelopes.CASES,
    register_wsdl.CASES,
    register_accounts.CASES,
    register_authority.CASES,
    register_life.CASES,
)
"""In the order in which they are tried: what others rest on comes first."""


def _target(plan: RegisterPlan) -> tuple[Register, Sequence[Line]]:
    register = Register(plan)
    return register, register.lines


ROLE: Final = Role("register", RegisterPlan, CASES, _target, demonstration)
