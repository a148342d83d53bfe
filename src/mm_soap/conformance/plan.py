"""What the kit is told about the party that it judges: addresses, credentials and test identities, as a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mm_soap.config import Settings
from mm_soap.conformance.carrying import Line
from mm_soap.conformance.model import Case
from mm_soap.errors import ConfigurationError

Number = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
"""A recipient's or an organisation's number."""


class Plan(BaseModel):
    """What every role's plan holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: Annotated[float, Field(gt=0)] = 30.0
    """Seconds to wait for bytes of an answer."""
    ca: Path | None = None
    """Certificates to trust for TLS; the system's without it."""
    client_certificate: Path | None = None
    """For mutual TLS."""
    client_key: Path | None = None

    def line(self, url: str, certificate: Path | None = None, key: Path | None = None) -> Line:
        """Return the line to one of the party's services, with a client certificate of its own if one is given."""
        if certificate is None:
            certificate, key = self.client_certificate, self.client_key
        return Line(url, self.timeout, self.ca, certificate, key)


def tls_of_demonstration(settings: Settings, number: str) -> dict[str, object]:
    """Return what a role's table says of TLS for a demonstration: nothing where it speaks none.

    Args:
        settings: of the demonstration.
        number: the organisation that calls.
    """
    if settings.tls is None or not settings.tls.client_anchors:
        return {}
    pki = settings.trust.anchors[0].parent
    return {
        "ca": settings.tls.server_anchors[0],
        "client_certificate": pki / f"{number}.pem",
        "client_key": pki / f"{number}.key",
    }


P = TypeVar("P", bound=Plan)
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


def read_plan(path: Path, role: str, kind: type[M]) -> M:
    """Return the plan of a role: the table of that name in a TOML file. Paths in it are relative to the file.

    Raises:
        ConfigurationError: the file cannot be read, or something in it is wrong; the text says what.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get(role)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path} has no table [{role}].")
    try:
        plan = kind.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in (role, *first["loc"]))
        raise ConfigurationError(f"{path}, {place}: {first['msg']}") from None
    return plan.model_copy(
        update={
            name: path.parent / value
            for name in type(plan).model_fields
            if isinstance(value := getattr(plan, name), Path)
        }
    )


@dataclass(frozen=True)
class Role(Generic[P, T]):
    """All that the kit has to know about one role: what its module says of it in ``ROLE``.

    Args:
        name: what stands in the command, and in the plan as a table.
        plan: the kind of its plan.
        cases: in order.
        target: makes, from the plan, what each case gets, and the lines that it calls by.
        demonstration: the plan's table for a demonstration with these settings.
    """

    name: str
    plan: type[P]
    cases: Iterable[Case[T]]
    target: Callable[[P], tuple[T, Sequence[Line]]]
    demonstration: Callable[[Settings], dict[str, object]]
