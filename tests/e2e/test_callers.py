"""Who may call what: every operation of the five ports, by every kind of organisation with a good certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final

import pytest
import requests
from lxml import etree

from mm_soap.bootstrap import databases
from mm_soap.config import load
from mm_soap.conformance import dispatcher_others, operator_others
from mm_soap.conformance import register_requests as to_register
from mm_soap.conformance.dispatcher_bench import DispatcherBench, DispatcherPlan
from mm_soap.conformance.operator_bench import OperatorBench, OperatorPlan
from mm_soap.contract import ports
from mm_soap.demonstration import COMPANY, DISPATCHER, KOMMUN_A, KOMMUN_B, OPERATOR_ONE, RECIPIENT, UNKNOWN
from mm_soap.soap.envelope import wrap
from mm_soap.storage import events_of, reading
from tests.e2e.production import OTHER_DISPATCHER, STRANGER, Production, make, served
from tests.e2e.test_tls import status_request

pytestmark = pytest.mark.slow

CALLERS: Final = {
    "sender": KOMMUN_A,
    "other sender": KOMMUN_B,
    "dispatcher": DISPATCHER,
    "other dispatcher": OTHER_DISPATCHER,
    "operator": OPERATOR_ONE,
    "stranger": STRANGER,
}
"""The sender is the one of all requests, the dispatcher is listed for it, the operator has its recipient's mailbox."""

PARTIES: Final = frozenset(CALLERS) - {"stranger"}
OPERATORS: Final = frozenset({"operator"})
FOR_THE_SENDER: Final = frozenset({"sender", "dispatcher"})

ALLOWED: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "recipient": {
        "isRegistered": PARTIES,
        "isReachable": FOR_THE_SENDER | OPERATORS,
        **dict.fromkeys(set(ports()["recipient"].operations) - {"isRegistered", "isReachable"}, OPERATORS),
    },
    "authority": {
        **dict.fromkeys(("getSenders", "getDispatchers", "isSenderAccepted"), PARTIES),
        **dict.fromkeys(
            ("testNewSigner", "verifyAuthorizedSignatures", "getUserAccessRights", "getUserAccessRightsNoConcent"),
            OPERATORS,
        ),
    },
    "message": {"distributeSecure": FOR_THE_SENDER, "checkDistributionStatus": FOR_THE_SENDER},
    "notification": {"distribute": FOR_THE_SENDER, "checkDistributionStatus": FOR_THE_SENDER},
    # The seal is the dispatcher's, so nobody else may bring it.
    "service": {
        "deliverSecure": frozenset({"dispatcher"}),
        "notify": frozenset({"dispatcher"}),
        "deliverForward": OPERATORS,
    },
}
"""Source: contract, services. It names no caller for Authority: what asks for persons is for operators."""

SERVER: Final = {
    "recipient": "far",
    "authority": "far",
    "message": "dispatcher",
    "notification": "dispatcher",
    "service": "operator",
}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    made = make(tmp_path_factory.mktemp("callers"))
    (made.folder / "data").mkdir()
    made.fill()
    with served(made):
        yield made


def to_register_by_name() -> dict[str, Callable[[], bytes]]:
    def identity(name: str) -> Callable[[], bytes]:
        return partial(to_register.identity, name, UNKNOWN, UNKNOWN)

    others = {
        name: identity(name)
        for name in ports()["recipient"].operations
        if name.startswith(("getPending", "deletePending")) or name == "getAccountPreferences"
    }
    junk, text = to_register.JUNK, "Ingen har skrivit under."
    return {
        **others,
        "isRegistered": lambda: to_register.lookup("isRegistered", KOMMUN_A.number, [RECIPIENT]),
        "isAuthorizedSigner": lambda: to_register.identity("isAuthorizedSigner", COMPANY, UNKNOWN),
        "isReachable": lambda: to_register.lookup("isReachable", KOMMUN_A.number, [RECIPIENT]),
        "register": lambda: to_register.account("register", UNKNOWN, OPERATOR_ONE.name, text, junk),
        "deregister": lambda: to_register.account("deregister", UNKNOWN, OPERATOR_ONE.name, text, junk),
        "changeServiceSupplier": lambda: to_register.change(UNKNOWN, OPERATOR_ONE.name, text, junk),
        "storeAccountPreferences": lambda: to_register.preferences(UNKNOWN, [KOMMUN_A.number], text, junk),
        "getSenders": lambda: to_register.element("getSenders"),
        "getDispatchers": lambda: to_register.element("getDispatchers"),
        "isSenderAccepted": lambda: to_register.argument("isSenderAccepted", KOMMUN_A.number),
        "testNewSigner": lambda: to_register.new_signer(UNKNOWN, UNKNOWN),
        "verifyAuthorizedSignatures": lambda: to_register.verify(UNKNOWN, text, junk),
        "getUserAccessRights": lambda: to_register.argument("getUserAccessRights", UNKNOWN),
        "getUserAccessRightsNoConcent": lambda: to_register.argument("getUserAccessRightsNoConcent", UNKNOWN),
    }


