"""Each edge of the account's state machine and each operation of the register, from zeep and from Java."""

from __future__ import annotations

import pytest

from mm_soap.contract import ports

from .installation import Client, Installation, steps_of
from .table import Edge, read_edges

EDGES = read_edges()
JAVA = [pytest.mark.needs_program("wsimport", "javac", "java"), pytest.mark.slow]


@pytest.mark.parametrize("client", ["zeep", pytest.param("java", marks=JAVA)])
@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_an_edge(installation: Installation, request: pytest.FixtureRequest, client: str, edge: Edge) -> None:
    made: Client = request.getfixturevalue(client)
    assert installation.walk(made, edge) == edge.expected


def test_the_table_has_each_operation_of_the_register() -> None:
    called = {step[0] for step in steps_of(EDGES)} - {"entered-as-pending"}
    assert called == set(ports()["recipient"].operations) | set(ports()["authority"].operations)


@pytest.mark.parametrize("kind", ["company", "person"])
def test_the_table_has_each_call_in_each_state_of_the_contract(kind: str) -> None:
    calls = {
        "register",
        "deregister",
        "changeServiceSupplier",
        "storeAccountPreferences",
        "deletePendingAccountRequest",
    }
    for state in ("none", "pending", "active"):
        here = {edge.step[0] for edge in EDGES if (edge.state.kind, edge.state.name) == (kind, state)}
        assert calls <= here, state
