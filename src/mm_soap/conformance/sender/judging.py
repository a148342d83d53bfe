"""Judging one request by every rule that applies to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from lxml import etree

from mm_soap.clock import Clock
from mm_soap.conformance.masking import mark
from mm_soap.conformance.sender.contents import (
    as_secure,
    forwarded_ids,
    judge_delivery,
    judge_recipient,
    judge_recipients,
    judge_schema,
    judge_seal,
    place_of,
)
from mm_soap.conformance.sender.envelopes import judge_envelope, judge_http
from mm_soap.conformance.sender.model import Request, Sheet
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.conformance.sender.signatures import Signed, judge_signature
from mm_soap.dsig import seal_policy, sender_policy
from mm_soap.dsig.forms import prefix_free
from mm_soap.dsig.policy import SIGNED_DELIVERY
from mm_soap.dsig.verify import VerifiedDocument
from mm_soap.errors import Refusal, Refused
from mm_soap.message import Limits
from mm_soap.message.identifiers import is_organisation
from mm_soap.pki import TrustStore, read_certificates
from mm_soap.xml import parse_untrusted, text_of


@dataclass
class Judge:
    """Judges requests one by one; what lies between them is for `Ledger`.

    Args:
        plan: whose signatures hold, and the limits.
        clock: the time.
        unmasked: whether what is said may repeat what was sent.
    """

    plan: SenderPlan
    clock: Clock
    unmasked: bool = False
    store: TrustStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = TrustStore(read_certificates(self.plan.trust), self.clock)

    def judge(self, request: Request) -> Sheet:
        """Return what is to be said of a request."""
        sheet = Sheet()
        charset = judge_http(request, sheet)
        in_parts = "multipart" in (request.header("Content-Type") or "").lower()
        if request.method == "POST" and not in_parts and not sheet.broken("http.length"):
            judge_envelope(request, sheet, charset)
        if sheet.payload is None or sheet.operation is None:
            return sheet
        judges = {
            "distributeSecure": self._distribute_secure,
            "deliverSecure": self._deliver_secure,
            "deliverForward": self._deliver_forward,
            "distribute": self._notification,
            "notify": self._notification,
        }
        judge: Callable[[Sheet], None] | None = judges.get(sheet.operation.name)
        if judge is None:
            judge_schema(sheet, self._hide)
            return sheet
        judge(sheet)
        if sheet.operation.name != "deliverForward":  # which one operator calls of another
            self._judge_caller(request, sheet)
        return sheet

    def _hide(self, text: str) -> str:
        return text if self.unmasked else mark(len(text))

    @property
    def _limits(self) -> Limits:
        return Limits(self.plan.max_bytes, self.plan.check_digits)

    def _distribute_secure(self, sheet: Sheet) -> None:
        assert sheet.payload is not None
        element = next(sheet.payload.iterchildren("*"), None)
        if element is None:
            judge_schema(sheet, self._hide)
            return
        judge_recipient(sheet, element)
        verified = self._signature(sheet, sheet.raw, element, place_of(element))
        self._contents(sheet, element, place_of(element), verified)

    def _deliver_secure(self, sheet: Sheet) -> None:
        assert sheet.payload is not None
        self._sealed(sheet, next(sheet.payload.iterchildren("*"), None))

    def _deliver_forward(self, sheet: Sheet) -> None:
        assert sheet.payload is not None
        delivery = next(sheet.payload.iterchildren("*"), None)
        original = delivery.find("{*}OrginalDelivery") if delivery is not None else None
        if delivery is not None:
            judge_recipients(sheet, delivery, self.plan.check_digits)
        forwarder, recipients = sheet.sender, sheet.recipients
        self._sealed(sheet, original)
        if delivery is None or original is None:
            return
        sheet.sender, sheet.recipients = forwarder, recipients
        sheet.digest = hashlib.sha256(etree.tostring(sheet.payload, method="c14n")).hexdigest()
        named = delivery.find("{*}MessageIdToForward")
        if named is not None:
            known = text_of(named).strip() in forwarded_ids(original)
            refused = Refused(Refusal.NOT_FOUND, "MessageIdToForward")
            what = "The original has no message with this Id."
            sheet.judges("class-one.message-id", known, what, place_of(named), refused)

    def _sealed(self, sheet: Sheet, sealed: etree._Element | None) -> None:
        inner = sealed.find("{*}SignedDelivery") if sealed is not None else None
        if sealed is None or inner is None:
            judge_schema(sheet, self._hide)
            return
        place = place_of(sealed)
        judge_recipient(sheet, inner)
        signed = Signed("seal", "seal", sheet.raw, sealed, place, seal_policy())
        sealer, outer = judge_signature(signed, sheet, self.store)
        if sealer is not None:
            right = sealer == sheet.sender or sealer in self.plan.dispatchers
            refused = Refused(Refusal.SEALER_NOT_DISPATCHER)
            certificate = f"{place}/Signature/KeyInfo/X509Data/X509Certificate"
            sheet.judges("seal.dispatcher", right, refused.description, certificate, refused)
        judge_seal(sheet, sealed, place, self.clock().date())
        raw, element = sheet.raw, inner
        if outer is not None and (found := outer.root.find(SIGNED_DELIVERY)) is not None:
            # As an operator does: the inner document is cut from what the seal was verified on.
            raw, element = outer.document, found
        verified = self._signature(sheet, raw, element, place_of(inner))
        self._contents(sheet, inner, place_of(inner), verified)

    def _signature(self, sheet: Sheet, raw: bytes, element: etree._Element, place: str) -> VerifiedDocument | None:
        policy = sender_policy(frozenset(self.plan.sha1_from))
        signed = Signed("signature", "certificate", raw, element, place, policy)
        signer, verified = judge_signature(signed, sheet, self.store)
        if signer is not None and is_organisation(sheet.sender):
            right = signer == sheet.sender or signer in self.plan.dispatchers
            refused = Refused(Refusal.SIGNER_NOT_LISTED)
            sheet.judges(
                "certificate.signer", right, refused.description, f"{place}/Delivery/Header/Sender/Id", refused
            )
        return verified

    def _contents(self, sheet: Sheet, element: etree._Element, place: str, verified: VerifiedDocument | None) -> None:
        values = judge_schema(sheet, self._hide)
        root = verified.root if verified is not None else parse_untrusted(prefix_free(element, SIGNED_DELIVERY))
        judge_delivery(sheet, root, f"{place}/Delivery", self._limits, values)
        if verified is not None:
            sheet.digest = verified.digest

    def _notification(self, sheet: Sheet) -> None:
        assert sheet.payload is not None
        delivery = next(sheet.payload.iterchildren("*"), None)
        if delivery is not None:
            judge_recipients(sheet, delivery, self.plan.check_digits)
        values = judge_schema(sheet, self._hide)
        if delivery is None:
            return
        sheet.digest = hashlib.sha256(etree.tostring(sheet.payload, method="c14n")).hexdigest()
        secure = as_secure(delivery)
        if secure is not None:
            # All its recipients are judged already, the first one among them.
            judge_delivery(sheet, secure, place_of(delivery), self._limits, [*values, "/header/recipient"])

    def _judge_caller(self, request: Request, sheet: Sheet) -> None:
        if request.caller is not None and sheet.sender:
            right = request.caller == sheet.sender or request.caller in self.plan.dispatchers
            what = "The client certificate is neither of the sender nor of a dispatcher in the plan."
            sheet.judges("calls.caller", right, what, "TLS", Refused(Refusal.NOT_AUTHORISED))
