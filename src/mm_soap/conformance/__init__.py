"""The conformance kit: plays the counterpart of a foreign party, and tells which rules it keeps."""

from mm_soap.conformance.model import Arrival, Broken, Case, Cases, Exchange, Finding, NotTried, Report, Verdict
from mm_soap.conformance.running import run

__all__ = ["Arrival", "Broken", "Case", "Cases", "Exchange", "Finding", "NotTried", "Report", "Verdict", "run"]
