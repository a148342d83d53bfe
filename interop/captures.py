"""Sealed deliveries as mm-soap sent them, and what becomes of them when somebody meddles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from interop.sending import outcome, send
from interop.suite import Suite
from mm_soap.conformance.class_one import forwarded
from mm_soap.conformance.prefixes import prefixed
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, OPERATOR_ONE, RECIPIENT
from mm_soap.dispatcher.wire import deliver_secure_request
from mm_soap.dsig import seal_for, sealed_document
from mm_soap.errors import Refusal
from mm_soap.pki import Identity
from mm_soap.soap.envelope import wrap
from mm_soap.xml import MESSAGE_V3, SERVICE_V3

_BODY = re.compile(rb"<(\w+):Body>(.*)</\1:Body>", re.DOTALL)
_SEALED = re.compile(rb'<s:deliverSecure xmlns="[^"]*">(.*)</s:deliverSecure></s:deliverSecure>', re.DOTALL)
_SIGNED = re.compile(rb"<SignedDelivery .*</SignedDelivery>", re.DOTALL)


@dataclass(frozen=True)
class Capture:
    """A request of deliverSecure, and what is to be found in it."""

    name: str
    content: bytes
    authorities: Path
    """Those that are trusted when it is verified."""
    holds: bool
    """Whether both signatures hold, and the authorities issued the certificates."""
    code: int | None
    """What a mailbox operator has to refuse it with; None for one that is right."""
    sealer: str = DISPATCHER.number
    signer: str = KOMMUN_A.number

    @property
    def payload(self) -> bytes:
        """What stands in the body of the envelope."""
        found = _BODY.search(self.content)
        assert found
        return found[2]

    def forwarded(self, to: str) -> bytes:
        """Return a deliverForward of what was captured, to another recipient."""
        found = _SEALED.search(self.payload)
        assert found
        head = forwarded(RECIPIENT, "Den som vidarebefordrar", to).encode()
        original = b'<v:OrginalDelivery xmlns="%s">%s</v:OrginalDelivery>' % (MESSAGE_V3.encode(), found[1])
        start = f'<v:deliverForward xmlns:v="{SERVICE_V3}"><v:forwardMessage xmlns="{SERVICE_V3}">'.encode()
        return start + head + original + b"</v:forwardMessage></v:deliverForward>"


def all_captures(suite: Suite) -> list[Capture]:
    """Return what all stacks have sent, and mm-soap's own sender, and what can become of one of these.

    Raises:
        NotInTime: the message of mm-soap's own sender did not arrive.
    """
    outcome(suite, send(suite, RECIPIENT, KOMMUN_A))
    sent = as_sent(suite)
    return [*sent, *meddled(suite, sent[-1])]


def as_sent(suite: Suite) -> list[Capture]:
    """Return what the demonstration's dispatcher has handed over to operator one."""
    return [
        Capture(f"as-sent-{place}", content, suite.authorities, True, None)
        for place, content in enumerate(suite.sealed_deliveries(), start=1)
    ]


def meddled(suite: Suite, capture: Capture) -> list[Capture]:
    """Return what can become of a captured request: still right, not right, and not by whom it should be."""
    found = _SIGNED.search(capture.content)
    assert found, "the dispatcher writes a delivery in another form than this module knows"
    signed = found[0]
    changed = signed.replace(b"<Subject>", b"<Subject>x")
    assert changed != signed
    another_day = re.sub(rb"(<ReceivedTime[^>]*>)[^<]*", rb"\g<1>2020-02-02", capture.content)
    assert another_day != capture.content
    dispatcher, unlisted = suite.identity(DISPATCHER), suite.identity(OPERATOR_ONE)
    trusted = suite.authorities
    invalid = Refusal.SIGNATURE_INVALID.code
    return [
        Capture("rewritten-with-prefixes", _with_prefixes(signed, dispatcher), trusted, True, None),
        Capture("text-changed", capture.content.replace(signed, changed), trusted, False, invalid),
        Capture("seal-changed", another_day, trusted, False, invalid),
        Capture("wrong-signature-under-a-right-seal", _resealed(changed, dispatcher), trusted, False, invalid),
        Capture(
            "sealed-by-an-unlisted-organisation",
            _resealed(signed, unlisted),
            trusted,
            True,
            Refusal.SEALER_NOT_DISPATCHER.code,
            OPERATOR_ONE.number,
        ),
    ]


def _resealed(signed: bytes, identity: Identity) -> bytes:
    return wrap(deliver_secure_request(signed, seal_for(signed, identity, datetime.now(UTC).date())))


def _with_prefixes(signed: bytes, identity: Identity) -> bytes:
    """Return a request as SOAP software between dispatcher and operator would write it anew."""
    sealed = sealed_document(signed, seal_for(signed, identity, datetime.now(UTC).date()))
    inside = prefixed(sealed, (SERVICE_V3, "deliverSecure"))
    return wrap(b'<v:deliverSecure xmlns:v="%s">%s</v:deliverSecure>' % (SERVICE_V3.encode(), inside))
