"""What the project's tests use, and yours may: a frozen clock, a certificate authority as code, its revocations."""

from mm_soap.testing.clock import FrozenClock
from mm_soap.testing.pki import TestPki
from mm_soap.testing.revocation import StatusServer

__all__ = ["FrozenClock", "StatusServer", "TestPki"]
