"""The compose file: its settings are settings, its commands are commands, and its parts find each other."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from mm_soap.cli.app import app
from mm_soap.config import load

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def test_the_settings_hold_with_each_environment(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, service in services.items():
        if service["image"] == "mm-soap" and "--config" in service["command"]:
            with monkeypatch.context() as patched:
                for key, value in service.get("environment", {}).items():
                    patched.setenv(key, value)
                settings = load(DEPLOY / "mm-soap.toml")
                assert settings.dispatcher is not None, name
                assert settings.dispatcher.engine.kind == "celery"
                assert settings.dispatcher.database.startswith("postgresql://")


def test_there_are_two_of_each_that_scales(services: dict[str, Any]) -> None:
    run = [" ".join(service.get("command", [])) for service in services.values()]
    assert sum(one.startswith("worker") for one in run) == 2
    assert sum(one.endswith("--party dispatcher") for one in run) == 2


def test_commands_parse(services: dict[str, Any]) -> None:
    lines: list[list[str]] = []
    for service in services.values():
        if service["image"] != "mm-soap":
            continue
        if "entrypoint" in service:
            (script,) = service["command"]
            pieces = [piece for line in script.splitlines() for piece in line.split("||")]
            lines += [words[1:] for words in map(shlex.split, pieces) if words[0] == "mm-soap"]
        else:
            lines.append(service["command"])
    assert len(lines) == 9
    for words in lines:
        command, context = get_command(app), None
        while words and hasattr(command, "commands"):
            context = command.make_context(words[0], list(words), parent=context, resilient_parsing=True)
            command, words = command.commands[words[0]], words[1:]
        command.make_context(words[0] if words else "", list(words), parent=context)


def test_parts_and_files_exist(services: dict[str, Any]) -> None:
    volumes = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["volumes"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in volumes
        for host in ("postgresql", "rabbitmq"):
            if f"@{host}/" in str(service.get("environment")):
                assert host in services
    copied = [
        line.split()[1:-1] for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("COPY")
    ]
    assert [one for line in copied for one in line if not (DEPLOY.parent / one).exists()] == []
