"""The exploratory test bed: it takes messages from anybody with a certificate of its own authority, shows what arrived
step by step, and forgets it after a day."""

from mm_soap.testbed.authority import RequestRefused, TestbedAuthority
from mm_soap.testbed.enrolment import Enrolled, Enrolment
from mm_soap.testbed.judging import Judge
from mm_soap.testbed.recorder import Recorder
from mm_soap.testbed.service import Listing, Shown, TestbedService

__all__ = [
    "Enrolled",
    "Enrolment",
    "Judge",
    "Listing",
    "Recorder",
    "RequestRefused",
    "Shown",
    "TestbedAuthority",
    "TestbedService",
]
