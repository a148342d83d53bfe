"""What all tests share."""

from __future__ import annotations

import os
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing; in CI, where all programs are installed, fail it."""
    for marker in item.iter_markers("needs_program"):
        for program in marker.args:
            if shutil.which(program) is None:
                reason = f"the program {program} is not installed"
                if os.environ.get("TESTS_SKIP_NOTHING"):
                    pytest.fail(reason)
                pytest.skip(reason)
