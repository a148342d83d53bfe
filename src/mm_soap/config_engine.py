"""The settings of what makes the deliveries."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.config_types import Table


def _broker(value: str) -> str:
    # Looked at no closer: what is wrong with it must not be repeated, since it holds a password.
    if value and not re.match(r"amqps?://[^\s]+$", value):
        raise PydanticCustomError("broker", "must be an address that begins with amqp:// or amqps://")
    return value


def _queue(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise PydanticCustomError("queue", "must be of letters, digits, dots, hyphens and underscores")
    return value


class EngineSettings(Table):
    """[dispatcher.engine]: what makes the deliveries."""

    kind: Literal["embedded", "celery"] = Field(
        default="embedded",
        description="Threads of the serving process, or `mm-soap worker` processes that RabbitMQ wakes.",
    )
    broker_url: Annotated[str, AfterValidator(_broker)] = Field(
        default="",
        repr=False,
        description="Where RabbitMQ is: amqp://USER:PASSWORD@HOST/VHOST. For celery. A secret: it is never printed.",
    )
    queue: Annotated[str, AfterValidator(_queue)] = Field(
        default="mm-soap", description="What the names of the queues begin with: one for each dispatcher on a broker."
    )
    lease_seconds: float = Field(
        default=15,
        ge=1,
        le=3600,
        description="After how many seconds without a sign of a worker its work is taken over.",
    )
    threads: int = Field(default=16, gt=0, le=1000, description="How many steps one worker process does at once.")

    @model_validator(mode="after")
    def _has_a_broker(self) -> Self:
        if self.kind == "celery" and not self.broker_url:
            raise PydanticCustomError("no_broker", 'must have broker_url when kind is "celery"')
        return self
