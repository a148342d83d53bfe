from __future__ import annotations

import pytest
from sqlalchemy import Engine

from .world import World


@pytest.fixture
def world(engine: Engine) -> World:
    """A register of one's own, on each kind of database."""
    return World(engine)
