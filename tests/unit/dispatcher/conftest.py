from __future__ import annotations

import pytest
from sqlalchemy import Engine

from mm_soap.storage import migrate


@pytest.fixture
def database(engine: Engine) -> Engine:
    """The dispatcher's database, of each kind."""
    migrate(engine, "dispatcher")
    return engine
