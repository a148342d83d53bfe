"""The cases of isRegistered and isReachable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from lxml import etree

from mm_soap.conformance.model import Cases
from mm_soap.conformance.register_requests import element, lookup
from mm_soap.conformance.register_soap import BASE, CODED
from mm_soap.conformance.register_target import BAD_INPUT, Register, checked, expect, given, strangers, value

CASES: Final = Cases[Register]("register")
_MOST: Final = 1000
_BAD_IDS: Final = {
    "eleven digits": "{0:.11}",
    "thirteen digits": "{0}0",
    "a letter": "{0:.11}X",
    "month 13": "192713178354",
    "century 17": "171212121212",
    "a space before it": " {0}",
    "nothing": "",
}


class Rows:
    """The rows of an answer of isRegistered or isReachable, by the contract's names."""

    def __init__(self, operation: str, answer: etree._Element) -> None:
        self._prefix = "AccountStatus/" if operation == "isReachable" else ""
        self.rows = list(answer.iterchildren("{*}return"))

    @property
    def ids(self) -> list[str | None]:
        """The recipients, in order."""
        return [self.of(row, "RecipientId") for row in self.rows]

    def of(self, row: etree._Element, path: str) -> str | None:
        """Return a text of the AccountStatus of a row."""
        return value(row, f"{self._prefix}{path}")

    def the(self, path: str) -> str | None:
        """Return a text of the AccountStatus of the only row."""
        return self.of(self.only(), path)

    def only(self) -> etree._Element:
        """Return the only row."""
        expect(len(self.rows) == 1, f"One row was expected; {len(self.rows)} came.", "return")
        return self.rows[0]


def rows(register: Register, operation: str, ids: Sequence[str], sender: str | None = None) -> Rows:
    """Ask about some ids."""
    request = lookup(operation, sender or register.plan.sender, ids)
    return Rows(operation, register.ask(operation, request))


def _answer(register: Register, operation: str) -> None:
    found = rows(register, operation, [register.plan.reachable])
    expect(found.the("RecipientId") == register.plan.reachable, "Another recipient is answered.", "RecipientId")


def _known(register: Register, operation: str) -> None:
    found = rows(register, operation, [register.plan.reachable])
    expect(found.the("Type") == "Secure", f"The Type is {found.the('Type')}.", "AccountStatus/Type")
    expect(found.the("Pending") in ("false", "0"), "An active account is not Pending.", "AccountStatus/Pending")
    place = "AccountStatus/ServiceSupplier"
    expect(found.the("ServiceSupplier/Id") == register.plan.operator, "It is another operator, or none.", place)
    expect(found.the("ServiceSupplier/Name") == register.plan.operator_name, "It has another Name.", f"{place}/Name")


def _unknown(register: Register, operation: str) -> None:
    found = rows(register, operation, [register.plan.unknown])
    expect(found.the("RecipientId") == register.plan.unknown, "Another recipient is answered.", "RecipientId")


def _unknown_type(register: Register, operation: str) -> None:
    found = rows(register, operation, [register.plan.unknown]).the("Type")
    expect(found == "Not", f"The Type of an unknown id must be Not; it is {found}.", "AccountStatus/Type")


def _unknown_supplier(register: Register, operation: str) -> None:
    found = rows(register, operation, [register.plan.unknown]).the("ServiceSupplier")
    expect(found is None, "An unknown id has a ServiceSupplier.", "AccountStatus/ServiceSupplier")


def _pending(register: Register, operation: str) -> None:
    found = rows(register, operation, [given(register.plan.pending, "pending")]).the("Pending")
    expect(found in ("true", "1"), f"Pending must be true; it is {found}.", "AccountStatus/Pending")


def _order(register: Register, operation: str) -> None:
    ids = strangers(9)[::-1]
    ids.insert(4, register.plan.reachable)
    found = rows(register, operation, ids).ids
    if Counter(found) == Counter(ids):
        place = next((number for number, pair in enumerate(zip(found, ids, strict=True), 1) if pair[0] != pair[1]), 0)
        expect(found == ids, "The rows are not in the order in which was asked.", f"return[{place}]")
    expect(set(found) >= set(ids), "Not every id has a row.", "return")


def _duplicates(register: Register, operation: str) -> None:
    one, two = register.plan.reachable, register.plan.unknown
    found = rows(register, operation, [one, two, one, one]).ids
    expect(
        Counter(found) == Counter([one, two, one, one]),
        f"Four ids were asked, one of them three times; {len(found)} rows came.",
        "return",
    )


def _thousand(register: Register, operation: str) -> None:
    ids = strangers(_MOST)
    found = rows(register, operation, ids).ids
    expect(set(found) == set(ids), f"1000 ids were asked; {len(set(found))} are answered.", "return")


def _too_many(register: Register, operation: str) -> None:
    ids = [*strangers(_MOST), register.plan.reachable]
    register.refused(operation, lookup(operation, register.plan.sender, ids), 5005)


