"""Where something signed travels: a valid request of each kind, and its parts, from which attacks are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Final

from lxml import etree

from mm_soap.clock import Clock
from mm_soap.conformance.class_one import forwarded
from mm_soap.conformance.dispatcher_bench import DispatcherBench
from mm_soap.conformance.operator_bench import OperatorBench
from mm_soap.conformance.signed import Wire, a_message
from mm_soap.conformance.xmlsig import PLAIN, Manner, signature, signed
from mm_soap.message import Party, SecureDelivery, build_delivery
from mm_soap.pki import Identity
from mm_soap.soap.envelope import payload_of
from mm_soap.testing import TestPki
from mm_soap.xml import MESSAGE_V1, MESSAGE_V3, SERVICE_V3, SOAP_ENVELOPE, parse_untrusted

SUBJECT: Final = "Beslut om prövning & mer"
WRITTEN: Final = "Beslut om prövning &amp; mer".encode()
FORGED: Final = b"Nagot helt annat"

KOMMUN_A: Final = "162021004748"
DISPATCHER: Final = "165599999900"
OUTSIDER: Final = "165599999942"
"""Has a certificate that is trusted, is no sender, and is listed as nobody's dispatcher."""
RECIPIENT: Final = "192705178354"

_FORWARD_HEAD: Final = forwarded(RECIPIENT, "Tolvan", RECIPIENT).encode()


@dataclass(frozen=True)
class Cast:
    """Who signs.

    Args:
        pki: certifies them; its authorities are trusted where the attacks go.
        clock: the time.
    """

    pki: TestPki
    clock: Clock
    listener: str = "http://127.0.0.1:9"
    """Where references lead that nobody may follow."""

    @cached_property
    def sender(self) -> Identity:
        return self.pki.organisation(KOMMUN_A, "Kommun A")

    @cached_property
    def dispatcher(self) -> Identity:
        return self.pki.organisation(DISPATCHER, "Förmedlare Demo")

    @cached_property
    def outsider(self) -> Identity:
        return self.pki.organisation(OUTSIDER, "Utomstående")

    def delivery(self) -> bytes:
        """A new SignedDelivery without its signature, standing alone."""
        content = SecureDelivery(Party(KOMMUN_A, "Kommun A"), RECIPIENT, (a_message(SUBJECT),))
        return etree.tostring(build_delivery(content), encoding="UTF-8", xml_declaration=False)

    def sealed(self, *deliveries: bytes) -> bytes:
        """A SealedDelivery without the dispatcher's signature."""
        today = self.clock().date()
        return b"".join((f'<SealedDelivery xmlns="{MESSAGE_V3}">'.encode(), *deliveries, _seal(today), _SEALED_END))


_SEALED_END: Final = b"</SealedDelivery>"


def _seal(day: date) -> bytes:
    return (
        f'<Seal><ReceivedTime xmlns="{MESSAGE_V1}">{day.isoformat()}</ReceivedTime>'
        f'<SignaturesOK xmlns="{MESSAGE_V1}">true</SignaturesOK></Seal>'
    ).encode()


@dataclass(frozen=True)
class Site:
    """One signature of one kind of request.

    Args:
        name: for ids of tests and the page.
        title: for readers.
        port: where it is sent: ``message`` or ``service``.
        wire: how the outermost signed document travels.
        sealed: whether what travels is sealed.
        inner: whether the signature that is attacked is the sender's inside the seal. The seal around it is right.
    """

    name: str
    title: str
    port: str
    wire: Wire = field(repr=False)
    sealed: bool = False
    inner: bool = False

    @property
    def path(self) -> str:
        return "/Message/v3" if self.port == "message" else "/Service/v3"

    def unsigned(self, cast: Cast) -> bytes:
        """A new document that lacks the signature of this site alone."""
        if self.sealed and not self.inner:
            return cast.sealed(signed(cast.delivery(), cast.sender))
        return cast.delivery()

    def signer(self, cast: Cast) -> Identity:
        return cast.dispatcher if self.sealed and not self.inner else cast.sender


_FORWARD: Final = Wire(
    start=f'<v:deliverForward xmlns:v="{SERVICE_V3}"><v:forwardMessage xmlns="{SERVICE_V3}">'.encode() + _FORWARD_HEAD,
    end=b"</v:forwardMessage></v:deliverForward>",
    name=b"v:OrginalDelivery",
    namespace=SERVICE_V3,
    signed_name=b"SealedDelivery",
)
_DELIVER: Final = OperatorBench.wire

SITES: Final = (
    Site("delivery", "the sender's signature in distributeSecure", "message", DispatcherBench.wire),
    Site("seal", "the seal in deliverSecure", "service", _DELIVER, sealed=True),
    Site("sealed-delivery", "the sender's signature in deliverSecure", "service", _DELIVER, sealed=True, inner=True),
    Site("forwarded-seal", "the seal in deliverForward", "service", _FORWARD, sealed=True),
    Site(
        "forwarded-delivery", "the sender's signature in deliverForward", "service", _FORWARD, sealed=True, inner=True
    ),
)


@dataclass(frozen=True)
class Target:
    """One new document at one site. Variants are made from it.

    Args:
        site: which signature is attacked.
        cast: who signs.
    """

    site: Site
    cast: Cast

    @cached_property
    def unsigned(self) -> bytes:
        """The document without its signature."""
        return self.site.unsigned(self.cast)

    @cached_property
    def signer(self) -> Identity:
        return self.site.signer(self.cast)

    def signature(self, manner: Manner = PLAIN, by: Identity | None = None) -> bytes:
        """The signature of the document, alone."""
        return signature(self.unsigned, by or self.signer, manner)

    def signed(self, manner: Manner = PLAIN, by: Identity | None = None) -> bytes:
        """The signed document, standing alone."""
        return signed(self.unsigned, by or self.signer, manner)

    @cached_property
    def good(self) -> bytes:
        return self.signed()

    def payload(self, *documents: bytes) -> bytes:
        """The operation's element, with documents where the signed one belongs. Of an inner site the seal is right."""
        return self.around(*(self.site.wire.renamed(one) for one in self.travelling(*documents)))

    def travelling(self, *documents: bytes) -> tuple[bytes, ...]:
        """The outermost documents, as they stand alone."""
        if not self.site.inner:
            return documents
        return (signed(self.cast.sealed(*documents), self.cast.dispatcher),)

    def around(self, *elements: bytes) -> bytes:
        """The operation's element around elements that have their names on the wire."""
        return self.site.wire.around(b"".join(elements))

    def request(self, *documents: bytes) -> bytes:
        """The whole request with documents where the signed one belongs; the good one unless said."""
        return envelope(self.payload(*(documents or (self.good,))))


def envelope(payload: bytes, *, header: bytes = b"", before: bytes = b"", after: bytes = b"") -> bytes:
    """A SOAP request.

    Args:
        payload: stands in Body.
        header: stands in Header.
        before: stands in Envelope before Body.
        after: stands in Envelope after Body.
    """
    head = b"<soap:Header>%s</soap:Header>" % header if header else b""
    start = f'<soap:Envelope xmlns:soap="{SOAP_ENVELOPE}">'.encode()
    return b"".join((start, head, before, b"<soap:Body>", payload, b"</soap:Body>", after, b"</soap:Envelope>"))


def document_in(request: bytes) -> etree._Element:
    """The element of a request at the place of the signed document."""
    operation = payload_of(parse_untrusted(request))
    found = operation.find(f"{{{SERVICE_V3}}}forwardMessage/{{{SERVICE_V3}}}OrginalDelivery")
    return operation[0] if found is None else found
