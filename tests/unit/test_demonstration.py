import os
import stat
from pathlib import Path

import pytest

from mm_soap.config import Settings, load
from mm_soap.demonstration import (
    COMPANY,
    DEMO_WORLD,
    DISPATCHER,
    KOMMUN_A,
    KOMMUN_B,
    RECIPIENT,
    UNKNOWN,
    DemoWorld,
    init_demo,
)
from mm_soap.errors import ConfigurationError
from mm_soap.pki import Identity, TrustStore
from mm_soap.testing import FrozenClock, TestPki
from mm_soap.testing.certificates import kept_key


@pytest.fixture(autouse=True)
def _quick_and_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TestPki, "_key", lambda self, label, bits=2048: kept_key(label, bits))
    for name in list(os.environ):
        if name.startswith("MM_SOAP_"):
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def luhn(identifier: str) -> bool:
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(identifier[-10:])]
    return sum(n // 10 + n % 10 for n in doubled) % 10 == 0


class TestWorld:
    def test_every_check_digit_is_right(self) -> None:
        numbers = {*DEMO_WORLD.organisations, *(a.recipient for a in DEMO_WORLD.accounts), UNKNOWN}
        assert [n for n in numbers if len(n) != 12 or not luhn(n)] == []

    def test_the_known_identities(self) -> None:
        assert [s.number for s in DEMO_WORLD.senders] == ["162021004748", "162021003898"]
        recipients = [a.recipient for a in DEMO_WORLD.accounts]
        assert RECIPIENT == "192705178354"
        assert RECIPIENT in recipients
        assert UNKNOWN == "191212121212"
        assert UNKNOWN not in recipients
        assert COMPANY in recipients

    def test_dispatchers_sign_for_senders_and_accounts_are_at_operators(self) -> None:
        senders = {s.number for s in DEMO_WORLD.senders}
        operators = {o.number for o in DEMO_WORLD.operators}
        assert {s for d in DEMO_WORLD.dispatchers for s in d.signs_for} == senders
        assert {d.number: d.signs_for for d in DEMO_WORLD.dispatchers}[KOMMUN_A.number] == (KOMMUN_A.number,)
        assert {a.operator for a in DEMO_WORLD.accounts} == operators
        assert {s for a in DEMO_WORLD.accounts for s in a.deselected} == {KOMMUN_B.number}
        assert {a.state for a in DEMO_WORLD.accounts} == {"active", "pending"}


class TestInit:
    def test_makes_what_the_suite_needs(self, tmp_path: Path, clock: FrozenClock) -> None:
        settings = init_demo(tmp_path / "demo", clock)
        assert settings == load(tmp_path / "demo/mm-soap.toml")
        assert settings.profile == "demonstration"
        assert (tmp_path / "demo/data").is_dir()
        assert [o.organisation for o in settings.operator] == [o.number for o in DEMO_WORLD.operators]
        assert [o.name for o in settings.operator] == ["Brevlåda Ett", "Brevlåda Två"]
        assert [o.path for o in settings.operator] == ["", "/brevlada-tva"]
        assert settings.far

    def test_every_organisation_can_sign_and_is_trusted(self, tmp_path: Path, clock: FrozenClock) -> None:
        settings = init_demo(tmp_path, clock)
        store = TrustStore.load(settings.trust.anchors, clock)
        for number in DEMO_WORLD.organisations:
            identity = Identity.load(tmp_path / f"pki/{number}.pem", tmp_path / f"pki/{number}.key")
            assert store.check(identity.certificate).organisation == number
        assert settings.dispatcher
        own = Identity.load(settings.dispatcher.certificate, settings.dispatcher.key)
        assert own.organisation == settings.dispatcher.organisation == DISPATCHER.number

    def test_keys_are_for_their_owner_alone(self, tmp_path: Path, clock: FrozenClock) -> None:
        init_demo(tmp_path, clock)
        keys = list((tmp_path / "pki").glob("*.key"))
        assert len([key for key in keys if key.name.startswith("16")]) == len(DEMO_WORLD.organisations) == 5
        assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}

    def test_asks_for_new_keys(self, tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[bool] = []
        monkeypatch.setattr(
            TestPki, "_key", lambda self, label, bits=2048: asked.append(self._new_keys) or kept_key(label)
        )
        init_demo(tmp_path, clock)
        assert asked
        assert all(asked)

    def test_refuses_where_settings_are_already(self, tmp_path: Path, clock: FrozenClock) -> None:
        (tmp_path / "mm-soap.toml").write_text("mine")
        with pytest.raises(ConfigurationError, match="is there already: choose another folder, or remove it first"):
            init_demo(tmp_path, clock)
        assert (tmp_path / "mm-soap.toml").read_text() == "mine"
        assert not (tmp_path / "pki").exists()

    def test_refuses_a_folder_that_is_a_file(self, tmp_path: Path, clock: FrozenClock) -> None:
        (tmp_path / "demo").write_text("mine")
        with pytest.raises(ConfigurationError, match="cannot be written: File exists"):
            init_demo(tmp_path / "demo", clock)

    def test_production_refuses_the_demonstration(self, tmp_path: Path, clock: FrozenClock) -> None:
        init_demo(tmp_path, clock)
        file = tmp_path / "mm-soap.toml"
        file.write_text(file.read_text().replace('profile = "demonstration"', 'profile = "production"'))
        with pytest.raises(ConfigurationError, match="production"):
            load(file)


class TestSeed:
    def test_gets_the_settings_and_the_world(self, tmp_path: Path, clock: FrozenClock) -> None:
        seen: list[tuple[Settings, DemoWorld]] = []
        settings = init_demo(tmp_path, clock, seed=lambda *both: seen.append(both))
        assert seen == [(settings, DEMO_WORLD)]

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (RuntimeError("x"), RuntimeError),
            (KeyboardInterrupt(), KeyboardInterrupt),
            (OSError(28, "x"), ConfigurationError),
        ],
    )
    def test_a_failure_leaves_room_for_another_attempt(
        self, tmp_path: Path, clock: FrozenClock, error: BaseException, expected: type[BaseException]
    ) -> None:
        def fail(settings: Settings, world: DemoWorld) -> None:
            raise error

        with pytest.raises(expected):
            init_demo(tmp_path, clock, seed=fail)
        init_demo(tmp_path, clock)
