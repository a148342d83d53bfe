"""Judging one captured request again, check by check, with the code that judged it when it came.

Nothing of this happens while a request is answered. A request that broke one rule is tried on the later ones too, as
far as it can be read, so that a person sees all of its mistakes at once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lxml import etree

from mm_soap.conformance.masking import masked_text
from mm_soap.contract import Port, ports, validate
from mm_soap.contract.explanation import Violation, explain
from mm_soap.contract.validation import contract_names
from mm_soap.directory import Directory
from mm_soap.dispatcher import PRECHECKS
from mm_soap.dsig import Trust, verify_delivery
from mm_soap.dsig.forms import prefix_free
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits, check_delivery, read_delivery
from mm_soap.soap.envelope import payload_of
from mm_soap.soap.request import HttpError, check_headers, check_markup, to_utf8
from mm_soap.testbed.model import Check, Judged, Result
from mm_soap.testbed.signatures import facts_of_signature
from mm_soap.testbed.sources import http_remedy, remedy_of, rule_of
from mm_soap.testbed.store import Arrival, Captured
from mm_soap.xml import SENDER, parse_untrusted, place_of_error, qname, text_of


@dataclass(frozen=True)
class Judge:
    """Judges as a dispatcher does.

    Args:
        trust: whose signatures hold.
        limits: the rules for messages as the installation sets them.
        directory: who is connected, and who may sign for whom, as the register says now.
        organisation: the dispatcher's number.
    """

    trust: Trust
    limits: Limits
    directory: Directory
    organisation: str

    def judge(self, arrival: Arrival, captured: Captured) -> list[Judged]:
        """Return the steps of a request up to the point where it was accepted or refused."""
        steps = [_http(arrival, captured)]
        if steps[0].result is Result.BROKEN:
            return [*steps, *(_unreached(name) for name in _STEPS[1:])]
        payload, raw, envelope = _envelope(arrival, captured)
        steps.append(envelope)
        if payload is None:
            return [*steps, *(_unreached(name) for name in _STEPS[2:])]
        schema = _schema(payload)
        steps.append(schema)
        if etree.QName(payload).localname != "distributeSecure":
            return steps
        delivery = payload[0] if len(payload) else None
        if delivery is None:
            return [*steps, *(_unreached(name) for name in _STEPS[3:])]
        signature, root, signer = self._signature(raw, delivery)
        steps.append(signature)
        if root is None:
            # As it would have been read, had its signature held in the form that a dispatcher tries last.
            root = parse_untrusted(prefix_free(delivery, self.trust.sender.root))
        steps.append(self._message(root, schema))
        steps.append(self._authorisation(delivery, signer))
        return steps

    def _signature(self, raw: bytes, delivery: etree._Element) -> tuple[Judged, etree._Element | None, str | None]:
        facts = list(facts_of_signature(delivery))
        try:
            verified = verify_delivery(raw, delivery, self.trust)
        except Refused as refused:
            checks = _row_of(_SIGNATURE_CHECKS, refused)
            return Judged("Signature", checks, tuple(facts)), None, None
        facts.append(("signed form", verified.form.value))
        checks = tuple(Check(title, Result.HOLDS) for title in _SIGNATURE_CHECKS)
        return Judged("Signature", checks, tuple(facts)), verified.root, verified.signer.organisation

    def _message(self, root: etree._Element, schema: Judged) -> Judged:
        if schema.result is not Result.HOLDS:
            return _unreached("Message rules")
        try:
            check_delivery(read_delivery(root), self.limits)
        except Refused as refused:
            return Judged("Message rules", (_broken("The content follows the rules for messages", refused),))
        return Judged("Message rules", tuple(Check(title, Result.HOLDS) for title in _MESSAGE_CHECKS))

    def _authorisation(self, delivery: etree._Element, signer: str | None) -> Judged:
        sender = text_of(delivery.find(f".//{qname(SENDER, 'Id')}")).strip()
        if not re.fullmatch("16[0-9]{10}", sender):
            return _unreached("Authorisation")
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
        if signer is None:
            checks[1] = Check(asked[1][0], Result.NOT_REACHED)
        facts = [("sender in the message", sender)]
        return Judged("Authorisation", tuple(checks), (*facts, ("signer", signer)) if signer else tuple(facts))


_STEPS: Final = ("HTTP", "Envelope", "Schema", "Signature", "Message rules", "Authorisation")

_SIGNATURE_CHECKS: Final[Mapping[str, frozenset[str]]] = {
    "One signature, the last child of the signed element": frozenset({"SIGNATURE_MISSING", "SIGNATURE_AMBIGUOUS"}),
    "It carries its certificate, of an authority that is trusted": frozenset({"SIGNATURE_NO_CERTIFICATE"}),
    "One reference, to the whole signed element": frozenset({"SIGNATURE_REFERENCE"}),
    "Its algorithms are accepted": frozenset({"SIGNATURE_ALGORITHM"}),
    "It holds for what came": frozenset({"SIGNATURE_INVALID"}),
}
_MESSAGE_CHECKS: Final = (
    "Identifiers have their form and check digit",
    "Texts have their lengths, and each message an Id of its own",
    "The message with its attachments is within the limit",
    "Bodies are UTF-8, without active or remote content",
    "Attachments are what their ContentType says, and their Checksum is right",
)


def _unreached(name: str) -> Judged:
    return Judged(name, ())


def _broken(title: str, refused: Refused) -> Check:
    reason = refused.refusal
    return Check(
        title, Result.BROKEN, reason.value.text, masked_text(refused.where), rule_of(reason), remedy_of(reason)
    )


def _row_of(checks: Mapping[str, frozenset[str]], refused: Refused) -> tuple[Check, ...]:
    """Return the checks before the broken one as holding, and those after it as not reached."""
    name = refused.refusal.name
    titles = list(checks)
    broken = next((title for title in titles if name in checks[title]), titles[1])
    place = titles.index(broken)
    return (
        *(Check(title, Result.HOLDS) for title in titles[:place]),
        _broken(broken, refused),
        *(Check(title, Result.NOT_REACHED) for title in titles[place + 1 :]),
    )


def _http(arrival: Arrival, captured: Captured) -> Judged:
    facts = [("request", f"{arrival.method} {arrival.path}"), *captured.headers.items()]
    facts += [("bytes", str(len(captured.request))), ("answer", f"HTTP {arrival.status}")]
    title = "A POST of text/xml to an address of the contract, of a length that is read"
    try:
        if arrival.call_id is None and arrival.status >= 400:
            raise HttpError(arrival.status, captured.answer.decode("utf-8", "replace").strip())
        check_headers(_environ(captured))
    except HttpError as error:
        found = f"HTTP {error.code}: {error.text}"
        check = Check(title, Result.BROKEN, found, arrival.path, f"errors.md, {error.code}", http_remedy(error.code))
        return Judged("HTTP", (check,), tuple(facts))
    return Judged("HTTP", (Check(title, Result.HOLDS),), tuple(facts))


def _environ(captured: Captured) -> dict[str, Any]:
    headers = captured.headers
    return {
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
    }


_ENVELOPE_CHECKS: Final[Mapping[str, frozenset[str]]] = {
    "Well-formed XML in a supported encoding, without a document type": frozenset({"MALFORMED_XML", "DOCTYPE"}),
    "No more markup than a request of the contract has": frozenset({"TOO_COMPLEX"}),
    "A SOAP 1.1 envelope with one Body that holds one element": frozenset({"NOT_SOAP", "VERSION_MISMATCH"}),
    "No header that must be understood": frozenset({"MUST_UNDERSTAND"}),
    "The element is an operation of this service": frozenset({"UNKNOWN_OPERATION"}),
}


def _envelope(arrival: Arrival, captured: Captured) -> tuple[etree._Element | None, bytes, Judged]:
    raw = captured.request
    try:
        raw = to_utf8(raw, check_headers(_environ(captured)))
        check_markup(raw)
        payload = payload_of(parse_untrusted(raw))
        if _port(arrival.path).operation_for(str(payload.tag)) is None:
            raise Refused(Refusal.UNKNOWN_OPERATION)
    except Refused as refused:
        checks = _row_of(_ENVELOPE_CHECKS, refused)
        if refused.refusal is Refusal.MALFORMED_XML and (place := place_of_error(raw)):
            where = f"line {place[0]}, column {place[1]}"
            checks = tuple(replace(one, place=where) if one.found else one for one in checks)
        return None, raw, Judged("Envelope", checks)
    checks = tuple(Check(title, Result.HOLDS) for title in _ENVELOPE_CHECKS)
    return payload, raw, Judged("Envelope", checks, (("operation", etree.QName(payload).localname),))


def _port(path: str) -> Port:
    return next(port for port in ports().values() if port.path == path)


def _schema(payload: etree._Element) -> Judged:
    title = "The operation follows the schema"
    try:
        precheck = PRECHECKS.get(etree.QName(payload).localname)
        if precheck is not None:
            precheck(payload)
        validate(payload)
    except Refused as refused:
        reasons = tuple(
            Check(_shown(one.rule), Result.BROKEN, "", masked_text(one.path), _SCHEMA_RULE, one.remedy)
            for one in _explained(payload)
        )
        return Judged("Schema", (_broken(title, refused), *reasons))
    return Judged("Schema", (Check(title, Result.HOLDS),))


def _explained(payload: etree._Element) -> list[Violation]:
    with _EXPLAINING:  # its schema is one for all threads, and its parts remember what they looked at
        return explain(payload)


_EXPLAINING: Final = threading.Lock()
_SCHEMA_RULE: Final = rule_of(Refusal.SCHEMA_VIOLATION)
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def _shown(text: str) -> str:
    """Return what the schema says without values of the message: quoted, they stay only where they are names."""

    def shown(match: re.Match[str]) -> str:
        inner = match[1] if match[1] is not None else match[2]
        name = inner.rpartition("}")[2].rpartition(":")[2]
        return match[0] if name in contract_names() else f"…({len(inner)} characters)"

    return masked_text(_QUOTED.sub(shown, text))
