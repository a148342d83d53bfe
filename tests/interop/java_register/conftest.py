"""The demonstrations of the tests from outside, for the Java register."""

from __future__ import annotations

from tests.e2e.conftest import demonstration, fresh, served, template

__all__ = ["demonstration", "fresh", "served", "template"]
