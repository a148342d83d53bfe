"""A demonstration whose deliveries are made by workers: PostgreSQL, RabbitMQ, and `mm-soap worker`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from tests.e2e.postgresql import on_postgresql
from tests.e2e.suite import Demonstration

RABBITMQ = os.environ.get("MM_SOAP_TEST_RABBITMQ") or None
POSTGRESQL = os.environ.get("MM_SOAP_TEST_POSTGRESQL") or None


@contextmanager
def scaled_out(
    demonstration: Demonstration, rabbitmq: str | None = RABBITMQ, postgresql: str | None = POSTGRESQL
) -> Iterator[Demonstration]:
    """Let workers deliver in a demonstration that is not served yet; its queues and schemas are its own."""
    assert postgresql is not None, "MM_SOAP_TEST_POSTGRESQL names no PostgreSQL"
    assert rabbitmq is not None, "MM_SOAP_TEST_RABBITMQ names no RabbitMQ"
    with on_postgresql(demonstration, postgresql), demonstration.config.open("a") as settings:
        settings.write(
            f'\n[dispatcher.engine]\nkind = "celery"\nbroker_url = "{rabbitmq}"\n'
            f'queue = "test-{uuid4().hex}"\nlease_seconds = 5\n'
        )
        settings.close()
        demonstration.scaled_out = True
        yield demonstration
