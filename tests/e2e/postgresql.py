"""A demonstration whose parties have their databases in PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mm_soap.config import load
from mm_soap.demonstration import DEMO_WORLD
from mm_soap.seeding import seed
from mm_soap.testing.databases import fresh_schema
from tests.e2e.suite import Demonstration


@contextmanager
def on_postgresql(demonstration: Demonstration, url: str) -> Iterator[Demonstration]:
    """Give each party of a demonstration that is not served yet an empty schema of its own, and fill it."""
    with ExitStack() as schemas:

        def moved(_file: re.Match[str]) -> str:
            return f'database = "{schemas.enter_context(fresh_schema(url))}"'

        text = demonstration.config.read_text()
        demonstration.config.write_text(re.sub(r'^database = "data/[^"]*"$', moved, text, flags=re.MULTILINE))
        settings = load(demonstration.config)
        seed(settings, DEMO_WORLD)
        yield demonstration
        demonstration.stop()  # before its schemas are gone
