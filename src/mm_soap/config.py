"""The settings of an installation: a TOML file, overridden by MM_SOAP_* environment variables.

A variable's name is the setting's in capitals, with two underscores between table and key: ``MM_SOAP_PORT``,
``MM_SOAP_DISPATCHER__DATABASE``. Lists and tables of tables are written as JSON. What is not a setting is an error,
in the file and in the environment.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from mm_soap.config_channels import ChannelSettings, EmailSettings, PrintSettings, SmsSettings
from mm_soap.config_evidence import EvidenceSettings
from mm_soap.config_production import check_production
from mm_soap.config_report import Row, explain, rows, unknown_variable
from mm_soap.config_tables import (
    ENVIRONMENT_PREFIX,
    CompaniesSettings,
    DispatcherSettings,
    FarSettings,
    OperatorSettings,
    PersonsSettings,
    RulesSettings,
    SenderSettings,
    Settings,
    TestbedSettings,
    TrustSettings,
)
from mm_soap.config_tls import TlsSettings
from mm_soap.config_types import paths_from
from mm_soap.errors import ConfigurationError

__all__ = [
    "ENVIRONMENT_PREFIX",
    "ChannelSettings",
    "CompaniesSettings",
    "DispatcherSettings",
    "EmailSettings",
    "EvidenceSettings",
    "FarSettings",
    "OperatorSettings",
    "PersonsSettings",
    "PrintSettings",
    "RulesSettings",
    "SenderSettings",
    "Settings",
    "SmsSettings",
    "TestbedSettings",
    "TlsSettings",
    "TrustSettings",
    "load",
    "reference",
]


def load(path: Path, *, demonstration_for: str | None = None) -> Settings:
    """Return the settings of a TOML file, overridden by the environment.

    In the production profile the files that the settings name are looked at too, as `check_production` says.

    Args:
        path: the file. Relative paths in the settings are taken from its folder.
        demonstration_for: what is refused in the production profile, as the beginning of a sentence; None for nothing.

    Raises:
        ConfigurationError: one sentence that names the setting and says what to do. It never repeats a value, since
            a value may be a secret.
    """
    content = _read(path)
    unknown = unknown_variable(Settings, ENVIRONMENT_PREFIX, os.environ)
    if unknown:
        raise ConfigurationError(unknown)
    try:
        with paths_from(path.absolute().parent):
            settings = Settings(**content)
    except ValidationError as error:
        raise ConfigurationError(explain(error, Settings, path, ENVIRONMENT_PREFIX, os.environ)) from None
    except SettingsError:
        raise ConfigurationError(
            f"An environment variable {ENVIRONMENT_PREFIX}* that sets a list or a table must hold JSON, and does not."
        ) from None
    if settings.profile == "production":
        if demonstration_for is not None:
            raise ConfigurationError(
                f"{demonstration_for} is never served in the production profile: use the settings of a demonstration."
            )
        check_production(settings)
    return settings


def reference() -> list[Row]:
    """Return every setting, in the order of the documentation: its key, type, default and meaning."""
    return list(rows(Settings))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"The settings file {path} does not exist: name another one, or make one with `mm-soap init DIR --demo`."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"The settings file {path} must be UTF-8, and is not.") from None
    except tomllib.TOMLDecodeError as error:
        # Its message says what and at which line, never the text of the line.
        raise ConfigurationError(f"The settings file {path} is not valid TOML: {error}.") from None
