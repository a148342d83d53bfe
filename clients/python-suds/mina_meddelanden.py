"""Services of Mina meddelanden through suds, and deliveries that signxml signs. To be copied."""

import hashlib
import time
from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

import suds
import suds.client
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner
from suds.plugin import MessagePlugin

SCHEMA = "http://minameddelanden.gov.se/schema"
MESSAGE_V1 = f"{SCHEMA}/Message"
MESSAGE_V2 = f"{SCHEMA}/Message/v2"
MESSAGE_V3 = f"{SCHEMA}/Message/v3"
SENDER = f"{SCHEMA}/Sender"
DSIG = "http://www.w3.org/2000/09/xmldsig#"

ANSWER_SECONDS = 60
TRIES = 3

NOT_FINISHED = 5004
"""The ErrorCode of a delivery that the dispatcher has not unpacked yet: ask later."""


# Connections


def service(address: str, *plugins: MessagePlugin) -> suds.client.Client:
    """Return a client for the service at this address, made from the WSDL that the service shows there."""
    return suds.client.Client(
        f"{address}?wsdl",
        location=address,  # The address in a WSDL may be one that only the server's own network knows.
        timeout=ANSWER_SECONDS,
        cache=None,  # By itself suds keeps a day-old WSDL in the directory for temporary files, as pickles.
        plugins=plugins,
    )


def application_fault(fault: suds.WebFault) -> Any:
    """Return the typed detail of a fault (ErrorCode, Description, CallId), or None where the service sent none."""
    detail = getattr(fault.fault, "detail", None)
    return getattr(detail, "applicationFault", None)


def reachable(status: Any) -> bool:
    """Return whether a message from the sender that was asked for would reach the recipient's mailbox."""
    # A pending account waits for signatures and has no mailbox yet.
    account = status.AccountStatus
    return account.Type == "Secure" and not account.Pending and status.SenderAccepted


def distribute_secure(address: str, signed_delivery: bytes) -> str:
    """Hand a signed delivery to the dispatcher and return the distribution id."""
    dispatcher = service(address, _SignedRequest(signed_delivery))
    for tried in range(1, TRIES):
        try:
            return dispatcher.service.distributeSecure()
        except suds.WebFault:
            raise
        except Exception:  # suds has no narrower class for an HTTP error, and passes on those of urllib and the parser
            # Nobody knows whether the delivery arrived. The same bytes again are safe: the dispatcher knows them, and
            # gives the same id. Signed anew, they would be a second message.
            time.sleep(tried)
    return dispatcher.service.distributeSecure()


class _SignedRequest(MessagePlugin):
    """Sends a request that holds exactly the bytes that were signed, instead of what suds would write."""

    def __init__(self, signed_delivery: bytes) -> None:
        # The root is signed as SignedDelivery and travels as signedDelivery; receivers know that. The Signature is the
        # last child, so the end tag of the root is the last thing in the document.
        inside = signed_delivery.removeprefix(b"<SignedDelivery").removesuffix(b"</SignedDelivery>")
        self.request = (
            b'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
            b'<distributeSecure xmlns="%b"><signedDelivery%b</signedDelivery></distributeSecure>'
            b"</soap:Body></soap:Envelope>"
        ) % (MESSAGE_V3.encode(), inside)

    def sending(self, context: Any) -> None:
        context.envelope = self.request


def follow_delivery(address: str, sender: str, distribution_id: str, seconds: float) -> str:
    """Return the last status of a delivery, asking again until it has ended or the seconds are over.

    It is Delivered, DeliveryFailed, Pending, or, where there is no mailbox to deliver to, the type Paper or Not.
    """
    dispatcher = service(address)
    stop_at = time.monotonic() + seconds
    while True:
        try:
            # A secure delivery has one recipient.
            [status] = dispatcher.service.checkDistributionStatus(senderId=sender, distributionId=distribution_id)
            said = getattr(status, "DeliveryStatus", None) or status.Type
            if said != "Pending" or time.monotonic() >= stop_at:
                return said
        except suds.WebFault as fault:
            typed = application_fault(fault)
            # The detail is decoded without its schema: the code is a string.
            if not typed or int(typed.ErrorCode) != NOT_FINISHED or time.monotonic() >= stop_at:
                raise
        time.sleep(1)


