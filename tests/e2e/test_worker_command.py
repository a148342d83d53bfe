"""`mm-soap worker`: what it says when it cannot work, and that a broker's password is nowhere."""

from __future__ import annotations

import pytest

from tests.e2e.suite import Demonstration, mm_soap

SECRET = "hemligt-losenord"


@pytest.fixture
def embedded(template: object, tmp_path: object) -> Demonstration:
    return Demonstration.copy_of(template, tmp_path / "demo")  # type: ignore[arg-type,operator]


def with_engine(demonstration: Demonstration, **values: str) -> None:
    lines = "".join(f'{key} = "{value}"\n' for key, value in values.items())
    with demonstration.config.open("a") as file:
        file.write(f"\n[dispatcher.engine]\n{lines}")


def refused(demonstration: Demonstration, command: str = "worker") -> str:
    result = mm_soap(command, "--config", demonstration.config)
    assert result.returncode == 2
    assert SECRET not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


def test_an_embedded_engine_has_no_workers(embedded: Demonstration) -> None:
    assert "dispatcher.engine.kind" in refused(embedded)


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_workers_need_postgresql(embedded: Demonstration, command: str) -> None:
    with_engine(embedded, kind="celery", broker_url=f"amqp://mm-soap:{SECRET}@127.0.0.1//")
    assert "PostgreSQL" in refused(embedded, command)


def test_workers_need_a_broker(embedded: Demonstration) -> None:
    with_engine(embedded, kind="celery")
    assert "broker_url" in refused(embedded)


def test_a_broker_that_cannot_be_read_is_not_repeated(embedded: Demonstration) -> None:
    with_engine(embedded, kind="celery", broker_url=f"http://mm-soap:{SECRET}@127.0.0.1//")
    assert "amqp://" in refused(embedded)


def test_claims_last(embedded: Demonstration) -> None:
    with_engine(embedded, kind="celery", broker_url=f"amqp://mm-soap:{SECRET}@127.0.0.1//", lease_seconds="0")
    assert "lease_seconds" in refused(embedded)
