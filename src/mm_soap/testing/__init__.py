"""What the project's tests use, and yours may: a frozen clock, a certificate authority as code."""

from mm_soap.testing.clock import FrozenClock
from mm_soap.testing.pki import TestPki

__all__ = ["FrozenClock", "TestPki"]
