"""Senders, right and wrong: what they put on the wire."""

from __future__ import annotations

import gzip
import http.client
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from mm_soap.clock import system_clock
from mm_soap.conformance import class_one
from mm_soap.conformance.prefixes import prefixed
from mm_soap.conformance.xmlsig import (
    ENVELOPED,
    INCLUSIVE,
    PLAIN,
    XPATH,
    Manner,
    signature,
    signed,
    with_last_child,
)
from mm_soap.dsig import seal_for, sealed_document
from mm_soap.message import Message, Party, SecureDelivery, build_delivery, new_message
from mm_soap.pki import Identity
from mm_soap.sender import distribute_secure_request
from mm_soap.soap.envelope import wrap
from mm_soap.testing import TestPki
from mm_soap.xml import MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, NOTIFICATION_V3, SERVICE_V3, SOAP_ENVELOPE, parse_untrusted

PKI = TestPki(system_clock)
SENDER = PKI.organisation("162021004748", "Kommun A")
OTHER = PKI.organisation("162021003898", "Kommun B")
DISPATCHER = PKI.organisation("165599999900", "Förmedlaren")
RECIPIENT = "192705178354"
PDF = b"%PDF-1.4\n%%EOF\n"
HEADERS: Mapping[str, str | None] = MappingProxyType({"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'})


@dataclass(frozen=True)
class Call:
    """One request of a sender."""

    body: bytes
    path: str = "/Message/v3"
    headers: Mapping[str, str | None] = field(default_factory=lambda: HEADERS)
    method: str = "POST"

    def with_headers(self, **more: str | None) -> Call:
        """Return the call with other headers; None takes one away."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return replace(self, headers={**self.headers, **named})


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def code(self) -> int | None:
        found = re.search(rb"ErrorCode>(\d+)<", self.body)
        return int(found[1]) if found else None

    @property
    def returned(self) -> str:
        found = re.search(rb"return>([^<]+)<", self.body)
        assert found, self.body
        return found[1].decode()


def post(url: str, call: Call) -> Answer | None:
    """Send a request; None if the connection was closed without an answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.putrequest(call.method, call.path, skip_accept_encoding=True)
        for name, value in {"Content-Length": str(len(call.body)), **call.headers}.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(call.body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read())
    except (http.client.RemoteDisconnected, ConnectionError):
        return None
    finally:
        connection.close()


def unsigned(*messages: Message, sender: str = SENDER.organisation, recipient: str = RECIPIENT) -> bytes:
    content = messages or (
        new_message("Beslut å", text="Hej på dig.", attachments=(("a.pdf", "application/pdf", PDF),)),
    )
    made = build_delivery(SecureDelivery(Party(sender, "Kommun A"), recipient, content))
    return etree.tostring(made, encoding="unicode").encode()


def sent(document: bytes) -> Call:
    return Call(wrap(distribute_secure_request(document)))


def a_delivery(document: bytes | None = None, manner: Manner = PLAIN, by: Identity = SENDER) -> Call:
    return sent(signed(unsigned() if document is None else document, by, manner))


def sealed(document: bytes | None = None, by: Identity = DISPATCHER, seal: bytes | None = None) -> bytes:
    content = signed(unsigned(), SENDER) if document is None else document
    return sealed_document(content, seal or seal_for(content, by, system_clock().date()))


def delivered(document: bytes) -> Call:
    inside = document.replace(b"<SealedDelivery", b"<s:deliverSecure", 1).replace(
        b"</SealedDelivery", b"</s:deliverSecure"
    )
    return Call(
        wrap(b'<s:deliverSecure xmlns:s="%s">%s</s:deliverSecure>' % (SERVICE_V3.encode(), inside)), "/Service/v3"
    )


def status(distribution_id: str, sender: str = SENDER.organisation) -> Call:
    content = f"<senderId>{sender}</senderId><distributionId>{distribution_id}</distributionId>"
    return Call(wrap(f'<checkDistributionStatus xmlns="{MESSAGE_V3}">{content}</checkDistributionStatus>'.encode()))


def envelope_with(call: Call, old: bytes, new: bytes) -> Call:
    assert old in call.body
    return replace(call, body=call.body.replace(old, new, 1))


def indented(document: bytes) -> bytes:
    root = parse_untrusted(document)
    etree.indent(root)
    return etree.tostring(root)


def on_windows(document: bytes) -> bytes:
    """With the carriage returns that a file of Windows has, and that no parser keeps."""
    return document.replace(b"\n", b"&#13;\n")


def in_the_envelope() -> Call:
    """Signed with inclusive canonicalisation where it stands, with the envelope's prefix in scope."""
    document = unsigned()
    scoped = document.replace(b"<SignedDelivery", b'<SignedDelivery xmlns:soap="%s"' % SOAP_ENVELOPE.encode(), 1)
    return sent(with_last_child(document, signature(scoped, SENDER, Manner(signed_info=INCLUSIVE))))


def by_security_header() -> Call:
    document = unsigned()
    header = (
        b'<soap:Header><w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext'
        b'-1.0.xsd">%s</w:Security></soap:Header>' % signature(document, SENDER)
    )
    return envelope_with(sent(document), b"<soap:Body>", header + b"<soap:Body>")


def with_prefixes(document: bytes) -> bytes:
    """All its names by a prefix, as typed stacks write them, and signed so."""
    return prefixed(document)


def wrong(old: bytes, new: bytes, *, document: bytes | None = None) -> Call:
    """Signed as it is, with one thing in it that is wrong."""
    content = unsigned() if document is None else document
    assert old in content
    return a_delivery(content.replace(old, new, 1))


def message(**more: Any) -> bytes:
    return unsigned(new_message("Beslut", **{"text": None if "html" in more else "Hej.", **more}))


def distributed_prefixed() -> Call:
    document = signed(with_prefixes(unsigned()), SENDER)
    inside = re.sub(rb"(</?)(\w+:)SignedDelivery", rb"\1\2signedDelivery", document)
    return Call(wrap(b'<distributeSecure xmlns="%s">%s</distributeSecure>' % (MESSAGE_V3.encode(), inside)))


def distributed_by_its_wire_name() -> Call:
    document = unsigned().replace(b"SignedDelivery", b"signedDelivery")
    return sent(signed(document, SENDER).replace(b"signedDelivery", b"SignedDelivery"))


V1, V2 = f'xmlns="{MESSAGE_V1}"'.encode(), f'xmlns="{MESSAGE_V2}"'.encode()
RECIPIENT_ELEMENT = b"<Recipient %s>%s</Recipient>" % (V2, RECIPIENT.encode())

WRONG: dict[str, tuple[Callable[[], Sequence[Call]], set[str]]] = {
    "GET": (lambda: [Call(b"", method="GET", headers={})], {"http.method"}),
    "another path": (lambda: [replace(a_delivery(), path="/message/v3")], {"http.path"}),
    "application/xml": (lambda: [a_delivery().with_headers(Content_Type="application/xml")], {"http.content-type"}),
    "an unknown charset": (
        lambda: [a_delivery().with_headers(Content_Type="text/xml; charset=ebcdic")],
        {"http.content-type"},
    ),
    "SOAPAction without quotation marks": (
        lambda: [a_delivery().with_headers(SOAPAction="distributeSecure")],
        {"http.soap-action"},
    ),
    "gzip": (
        lambda: [replace(one := a_delivery(), body=gzip.compress(one.body)).with_headers(Content_Encoding="gzip")],
        {"http.not-compressed"},
    ),
    "no length": (lambda: [Call(b"").with_headers(Content_Length=None)], {"http.length"}),
    "Latin-1 without saying so": (
        lambda: [replace(one := a_delivery(), body=one.body.decode().encode("latin-1"))],
        {"envelope.encoding"},
    ),
    "not well-formed": (
        lambda: [envelope_with(a_delivery(), b"</soap:Body>", b"</soap:Bodx>")],
        {"envelope.well-formed"},
    ),
    "DOCTYPE": (lambda: [replace(one := a_delivery(), body=b"<!DOCTYPE x>" + one.body)], {"envelope.doctype"}),
    "too much markup": (
        lambda: [
            envelope_with(
                a_delivery(), b"<soap:Body>", b"<soap:Header>%s</soap:Header><soap:Body>" % (b"<a/>" * 10_001)
            )
        ],
        {"envelope.size"},
    ),
    "SOAP 1.2": (
        lambda: [
            replace(
                one := a_delivery(),
                body=one.body.replace(SOAP_ENVELOPE.encode(), b"http://www.w3.org/2003/05/soap-envelope"),
            )
        ],
        {"envelope.version"},
    ),
    "two elements in the Body": (
        lambda: [envelope_with(a_delivery(), b"</soap:Body>", b"<more/></soap:Body>")],
        {"envelope.body"},
    ),
    "no envelope": (lambda: [Call(distribute_secure_request(signed(unsigned(), SENDER)))], {"envelope.body"}),
    "mustUnderstand": (
        lambda: [
            envelope_with(
                a_delivery(), b"<soap:Body>", b'<soap:Header><h soap:mustUnderstand="1"/></soap:Header><soap:Body>'
            )
        ],
        {"envelope.must-understand"},
    ),
    "an operation of another service": (lambda: [replace(a_delivery(), path="/Service/v3")], {"operation.known"}),
    "one element in another namespace": (
        lambda: [wrong(b"<Recipient " + V2, b"<Recipient " + V1)],
        {"schema.namespaces"},
    ),
    "no Checksum": (
        lambda: [a_delivery(re.sub(rb"<Checksum.*?</Checksum>", b"", unsigned()))],
        {"schema.structure"},
    ),
    "a value that is none": (lambda: [wrong(b"svSE", b"!")], {"schema.values"}),
    "two recipients": (lambda: [wrong(RECIPIENT_ELEMENT, RECIPIENT_ELEMENT * 2)], {"message.recipient"}),
    "bad check digit": (lambda: [wrong(RECIPIENT.encode(), b"192705178355")], {"message.identifiers"}),
    "the same Id twice": (
        lambda: [a_delivery(unsigned(*[replace(new_message("Beslut", text="Hej."), id="m-1")] * 2))],
        {"message.ids"},
    ),
    "an empty Id": (
        lambda: [a_delivery(unsigned(replace(new_message("Beslut", text="Hej."), id=" ")))],
        {"message.texts"},
    ),
    "a link that runs a script": (
        lambda: [wrong(b"</Supportinfo>", b"<URL>javascript:alert(1)</URL></Supportinfo>", document=message())],
        {"message.values"},
    ),
    "too large": (lambda: [a_delivery(message(text="x" * 2_097_153))], {"message.size"}),
    "RTF": (lambda: [wrong(b"text/plain", b"text/rtf")], {"message.body-type"}),
    "a body in Latin-1": (
        lambda: [a_delivery(unsigned(replace(new_message("Beslut", text="x"), body="å".encode("latin-1"))))],
        {"message.body-utf8"},
    ),
    "a script in the body": (lambda: [a_delivery(message(html="<p onclick='x()'>Hej</p>"))], {"message.html"}),
    "a type that may not be attached": (lambda: [wrong(b"application/pdf", b"image/png")], {"attachment.type"}),
    "no PDF": (lambda: [wrong(b"application/pdf", b"application/msword")], {"attachment.bytes"}),
    "a line break in Filename": (lambda: [wrong(b"a.pdf", b"a&#10;.pdf")], {"attachment.filename"}),
    "Checksum of something else": (
        lambda: [a_delivery(re.sub(rb"(<Checksum[^>]*>)[^<]*", rb"\g<1>" + b"0" * 32, unsigned()))],
        {"attachment.checksum"},
    ),
    "not signed": (lambda: [sent(unsigned())], {"signature.present"}),
    "signed by WS-Security": (lambda: [by_security_header()], {"signature.present"}),
    "signed twice": (
        lambda: [sent(with_last_child(signed(one := unsigned(), SENDER), signature(one, SENDER)))],
        {"signature.place"},
    ),
    "signature first": (
        lambda: [
            sent((one := unsigned()).replace(b"<Delivery>", signature(one, SENDER) + b"<Delivery>", 1)),
        ],
        {"signature.place"},
    ),
    "two references": (lambda: [a_delivery(manner=Manner(twice=True))], {"signature.reference"}),
    "an outer reference": (lambda: [a_delivery(manner=Manner(uri="#somewhere"))], {"signature.reference"}),
    "SHA-1": (lambda: [a_delivery(manner=Manner("sha1"))], {"signature.algorithm"}),
    "HMAC": (
        lambda: [a_delivery(manner=Manner(method="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"))],
        {"signature.algorithm"},
    ),
    "XPath transform": (lambda: [a_delivery(manner=Manner(transforms=(ENVELOPED, XPATH)))], {"signature.transforms"}),
    "no certificate": (lambda: [a_delivery(manner=Manner(key_info="name"))], {"signature.certificate"}),
    "signed by the name on the wire": (lambda: [distributed_by_its_wire_name()], {"signature.root"}),
    "signed as a SealedDelivery": (
        lambda: [
            sent(
                with_last_child(one := unsigned(), signature(one.replace(b"SignedDelivery", b"SealedDelivery"), SENDER))
            )
        ],
        {"signature.root"},
    ),
    "hashed with prefixes": (lambda: [distributed_prefixed()], {"signature.prefixes"}),
    "ds: in SignedInfo": (lambda: [a_delivery(manner=Manner(prefix="ds"))], {"signature.prefixes"}),
    "pretty-printed after signing": (lambda: [sent(indented(signed(unsigned(), SENDER)))], {"signature.white-space"}),
    "hashed with the line ends of Windows": (
        lambda: [sent(with_last_child(indented(unsigned()), signature(on_windows(indented(unsigned())), SENDER)))],
        {"signature.white-space"},
    ),
    "signed inside the envelope": (lambda: [in_the_envelope()], {"signature.alone"}),
    "the Delivery alone signed": (
        lambda: [sent(with_last_child(one := unsigned(), signature(etree.tostring(parse_untrusted(one)[0]), SENDER)))],
        {"signature.alone"},
    ),
    "another algorithm than is written": (
        lambda: [a_delivery(manner=Manner(method="http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"))],
        {"signature.method"},
    ),
    "the key of another": (
        lambda: [a_delivery(by=replace(SENDER, key=OTHER.key))],
        {"signature.value"},
    ),
    "changed after signing": (
        lambda: [envelope_with(a_delivery(), b"<Subject>Beslut", b"<Subject>Nej")],
        {"signature.content"},
    ),
    "an unknown issuer": (
        lambda: [a_delivery(by=TestPki(system_clock, new_keys=True).organisation(SENDER.organisation, "Kommun A"))],
        {"certificate.issuer"},
    ),
    "an expired certificate": (
        lambda: [a_delivery(by=PKI.organisation(SENDER.organisation, "Kommun A", expired=True))],
        {"certificate.dates"},
    ),
    "a certificate for encryption": (
        lambda: [a_delivery(by=PKI.organisation(SENDER.organisation, "Kommun A", wrong_usage=True))],
        {"certificate.key"},
    ),
    "a certificate of nobody": (
        lambda: [a_delivery(by=PKI.organisation(SENDER.organisation, "Kommun A", no_organisation=True))],
        {"certificate.organisation"},
    ),
    "the certificate of another organisation": (lambda: [a_delivery(by=OTHER)], {"certificate.signer"}),
    "sealed by somebody": (lambda: [delivered(sealed(by=OTHER))], {"seal.dispatcher"}),
    "no seal": (
        lambda: [delivered((one := sealed())[: one.rindex(b"<Signature ")] + b"</SealedDelivery>")],
        {"seal.present"},
    ),
    "a delivery changed after sealing": (
        lambda: [delivered(sealed().replace(b"<Subject>Beslut", b"<Subject>Nej"))],
        {"seal.content", "signature.content"},
    ),
    "sealed although the signature is wrong": (
        lambda: [delivered(sealed(signed(unsigned(), SENDER).replace(b"<Subject>Beslut", b"<Subject>Nej")))],
        {"signature.content"},
    ),
}
"""What each sends, and the cases that catch it: those and no others."""


def notification(*recipients: str, old: str = "", new: str = "") -> Call:
    """Notification.distribute, with one thing in it changed."""
    content = class_one.notification(SENDER.organisation, "Kommun A", *recipients).replace(old, new)
    start = f'<distribute xmlns="{NOTIFICATION_V3}"><notificationDelivery>'
    return Call(wrap(f"{start}{content}</notificationDelivery></distribute>".encode()), "/Notification/v3")


def notification_status(distribution_id: str) -> Call:
    content = f"<sender>{SENDER.organisation}</sender><distributionId>{distribution_id}</distributionId>"
    name = "checkDistributionStatus"
    element = f'<{name} xmlns="{NOTIFICATION_V3}">{content}</{name}>'
    return Call(wrap(element.encode()), "/Notification/v3")


def notify(*recipients: str) -> Call:
    content = class_one.notification(SENDER.organisation, "Kommun A", *recipients)
    return Call(wrap(f'<notify xmlns="{SERVICE_V3}"><notify>{content}</notify></notify>'.encode()), "/Service/v3")


def forwarded(message_id: str | None = None, recipient: str = RECIPIENT) -> Call:
    """Service.deliverForward of a delivery whose only message has the Id ``m-1``."""
    original = sealed(signed(unsigned(replace(new_message("Beslut", text="Hej."), id="m-1")), SENDER))
    inside = original.replace(b"<SealedDelivery", b"<v:OrginalDelivery", 1)
    inside = inside.replace(b"</SealedDelivery", b"</v:OrginalDelivery")
    head = class_one.forwarded(RECIPIENT, "Prov", recipient).encode()
    named = f"<MessageIdToForward>{message_id}</MessageIdToForward>".encode() if message_id else b""
    start = f'<v:deliverForward xmlns:v="{SERVICE_V3}"><v:forwardMessage xmlns="{SERVICE_V3}">'.encode()
    return Call(wrap(start + head + inside + named + b"</v:forwardMessage></v:deliverForward>"), "/Service/v3")


def two_parts() -> Call:
    body = b"--x\r\nContent-Type: application/xop+xml\r\n\r\n%s\r\n--x--\r\n" % a_delivery().body
    return Call(body).with_headers(Content_Type='multipart/related; type="application/xop+xml"; boundary=x')


WRONG |= {
    "MTOM": (lambda: [two_parts()], {"http.content-type"}),
    "Checksum in base64": (
        lambda: [a_delivery(re.sub(rb"(<Checksum[^>]*>)[^<]*", rb"\g<1>xyz", unsigned()))],
        {"attachment.checksum"},
    ),
    "a sender that is none": (
        lambda: [wrong(b">162021004748<", b">202100-4748<")],
        {"schema.values"},
    ),
    "a notification to a wrong number": (
        lambda: [notification(RECIPIENT, "192705178355")],
        {"class-one.recipients"},
    ),
    "a notification with a body in Latin-1": (
        lambda: [notification(RECIPIENT, old="RGV0dGEgw6RyIGV0dCBwcm92Lg==", new="5A==")],
        {"message.body-utf8"},
    ),
    "a notification to a thousand and one": (
        lambda: [notification(*[RECIPIENT] * 1001)],
        {"class-one.recipients"},
    ),
    "a forwarded Id that is not there": (lambda: [forwarded("m-2")], {"class-one.message-id"}),
    "forwarded to a wrong number": (lambda: [forwarded(recipient="192705178355")], {"class-one.recipients"}),
    "SignaturesOK false": (
        lambda: [
            delivered(
                signed(
                    (one := sealed())[: one.rindex(b"<Signature ")].replace(b">true<", b">false<")
                    + b"</SealedDelivery>",
                    DISPATCHER,
                )
            )
        ],
        {"seal.signatures-ok"},
    ),
    "received tomorrow": (
        lambda: [
            delivered(
                sealed(
                    one := signed(unsigned(), SENDER),
                    seal=seal_for(one, DISPATCHER, system_clock().date() + timedelta(days=2)),
                )
            )
        ],
        {"seal.received"},
    ),
    "the status before anything was sent": (lambda: [status("d-1")], {"status.known-id"}),
}
