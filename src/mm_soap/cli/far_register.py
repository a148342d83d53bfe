"""What the commands of `mm-soap far` share: their options, the register that they open, and who is asking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from mm_soap.cli.output import login
from mm_soap.config import FarSettings, Settings, load
from mm_soap.errors import ConfigurationError
from mm_soap.far.administration import Administration, Who
from mm_soap.storage import migrate, open_database

Config = Annotated[Path, typer.Option("--config", help="The settings file, mm-soap.toml.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who answers for the change, where that is not the user of the system."),
]

_LONGEST_NAME = 200


@contextmanager
def administration(config: Path, as_name: str | None) -> Iterator[Administration]:
    """Open the register of the settings for whoever runs the command."""
    settings = load(config)
    with register_database(settings, config) as engine:
        yield administration_of(engine, settings, as_name)


def administration_of(engine: Engine, settings: Settings, as_name: str | None) -> Administration:
    """Return the administration of an open register."""
    return Administration(engine, _who(as_name), check_digits=settings.rules.check_digits)


def far_settings(settings: Settings, config: Path) -> FarSettings:
    """Return the settings of the register."""
    if settings.far is None:
        raise ConfigurationError(f"{config} has no table [far]: the register is administered where it runs.")
    return settings.far


@contextmanager
def register_database(settings: Settings, config: Path) -> Iterator[Engine]:
    """Open the database of the register, migrated."""
    engine = open_database(far_settings(settings, config).database)
    try:
        migrate(engine, "far")
        yield engine
    finally:
        engine.dispose()


def _who(as_name: str | None) -> Who:
    if as_name is not None and not (as_name.isprintable() and as_name.strip() and len(as_name) <= _LONGEST_NAME):
        raise ConfigurationError(f"--as must name somebody, in at most {_LONGEST_NAME} characters.")
    return Who(login(), as_name)
