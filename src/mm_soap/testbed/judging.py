"""Judging one captured request again, rule by rule, as the conformance kit judges what senders send.

Nothing of this happens while a request is answered. A request that broke one rule is judged by the others too, as
far as it can be read, so that a person sees all of its mistakes at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mm_soap.clock import Clock
from mm_soap.conformance.sender.cases import CASES
from mm_soap.conformance.sender.judging import Judge as KitJudge
from mm_soap.conformance.sender.model import Request, Sheet
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.contract import ports
from mm_soap.directory import Directory
from mm_soap.errors import Refusal, Refused
from mm_soap.message.identifiers import is_organisation
from mm_soap.pki import TrustStore
from mm_soap.testbed.model import Check, Judged, Result
from mm_soap.testbed.signatures import facts_of_signature, organisation_of
from mm_soap.testbed.sources import http_remedy, remedy_of, rule_of
from mm_soap.testbed.store import Arrival, Captured

_STEPS: Final = {
    "HTTP": ("http.",),
    "Envelope": ("envelope.", "operation."),
    "Schema": ("schema.",),
    "Signature": ("signature.", "certificate."),
    "Message rules": ("message.", "attachment.", "class-one."),
}
"""Which cases of the kit belong to which step."""


@dataclass(frozen=True)
class Judge:
    """Judges as a dispatcher does.

    Args:
        plan: the limits, and whose SHA-1 is no mistake.
        store: whose certificates are trusted.
        directory: who is connected, and who may sign for whom, as the register says now.
        organisation: the dispatcher's number.
        clock: the time.
    """

    plan: SenderPlan
    store: TrustStore
    directory: Directory
    organisation: str
    clock: Clock

    def judge(self, arrival: Arrival, captured: Captured) -> list[Judged]:
        """Return the steps of a request up to the point where it was accepted or refused."""
        sheet = self._sheet(arrival, captured)
        steps = [
            Judged(name, tuple(_checks(sheet, cases)), tuple(_facts(name, arrival, captured, sheet)))
            for name, cases in _STEPS.items()
        ]
        if arrival.call_id is None and arrival.status >= 400 and steps[0].result is not Result.BROKEN:
            steps[0] = Judged("HTTP", (_http(arrival, captured),), steps[0].facts)
        if sheet.operation is not None and sheet.operation.name != "distributeSecure":
            return steps[:3]
        return [*steps, self._authorisation(sheet)]

    def _sheet(self, arrival: Arrival, captured: Captured) -> Sheet:
        kit = KitJudge(self.plan, self.clock)
        kit.store = self.store  # all anchors of the test bed, of which the plan names one file
        port = next((one for one in ports().values() if one.path == arrival.path), None)
        headers = tuple(captured.headers.items())
        return kit.judge(Request(1, arrival.at, arrival.path, port, arrival.method, headers, captured.request))

    def _authorisation(self, sheet: Sheet) -> Judged:
        sender = sheet.sender
        if not is_organisation(sender):
            return Judged("Authorisation", ())
        signer = _signer(sheet)
        own = signer is not None and (signer == sender or self.directory.may_dispatch(signer, sender))
        asked = (
            ("The sender is connected", Refusal.SENDER_UNKNOWN, self.directory.sender_connected(sender)),
            ("The signer is the sender, or a dispatcher listed for it", Refusal.SIGNER_NOT_LISTED, own),
            (
                "This dispatcher is listed for the sender",
                Refusal.DISPATCHER_NOT_LISTED,
                self.directory.may_dispatch(self.organisation, sender),
            ),
        )
        checks = [
            Check(title, Result.HOLDS) if holds else _broken(title, Refused(refusal)) for title, refusal, holds in asked
        ]
        facts = [("sender in the message", sender)]
        if signer is None:
            checks[1] = Check(asked[1][0], Result.NOT_REACHED)
        else:
            facts.append(("signer", signer))
        return Judged("Authorisation", tuple(checks), tuple(facts))


def _signer(sheet: Sheet) -> str | None:
    delivery = sheet.payload[0] if sheet.payload is not None and len(sheet.payload) else None
    return organisation_of(delivery) if delivery is not None else None


def _checks(sheet: Sheet, prefixes: tuple[str, ...]) -> Iterator[Check]:
    for name, case in CASES.items():
        # Who may sign for whom is a step of its own here: the register is asked.
        if not name.startswith(prefixes) or name == "certificate.signer":
            continue
        for mark in sheet.marks.get(name, ()):
            if mark.kept:
                yield Check(case.title, Result.HOLDS)
            else:
                yield Check(case.title, Result.BROKEN, mark.what, mark.place, case.rule, case.remedy)


def _facts(step: str, arrival: Arrival, captured: Captured, sheet: Sheet) -> Iterator[tuple[str, str]]:
    if step == "HTTP":
        yield "request", f"{arrival.method} {arrival.path}"
        yield from captured.headers.items()
        yield "bytes", str(len(captured.request))
        yield "answer", f"HTTP {arrival.status}"
    elif step == "Envelope" and sheet.operation is not None:
        yield "operation", sheet.operation.name
    elif step == "Signature" and sheet.payload is not None and len(sheet.payload):
        yield from facts_of_signature(sheet.payload[0])
        if arrival.form:
            yield "signed form", arrival.form


def _http(arrival: Arrival, captured: Captured) -> Check:
    """Return why HTTP refused what the kit found nothing wrong with: its length, or the server's own reasons."""
    found = f"HTTP {arrival.status}: {captured.answer.decode('utf-8', 'replace').strip()}"
    title = "The server takes the request."
    return Check(title, Result.BROKEN, found, "HTTP", f"errors.md, {arrival.status}", http_remedy(arrival.status))


def _broken(title: str, refused: Refused) -> Check:
    reason = refused.refusal
    return Check(title, Result.BROKEN, reason.value.text, refused.where, rule_of(reason), remedy_of(reason))
