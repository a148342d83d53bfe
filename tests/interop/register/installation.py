"""A register that is served, the recipients and signers of the table, and what its words stand for."""

from __future__ import annotations

import itertools
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1

from mm_soap.clock import system_clock
from mm_soap.companies import Company, NotEvaluable, Person, Together, write_companies
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, KOMMUN_B, OPERATOR_ONE, OPERATOR_TWO, UNKNOWN
from mm_soap.demonstration_registers import (
    ANNA,
    BERTIL,
    CECILIA,
    CHILD,
    COMPANIES,
    COMPANIES_FILE,
    DEAD,
    PROTECTED,
)
from mm_soap.far import Account
from mm_soap.testing.e_identification import EIdentificationIssuer, EIdentity
from mm_soap.user_signatures import UserSignature
from tests.e2e.suite import Demonstration, Server, company, person

from .table import Edge, Step
from .zeep_client import TEXT

_COMPANIES = 700
_JOINT, _WITHOUT_NUMBER = company(890), company(891)
_DISA = person(900)
_NAMES = {
    "one": OPERATOR_ONE.name,
    "two": OPERATOR_TWO.name,
    "three": "Brevlåda Tre",
    "A": KOMMUN_A.number,
    "B": KOMMUN_B.number,
    "D": DISPATCHER.number,
    "Nosender": company(892),
    "Anna": ANNA.number,
    "Bertil": BERTIL.number,
    "Cecilia": CECILIA.number,
    "Child": CHILD.number,
    "Dead": DEAD.number,
    "Protected": PROTECTED.number,
    "Stranger": UNKNOWN,
    "Disa": _DISA,
    "Joint": _JOINT,
    "Nocompany": _WITHOUT_NUMBER,
    "Foundation": COMPANIES[4].number,
    "Unreadable": COMPANIES[3].number,
    "Wrong": company(893)[:-1] + str((int(company(893)[-1]) + 1) % 10),
    "Wrongperson": UNKNOWN[:-1] + str((int(UNKNOWN[-1]) + 1) % 10),
}
_WORDS = {value: word for word, value in _NAMES.items()}


class Client(Protocol):
    """A foreign client: makes a call, gives its answer or the ErrorCode of its fault."""

    def do(self, operation: str, *arguments: str) -> str: ...


class Installation:
    """The served register of a demonstration, a folder for signatures, and the issuer of the users' certificates."""

    def __init__(
        self, demonstration: Demonstration, server: Server, folder: Path, issuer: EIdentificationIssuer
    ) -> None:
        self.url = server.url
        self.signatures = folder
        self._issuer = issuer
        self._demonstration = demonstration
        self._numbers = {
            "company": iter([company(number) for number in range(_COMPANIES)]),
            "rule": iter([company(number) for number in range(_COMPANIES, _COMPANIES + 20)]),
            "person": (person(number) for number in itertools.count(1)),
            "nobody": itertools.repeat(_WITHOUT_NUMBER),
        }
        self._write_signatures()

    def fresh(self, kind: str) -> str:
        """Return a recipient that nobody has used: of a company, a company with an unreadable rule, or a person."""
        number = next(self._numbers[kind])
        if kind == "person":
            self._sign(self._issuer.person(number, "Själv Demo", elliptic=SECP256R1()))
        return number

    def walk(self, client: Client, edge: Edge) -> list[str]:
        """Go to the state of an edge, make its call, and return that and what is seen after it, as in the table."""
        recipient = self.fresh(edge.state.kind)
        for step in edge.state.way:
            self.do(client, recipient, *step)
        return [
            f"{' '.join(step)} | {self.do(client, recipient, *step)}"
            for step in (edge.step, *(step for step, _ in edge.after.seen))
        ]

    def do(self, client: Client, recipient: str, *step: str) -> str:
        """Make a call that is told in the words of the table, and return its answer in them."""
        if step[0] == "entered-as-pending":
            self._enter(recipient)
            return ""
        answer = client.do(step[0], *(self._value(word, recipient) for word in step[1:]))
        own = {recipient: "Self" if recipient.startswith("18") else "$"}
        for value, word in {**_WORDS, **own}.items():
            answer = answer.replace(value, word)
        # The contract gives lists of persons and senders no order.
        return re.sub(r"\w+(,\w+)+", lambda names: ",".join(sorted(names[0].split(","))), answer).strip()

    def _value(self, word: str, recipient: str) -> str:
        known = {**_NAMES, "$": recipient, "Self": recipient, "-": "-"}
        return ",".join(known[part.rstrip("!")] + "!" * part.endswith("!") for part in word.split(","))

    def _enter(self, recipient: str) -> None:
        with self._demonstration.register() as register:
            register.add_account(Account(recipient, OPERATOR_ONE.number, pending=True))

    def _write_signatures(self) -> None:
        for number, name in (
            (ANNA.number, "Anna Demo"),
            (CECILIA.number, "Cecilia Demo"),
            (CHILD.number, "Frida Demo"),
            (DEAD.number, "Erik Demo"),
            (PROTECTED.number, "Dold Demo"),
            (UNKNOWN, "Tolvan Demo"),
        ):
            self._sign(self._issuer.person(number, name, elliptic=SECP256R1()))
        bertil = self._issuer.person(BERTIL.number, "Bertil Demo")
        self._sign(bertil, lambda text: bertil.sign_cms(text, detached=True))

    def _sign(self, one: EIdentity, how: Callable[[str], UserSignature] | None = None) -> None:
        sign = how or (lambda text: one.sign_xml(text, nonce="abc"))
        for name, text in ((one.personal_number, TEXT), (f"{one.personal_number}!", "Något annat.")):
            made = sign(text)
            lines = (b64encode(made.signature).decode(), made.certificate, made.nonce or "", made.encoding)
            (self.signatures / name).write_text("\n".join(lines))


def steps_of(edges: list[Edge]) -> Iterator[Step]:
    """Yield each step that the table has."""
    for edge in edges:
        yield edge.step
        yield from edge.state.way
        yield from (step for step, _ in edge.after.seen)


@contextmanager
def served_register(demonstration: Demonstration, folder: Path) -> Iterator[Installation]:
    """Serve the register of a demonstration from two processes, with the companies and signers of the table."""
    issuer = EIdentificationIssuer(system_clock)
    issuer.write(demonstration.folder / "pki", [])
    board = tuple(Person(each.number, each.name, ("board",)) for each in (ANNA, BERTIL, CECILIA))
    data = demonstration.folder / "data"
    write_companies(
        data / COMPANIES_FILE,
        [
            *COMPANIES[3:],
            Company(_JOINT, "Disas AB", "AB", Together(1), (Person(_DISA, "Disa Demo", ("board",)),)),
            *(Company(company(n), f"Bolag {n}", "AB", Together(3), board) for n in range(_COMPANIES)),
            *(
                Company(company(n), f"Bolag {n}", "AB", NotEvaluable(), board)
                for n in range(_COMPANIES, _COMPANIES + 20)
            ),
        ],
    )
    demonstration.change("", workers=2)
    with demonstration.register() as register:
        register.add_account(Account(_JOINT, OPERATOR_ONE.number))
    server = demonstration.serve("far")
    yield Installation(demonstration, server, folder, issuer)