# Signed deliveries


def build_delivery(
    certificate: x509.Certificate, recipient: str, subject: str, text: bytes, pdf: Path
) -> etree._Element:
    """Return an unsigned SignedDelivery from the organisation in the certificate.

    Every element is in a default namespace, and none has a prefix. In that form all ways of computing a digest agree.
    """
    root = etree.Element(f"{{{MESSAGE_V3}}}SignedDelivery", nsmap={None: MESSAGE_V3})
    delivery = _add(root, MESSAGE_V3, "Delivery")
    header = _add(delivery, MESSAGE_V3, "Header")
    party = _add(header, MESSAGE_V2, "Sender")
    _add(party, SENDER, "Id", _subject(certificate, NameOID.SERIAL_NUMBER))
    _add(party, SENDER, "Name", _subject(certificate, NameOID.ORGANIZATION_NAME))
    _add(header, MESSAGE_V2, "Recipient", recipient)
    message = _add(delivery, MESSAGE_V3, "Message")
    header = _add(message, MESSAGE_V3, "Header")
    _add(header, MESSAGE_V3, "Id", str(uuid4()))  # the sender's own, and never the same again
    _add(header, MESSAGE_V3, "Subject", subject)
    _add(_add(header, MESSAGE_V3, "Supportinfo"), MESSAGE_V3, "Text", "Kontakta oss om du har frågor.")
    _add(header, MESSAGE_V3, "Language", "svSE")
    body = _add(message, MESSAGE_V3, "Body")
    _add(body, MESSAGE_V1, "ContentType", "text/plain")
    _add(body, MESSAGE_V1, "Body", b64encode(text).decode())
    attachment = _add(message, MESSAGE_V3, "Attachment")
    content = pdf.read_bytes()
    _add(attachment, MESSAGE_V1, "ContentType", "application/pdf")
    _add(attachment, MESSAGE_V1, "Body", b64encode(content).decode())
    # The checksum finds damage, not forgery: the signature does that. The contract wants MD5.
    _add(attachment, MESSAGE_V1, "Checksum", hashlib.md5(content, usedforsecurity=False).hexdigest())
    _add(attachment, MESSAGE_V1, "Filename", pdf.name)
    return root


def sign(delivery: etree._Element, certificate: x509.Certificate, key_pem: bytes) -> bytes:
    """Sign a delivery and return its bytes. From here on nothing may write the XML anew."""
    key = load_pem_private_key(key_pem, password=None)
    if key.public_key() != certificate.public_key():
        raise ValueError("the key does not belong to the certificate")
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signer.namespaces = {None: DSIG}  # a Signature without a prefix, like the rest
    key_info = etree.Element(f"{{{DSIG}}}KeyInfo", nsmap={None: DSIG})
    data = _add(key_info, DSIG, "X509Data")
    _add(data, DSIG, "X509SubjectName", certificate.subject.rfc4514_string())
    _add(data, DSIG, "X509Certificate", b64encode(certificate.public_bytes(Encoding.DER)).decode())
    # Without a reference_uri the URI is "": the whole document. One transform, enveloped-signature, is all that every
    # receiver accepts.
    signed = signer.sign(delivery, key=key, key_info=key_info, exclude_c14n_transform_element=True)
    return etree.tostring(signed)


def _subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    [attribute] = certificate.subject.get_attributes_for_oid(oid)
    return str(attribute.value)


def _add(parent: etree._Element, namespace: str, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}", nsmap={None: namespace})
    element.text = text
    return element
