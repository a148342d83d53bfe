"""Random walks over the accounts of a person and a company, beside a model of the contract's state machine."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Engine

from mm_soap.far import Operator
from mm_soap.storage import open_database
from mm_soap.testing.databases import fresh_database

from .world import (
    ANNA,
    BO,
    CIA,
    ETT,
    KOMMUN_A,
    KOMMUN_B,
    NOBODY,
    TVA,
    TWO_TOGETHER,
    World,
    change,
    delete_pending,
    deregister,
    pending,
    preferences,
    register,
)

SIGNERS = {ANNA: {ANNA}, TWO_TOGETHER: {ANNA, BO, CIA}}
NEEDED = {ANNA: 1, TWO_TOGETHER: 2}
ALL = frozenset([KOMMUN_A, KOMMUN_B])

recipients = st.sampled_from([ANNA, TWO_TOGETHER, TWO_TOGETHER])
operators = st.sampled_from([ETT, ETT, TVA])
callers = st.sampled_from([None, "named", "named", "named", "named", "other"])
signing = st.lists(st.sampled_from([ANNA, BO, CIA]), min_size=1, max_size=2) | st.just([ANNA]) | st.just([NOBODY])
good = st.sampled_from([True] * 7 + [False])
lists = st.sampled_from([frozenset(), frozenset([KOMMUN_A]), frozenset([KOMMUN_B]), ALL])


@dataclass
class Modelled:
    """What a test expects of one account."""

    operator: Operator
    account_type: str
    active: bool = False
    signed: set[str] = field(default_factory=set)
    waiting: dict[str, tuple[object, set[str]]] = field(default_factory=dict)
    accepted: frozenset[str] = ALL


class Walk(RuleBasedStateMachine):
    """One walk; the database is the walk's own."""

    @initialize(company_active=st.sampled_from([True, True, False]))
    def begin(self, company_active: bool) -> None:
        self.opened = ExitStack()
        self.world = World(self.opened.enter_context(self.empty_register()))
        self.model: dict[str, Modelled] = {}
        if company_active:
            self.register(TWO_TOGETHER, ETT, None, [ANNA, BO], True, "Secure")

    empty_register: ClassVar[Callable[[], AbstractContextManager[Engine]]]

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.close()

    def caller(self, who: str | None, named: Operator) -> str | None:
        return {None: None, "named": named.number, "other": (TVA if named == ETT else ETT).number}[who]

    def signatures(self, recipient: str, signers: list[str], valid: bool, code: str) -> str | None:
        """Return the fault that the signatures deserve."""
        if not valid:
            return code
        return None if set(signers) <= SIGNERS[recipient] else "6009"

    @rule(
        recipient=recipients,
        operator=operators,
        who=callers,
        signers=signing,
        valid=good,
        account_type=st.sampled_from(["Secure", "Secure", "Secure", "Anonymous"]),
    )
    def register(
        self, recipient: str, operator: Operator, who: str | None, signers: list[str], valid: bool, account_type: str
    ) -> None:
        account = self.model.get(recipient)
        if who == "other":
            expected = "5002"
        elif account and (account.active or account.operator != operator or account.account_type != account_type):
            expected = "5009"
        elif fault := self.signatures(recipient, signers, valid, "5010"):
            expected = fault
        else:
            account = self.model.setdefault(recipient, Modelled(operator, account_type))
            account.signed |= set(signers)
            account.active = len(account.signed) >= NEEDED[recipient]
            expected = "Complete" if account.active else "Incomplete"
        signed_text = None if valid else "Annat"
        request = register(recipient, operator, *signers, account_type=account_type, signed_text=signed_text)
        assert self.world.ask(request, self.caller(who, operator)) == expected

    def waits(self, account: Modelled, kind: str, content: object, signers: list[str], recipient: str) -> bool:
        """Add signatures to what waits, and return whether it waits no more."""
        before, signed = account.waiting.get(kind, (None, set()))
        signed = (signed if before == content else set()) | set(signers)
        account.waiting[kind] = (content, signed)
        return len(signed) >= NEEDED[recipient]

    @rule(recipient=recipients, operator=operators, who=callers, signers=signing, valid=good)
    def deregister(self, recipient: str, operator: Operator, who: str | None, signers: list[str], valid: bool) -> None:
        account = self.model.get(recipient)
        if who == "other":
            expected = "5002"
        elif account is None:
            expected = "5003"
        elif account.operator != operator:
            expected = "5002"
        elif not account.active:
            expected = "5011"
        elif fault := self.signatures(recipient, signers, valid, "5012"):
            expected = fault
        elif self.waits(account, "deregister", operator, signers, recipient):
            del self.model[recipient]
            expected = "Complete"
        else:
            expected = "Incomplete"
        request = deregister(recipient, operator, *signers, **({} if valid else {"signed_text": "Annat"}))
        assert self.world.ask(request, self.caller(who, operator)) == expected

    @rule(recipient=recipients, operator=operators, who=callers, signers=signing)
    def change(self, recipient: str, operator: Operator, who: str | None, signers: list[str]) -> None:
        account = self.model.get(recipient)
        if who == "other":
            expected = "5002"
        elif recipient == ANNA and signers[0] != ANNA:
            expected = "5001"  # the user is not the person
        elif account is None:
            expected = "5003"
        elif not account.active or account.operator == operator:
            expected = "5011"
        elif fault := self.signatures(recipient, signers, True, ""):
            expected = fault
        elif self.waits(account, "change", operator, signers, recipient):
            account.operator = operator
            account.waiting.clear()
            expected = "Complete"
        else:
            expected = "Incomplete"
        assert self.world.ask(change(recipient, operator, *signers), self.caller(who, operator)) == expected

    @rule(recipient=recipients, caller=st.sampled_from([None, ETT.number, TVA.number]), signers=signing, chosen=lists)
    def preferences(self, recipient: str, caller: str | None, signers: list[str], chosen: frozenset[str]) -> None:
        account = self.model.get(recipient)
        if recipient == ANNA and signers[0] != ANNA:
            expected = "5001"
        elif account is None:
            expected = "5003"
        elif caller not in (None, account.operator.number):
            expected = "5002"
        elif not account.active:
            expected = "5011"
        elif fault := self.signatures(recipient, signers, True, ""):
            expected = fault
        elif self.waits(account, "preferences", chosen, signers, recipient):
            account.accepted = chosen
            del account.waiting["preferences"]
            expected = "Complete"
        else:
            expected = "Incomplete"
        assert self.world.ask(preferences(recipient, sorted(chosen), *signers), caller) == expected

    @rule(recipient=recipients, caller=st.sampled_from([None, ETT.number, TVA.number]))
    def delete_pending(self, recipient: str, caller: str | None) -> None:
        account = self.model.get(recipient)
        if account is None:
            expected = "5003"
        elif not account.active:
            del self.model[recipient]
            expected = "deletePendingAccountRequestResponse"
        elif account.waiting.pop("deregister", None):
            expected = "deletePendingAccountRequestResponse"
        else:
            expected = "5011"
        user = recipient if recipient == ANNA else BO
        assert self.world.ask(delete_pending(recipient, user), caller) == expected

    @rule(recipient=recipients, kind=st.sampled_from(["change", "preferences"]))
    def delete_other_pending(self, recipient: str, kind: str) -> None:
        account = self.model.get(recipient)
        found = account.waiting.pop(kind, None) if account else None
        operation = "deletePending" + ("ChangeServiceSupplier" if kind == "change" else "AccountPreferences")
        user = recipient if recipient == ANNA else BO
        expected = f"{operation}Response" if found else "5003"
        assert self.world.ask(pending(operation, recipient, user)) == expected

    @rule()
    def restart(self) -> None:
        self.world.engine.dispose()
        self.world.start()

    @invariant()
    def states_agree(self) -> None:
        if not hasattr(self, "world"):
            return
        pending = [one for one in self.world.rows("account_request") if one["state"] == "pending"]
        given = Counter(one["request"] for one in self.world.rows("account_signature"))
        found = {(str(one["recipient"]), str(one["kind"])): given[one["id"]] for one in pending}
        expected = {}
        for recipient in SIGNERS:
            account = self.model.get(recipient)
            if account is None:
                assert self.world.state(recipient) == "none"
                continue
            assert self.world.state(recipient) == f"{'active' if account.active else 'pending'} {account.operator.name}"
            deselected = {str(one["sender"]) for one in self.choices(recipient) if not one["accepted"]}
            assert deselected == ALL - account.accepted
            if not account.active:
                expected[recipient, "register"] = len(account.signed)
            for kind, (_, signed) in account.waiting.items():
                expected[recipient, "change operator" if kind == "change" else kind] = len(signed)
        assert found == expected

    def choices(self, recipient: str) -> list[Any]:
        return [one for one in self.world.rows("sender_choice") if str(one["recipient"]) == recipient]


@contextmanager
def copied(template: Path) -> Iterator[Engine]:
    """A copy of an SQLite register: migrating takes longer than a walk."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(shutil.copy(template, Path(folder) / "far.sqlite3"))
        yield engine
        engine.dispose()


@pytest.mark.slow
def test_random_walks(postgresql_or_none: str | None, tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    template = tmp_path / "far.sqlite3"
    World(open_database(template)).engine.dispose()
    url = postgresql_or_none
    empty_register = partial(fresh_database, tmp_path, url) if url else partial(copied, template)
    machine = type("Walk", (Walk,), {"empty_register": staticmethod(empty_register)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            suppress_health_check=list(HealthCheck),
        ),
    )