def _bad_id(register: Register, operation: str) -> None:
    for name, pattern in _BAD_IDS.items():
        wrong = lookup(operation, register.plan.sender, [pattern.format(register.plan.reachable)])
        answer = register.call(operation, wrong)
        expect(answer.payload().tag.endswith("}Fault"), f"An id with {name} was taken.", "recipientId")
        checked(answer, *BAD_INPUT)


def _bad_among_good(register: Register, operation: str) -> None:
    ids = [register.plan.reachable, "12345", register.plan.unknown]
    register.refused(operation, lookup(operation, register.plan.sender, ids), *BAD_INPUT)


def _strange_namespace(register: Register, operation: str) -> None:
    sender = f"<senderOrgNr>{register.plan.sender}</senderOrgNr>" if operation == "isReachable" else ""
    number = register.plan.reachable
    request = element(operation, f'{sender}<recipientId xmlns="urn:example:other">{number}</recipientId>')
    register.refused(operation, request, *BAD_INPUT)


def _repeated(register: Register, operation: str) -> None:
    ids = [register.plan.reachable, register.plan.unknown]
    first, second = (
        sorted(etree.tostring(row, method="c14n", exclusive=True) for row in rows(register, operation, ids).rows)
        for _ in range(2)
    )
    expect(first == second, "The same call, made twice, was answered in two ways.", "return")


_LOOKUPS: Final[dict[str, tuple[str, str, str, Callable[..., None], tuple[str, ...]]]] = {
    "answer": (
        "{0} answers with one row for an id, in the contract's namespaces",
        "services, {0}; contract.json",
        "Answer with {0}Response of Recipient/v3, with the elements of the schema in their order and namespaces.",
        _answer,
        BASE,
    ),
    "known": (
        "{0} tells Type, Pending and the operator of an active account",
        "services, {0}; contract.json, AccountStatus",
        "Answer an active account with Type Secure, Pending false and the operator as it is registered.",
        _known,
        ("{0}.answer",),
    ),
    "unknown": (
        "{0} gives an unknown id a row of its own, not a fault",
        "services, isReachable: an unknown id is a normal answer",
        "Answer an unknown id with a normal row, and the other ids of the call as always.",
        _unknown,
        ("{0}.answer",),
    ),
    "unknown-type": (
        "{0} answers an unknown id with Type Not",
        "services, isReachable: an unknown id is a normal answer",
        "Answer an unknown id with Type Not.",
        _unknown_type,
        ("{0}.unknown",),
    ),
    "unknown-supplier": (
        "{0} names no operator for an unknown id",
        "services, isReachable: an unknown id is a normal answer",
        "Leave ServiceSupplier out where there is no account.",
        _unknown_supplier,
        ("{0}.unknown",),
    ),
    "pending": (
        "{0} answers an account that waits for signatures with Pending true",
        "services, isReachable; the state machine",
        "Answer Pending true as long as signatures are missing.",
        _pending,
        ("{0}.answer",),
    ),
    "order": (
        "{0} answers in the order asked",
        "services, isRegistered: in the order asked",
        "Sort the rows by the place of the id in the request, not by what the database gives.",
        _order,
        ("{0}.unknown",),
    ),
    "duplicates": (
        "{0} answers an id as often as it was asked",
        "services, isRegistered: one AccountStatus per id",
        "Write one row for each recipientId of the request, also for one that stands there before.",
        _duplicates,
        ("{0}.unknown",),
    ),
    "thousand": (
        "{0} answers 1000 ids in one call",
        "services, isReachable: at most 1000 ids",
        "Raise the limit to 1000 ids for a call.",
        _thousand,
        ("{0}.unknown",),
    ),
    "too-many": (
        "{0} refuses 1001 ids with code 5005",
        "services, isRegistered: more with 5005",
        "Count the ids before anything else, and refuse more than 1000 with code 5005.",
        _too_many,
        CODED,
    ),
    "bad-id": (
        "{0} refuses ids that break the pattern",
        "messages, Identifiers; contract.json, RecipientId",
        "Check every id against the pattern of RecipientId, and refuse the request with code 5001.",
        _bad_id,
        CODED,
    ),
    "bad-among-good": (
        "{0} refuses a call where one of several ids is bad",
        "errors, 5001 schema violation",
        "Check all ids, and refuse the whole call with code 5001 where one is wrong.",
        _bad_among_good,
        CODED,
    ),
    "child-namespace": (
        "{0} refuses an id in a strange namespace",
        "errors, 5001 schema violation",
        "Compare the namespaces of child elements too.",
        _strange_namespace,
        CODED,
    ),
    "repeated": (
        "{0} answers the same call in the same way",
        "services, {0}",
        "Give the same rows for the same request as long as nothing changed.",
        _repeated,
        ("{0}.unknown",),
    ),
}

for _operation in ("isRegistered", "isReachable"):
    for _name, (_title, _rule, _remedy, _check, _needs) in _LOOKUPS.items():
        CASES.add(
            f"{_operation}.{_name}",
            f"{_title.format(_operation)}.",
            partial(_check, operation=_operation),
            rule=_rule.format(_operation),
            remedy=_remedy.format(_operation),
            needs=[one.format(_operation) for one in _needs],
        )