@cache
def benches(folder: Path) -> tuple[DispatcherBench, OperatorBench]:
    def files(name: str, number: str) -> dict[str, Path]:
        return {f"{name}_certificate": folder / f"pki/{number}.pem", f"{name}_key": folder / f"pki/{number}.key"}

    shared = {
        **files("sender", KOMMUN_A.number),
        "sender_name": KOMMUN_A.name,
        "recipient": RECIPIENT,
        "unregistered": UNKNOWN,
    }
    return (
        DispatcherBench(DispatcherPlan.model_validate({**shared, "message": "https://127.0.0.1/"})),
        OperatorBench(
            OperatorPlan.model_validate(
                {**shared, "service": "https://127.0.0.1/", **files("dispatcher", DISPATCHER.number)}
            )
        ),
    )


def request_of(production: Production, port: str, operation: str) -> bytes:
    """A good request, new each time where a repetition is told apart."""
    if SERVER[port] == "far":
        return to_register_by_name()[operation]()
    to_dispatcher, to_operator = benches(production.folder)
    unknown = "00000000-0000-4000-8000-000000000000"
    made: dict[tuple[str, str], Callable[[], bytes]] = {
        ("message", "distributeSecure"): lambda: to_dispatcher.wire.carry(to_dispatcher.sign(to_dispatcher.unsigned())),
        ("message", "checkDistributionStatus"): lambda: status_request(KOMMUN_A, unknown).encode(),
        ("notification", "distribute"): lambda: dispatcher_others.distribute_request(to_dispatcher),
        ("notification", "checkDistributionStatus"): lambda: dispatcher_others.status_request(KOMMUN_A.number, unknown),
        ("service", "deliverSecure"): lambda: to_operator.wire.carry(
            to_operator.finished(to_operator.sign(to_operator.unsigned()))
        ),
        ("service", "notify"): lambda: operator_others.notify_request(to_operator),
        ("service", "deliverForward"): lambda: operator_others.forward_request(
            to_operator, operator_others.original_of(to_operator, "Prov")
        ),
    }
    return made[port, operation]()


def test_the_table_has_every_operation() -> None:
    assert {port: set(table) for port, table in ALLOWED.items()} == {
        name: set(port.operations) for name, port in ports().items()
    }


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("port", "operation"), sorted((port, name) for port in ALLOWED for name in ALLOWED[port]))
def test_who_may_call_what(production: Production, port: str, operation: str, caller: str) -> None:
    """Who may not gets fault 5002, and the refusal is written down with the organisation."""
    answer = requests.post(
        f"{production.servers[SERVER[port]].url}{ports()[port].path}",
        wrap(request_of(production, port, operation)),
        headers={"Content-Type": "text/xml; charset=utf-8"},
        cert=production.credentials(CALLERS[caller]),
        verify=str(production.folder / "pki/ca.pem"),
        timeout=30,
    )
    root = etree.fromstring(answer.content)
    code = int(root.findtext(".//{*}ErrorCode", "0"))
    if caller in ALLOWED[port][operation]:
        assert code not in (5000, 5001, 5002), root.findtext(".//{*}Description")
        return
    assert (answer.status_code, code) == (500, 5002), root.findtext(".//{*}Description")
    party = SERVER[port]
    (database,) = databases(load(production.folder / f"{party}.toml")).values()
    with reading(database) as connection:
        (event,) = events_of(connection, call_id=root.findtext(".//{*}CallId"))
    database.dispose()
    assert (event.kind, event.outcome) == ("refusal", "NOT_AUTHORISED")
    assert dict(event.detail)["caller"] == CALLERS[caller].number
