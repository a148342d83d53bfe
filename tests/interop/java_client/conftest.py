"""The demonstration of the tests from outside, for the Java client."""

from __future__ import annotations

from tests.e2e.conftest import demonstration, served, template

__all__ = ["demonstration", "served", "template"]
