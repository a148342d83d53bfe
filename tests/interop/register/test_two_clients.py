"""Two operators' systems, one on zeep and one in Java, call for one account at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from .installation import Installation
from .java_client import JavaClient
from .zeep_client import ZeepClient

pytestmark = [pytest.mark.needs_program("wsimport", "javac", "java"), pytest.mark.slow]

ROUNDS = range(6)
EVERYBODY = "Anna,Bertil,Cecilia"


@pytest.fixture(scope="module")
def database(postgresql_or_none: str | None) -> str | None:
    """The same on each kind of database."""
    return postgresql_or_none


class Two:
    """Two clients and a recipient that both call for."""

    def __init__(self, installation: Installation, zeep: ZeepClient, java: JavaClient) -> None:
        self._installation = installation
        self._clients = (zeep, java)
        self.recipient = ""

    def begin(self, kind: str) -> None:
        self.recipient = self._installation.fresh(kind)

    def at_once(self, *steps: str) -> list[str]:
        """Let zeep make the first call and Java the second, both at the same moment; return their answers."""
        barrier = Barrier(2)

        def call(place: int) -> str:
            barrier.wait()
            return self._installation.do(self._clients[place], self.recipient, *steps[place].split())

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(call, range(2)))

    def see(self, step: str) -> str:
        """Return what both see, which must be the same."""
        found = self.at_once(step, step)
        assert found[0] == found[1]
        return found[0]


@pytest.fixture
def two(installation: Installation, zeep: ZeepClient, java: JavaClient) -> Two:
    return Two(installation, zeep, java)


@pytest.mark.parametrize("_round", ROUNDS)
def test_no_signature_is_lost(two: Two, _round: int) -> None:
    two.begin("company")
    for call, waits in (
        ("register $ one", "getPendingAccountRequest Anna $ | Create one"),
        ("storeAccountPreferences $ A", "getPendingAccountPreferences $ Anna | A"),
        ("changeServiceSupplier $ two", "getPendingChangeServiceSupplier $ Anna | two"),
        ("deregister $ two", "getPendingAccountRequest Anna $ | Delete two"),
    ):
        answers = two.at_once(f"{call} Anna", f"{call} Bertil")
        assert "Incomplete Anna,Bertil / Cecilia" in answers, "the later of the two sees both"
        assert {answer.split()[0] for answer in answers} == {"Incomplete"}
        question, _, told = waits.partition(" | ")
        assert two.see(question) == f"{told} Anna,Bertil / Cecilia"
        last = two.at_once(f"{call} Cecilia", f"{call} Cecilia")
        assert f"Complete {EVERYBODY}" in last
    assert two.see("isRegistered $") == "Not"


@pytest.mark.parametrize("_round", ROUNDS)
def test_one_operator_wins_a_person(two: Two, _round: int) -> None:
    two.begin("person")
    answers = two.at_once("register $ one Self", "register $ two Self")
    assert sorted(answers) == ["5009", "Complete Self"]
    winner = ("one", "two")[answers.index("Complete Self")]
    assert two.see("isRegistered $") == f"Secure active {winner}"


@pytest.mark.parametrize("_round", ROUNDS)
def test_one_operator_begins_for_a_company(two: Two, _round: int) -> None:
    two.begin("company")
    answers = two.at_once("register $ one Anna", "register $ two Bertil")
    winner = answers.index("5009") ^ 1
    operator, signer = (("one", "Anna"), ("two", "Bertil"))[winner]
    others = ",".join(name for name in EVERYBODY.split(",") if name != signer)
    assert answers[winner] == f"Incomplete {signer} / {others}"
    assert two.see("getPendingAccountRequest Anna $") == f"Create {operator} {signer} / {others}"


@pytest.mark.parametrize("_round", ROUNDS)
def test_the_last_signature_against_the_end(two: Two, _round: int) -> None:
    two.begin("company")
    two.at_once("register $ one Anna", "register $ one Bertil")
    answers = two.at_once("register $ one Cecilia", "deletePendingAccountRequest $ Anna")
    assert (*answers, two.see("isRegistered $")) in [
        (f"Complete {EVERYBODY}", "5011", "Secure active one"),
        ("Incomplete Cecilia / Anna,Bertil", "done", "Secure pending one"),
    ]


@pytest.mark.parametrize("_round", ROUNDS)
def test_leaving_against_moving(two: Two, _round: int) -> None:
    two.begin("company")
    two.at_once(f"register $ one {EVERYBODY}", "isRegistered $")
    answers = two.at_once(f"deregister $ one {EVERYBODY}", f"changeServiceSupplier $ two {EVERYBODY}")
    done = f"Complete {EVERYBODY}"
    assert (*answers, two.see("isRegistered $")) in [
        (done, "5003", "Not"),
        ("5002", done, "Secure active two"),
    ]
