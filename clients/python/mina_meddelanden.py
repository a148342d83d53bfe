"""What the scripts share: connections, faults, and a signed delivery that reaches the dispatcher unchanged."""

import hashlib
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import zeep
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
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

SCHEMA = "http://minameddelanden.gov.se/schema"
MESSAGE_V1 = f"{SCHEMA}/Message"
MESSAGE_V2 = f"{SCHEMA}/Message/v2"
MESSAGE_V3 = f"{SCHEMA}/Message/v3"
SENDER = f"{SCHEMA}/Sender"
DSIG = "http://www.w3.org/2000/09/xmldsig#"

TRIES = 3

NOT_FINISHED = 5004
"""The ErrorCode of a delivery that is not unpacked yet: ask later."""

CONTENT_TYPES = {
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".dotx": "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
    ".ics": "text/calendar",
}
"""The attachments that a message may have."""


# Connections


def add_connection_options(parser: ArgumentParser) -> None:
    """Add the options that the three scripts have."""
    parser.add_argument("--endpoint", default="http://127.0.0.1:8080", help="where the services are, without the path")
    add_tls_options(parser)


def add_tls_options(parser: ArgumentParser) -> None:
    """Add the options of mutual TLS."""
    tls = parser.add_argument_group("mutual TLS, for an https endpoint")
    tls.add_argument("--client-certificate", help="PEM file: your organisation's certificate, then its intermediates")
    tls.add_argument("--client-key", help="PEM file: its private key, not encrypted")
    tls.add_argument("--ca", help="PEM file: the authorities that the server's certificate may come from")


class Service:
    """One SOAP service, called at the address that was given."""

    def __init__(self, options: Namespace, address: str, binding: str) -> None:
        session = requests.Session()
        if options.client_certificate:
            session.cert = (options.client_certificate, options.client_key or options.client_certificate)
        if options.ca:
            session.verify = options.ca
            # requests prefers these two variables to what the session says.
            os.environ.pop("REQUESTS_CA_BUNDLE", None)
            os.environ.pop("CURL_CA_BUNDLE", None)
        self._transport = _SplicingTransport(session=session, timeout=30, operation_timeout=60)
        # The address in a WSDL may be one that only its own network knows; zeep need not mend it.
        settings = zeep.Settings(force_https=False)
        self._client = zeep.Client(f"{address}?wsdl", transport=self._transport, settings=settings)
        self._operations = self._client.create_service(binding, address)

    def call(self, operation: str, **arguments: Any) -> Any:
        """Call an operation and return what it answers; a fault is raised as ``ApplicationFault``."""
        try:
            return self._operations[operation](**arguments)
        except zeep.exceptions.Fault as fault:
            raise self._application_fault(fault) from fault

    def call_with_signed(self, operation: str, argument: str, document: bytes) -> Any:
        """Call an operation whose one argument is a signed document, and send exactly the bytes that were signed."""
        # The schema has the root under another name than the one it was signed under; receivers know that.
        name = etree.fromstring(document).tag.rpartition("}")[2].encode()
        head, _, tail = document.replace(b"<" + name, b"<" + argument.encode(), 1).rpartition(b"</" + name)
        self._transport.spliced = head + b"</" + argument.encode() + tail
        try:
            return self.call(operation, **{argument: zeep.xsd.SkipValue})
        finally:
            self._transport.spliced = None

    def _application_fault(self, fault: zeep.exceptions.Fault) -> Exception:
        # What is not SOAP, such as the page of a proxy, is a fault to zeep, with the bytes of that page as its detail.
        if not isinstance(fault.detail, etree._Element) or not len(fault.detail):
            return fault
        types = self._client.wsdl.types
        detail = types.get_element(fault.detail[0].tag).parse(fault.detail[0], types)
        return ApplicationFault(detail.ErrorCode, detail.Description, detail.CallId)


def recipient_service(options: Namespace, address: str | None = None) -> Service:
    """Return the register's Recipient service: at this address, or at its path of the endpoint in the options."""
    address = address or options.endpoint.rstrip("/") + "/Recipient/v3"
    return Service(options, address, "{http://minameddelanden.gov.se/Recipient}RecipientBinding-v3")


def message_service(options: Namespace, address: str | None = None) -> Service:
    """Return a dispatcher's Message service: at this address, or at its path of the endpoint in the options."""
    address = address or options.endpoint.rstrip("/") + "/Message/v3"
    return Service(options, address, "{http://minameddelanden.gov.se/Message}MessageBinding-v3")


def reachable(status: Any) -> bool:
    """Return whether a message from this sender would reach the recipient's mailbox."""
    # A pending account waits for signatures and has no mailbox yet.
    account = status.AccountStatus
    return account.Type == "Secure" and not account.Pending and status.SenderAccepted


def distribute(dispatcher: Service, document: bytes) -> str:
    """Hand over a signed delivery and return its distribution id."""
    for tried in range(1, TRIES):
        try:
            return dispatcher.call_with_signed("distributeSecure", "signedDelivery", document)
        except (requests.ConnectionError, requests.Timeout):
            # Nobody knows whether it arrived. The same bytes again are safe: the dispatcher knows them, and gives the
            # same id. Signed anew, they would be a second message.
            time.sleep(tried)
    return dispatcher.call_with_signed("distributeSecure", "signedDelivery", document)


class _SplicingTransport(zeep.Transport):
    """Puts signed bytes into the request as they are.

    zeep would write the element anew, with prefixes of its own, and lxml does so when an element moves to another tree.
    The receiver would then compute another digest than the one that was signed.
    """

    spliced: bytes | None = None

    def post_xml(self, address: str, envelope: Any, headers: dict[str, str]) -> Any:
        if self.spliced is None:
            return super().post_xml(address, envelope, headers)
        place = f"the signed document goes here {uuid4()}"
        envelope.find("{*}Body")[0].text = place
        request = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
        return self.post(address, request.replace(place.encode(), self.spliced), headers)


class ApplicationFault(Exception):
    """The service refused. Below 5000 the same call may be repeated later; from 5000 on, change something first."""

    def __init__(self, code: int, description: str, call_id: str) -> None:
        super().__init__(f"{code}: {description} (CallId {call_id})")
        self.code = code
        self.description = description
        self.call_id = call_id


def run(main: Callable[[], int]) -> None:
    """Run a script: errors become one line, and an exit status of 1."""
    try:
        sys.exit(main())
    except ApplicationFault as fault:
        sys.exit(f"Refused with {fault}")
    except (OSError, ValueError, zeep.exceptions.Error) as error:  # those of requests are OSErrors
        sys.exit(f"{type(error).__name__}: {error}")


# Signed deliveries


@dataclass(frozen=True)
class Signer:
    """The certificate and key of the sender, or of a dispatcher that the register lists for it."""

    certificate: x509.Certificate
    key: RSAPrivateKey

    @classmethod
    def load(cls, certificate: Path, key: Path) -> "Signer":
        """Read the two PEM files; the first certificate of the file is the signer's own."""
        signer = cls(
            x509.load_pem_x509_certificates(certificate.read_bytes())[0],
            load_pem_private_key(key.read_bytes(), password=None),
        )
        if signer.key.public_key() != signer.certificate.public_key():
            raise ValueError(f"the key in {key} does not belong to the certificate in {certificate}")
        return signer

    @property
    def organisation(self) -> str:
        """The organisation number: 12 digits that begin with 16, the subject's serialNumber."""
        return self._subject(NameOID.SERIAL_NUMBER)

    @property
    def name(self) -> str:
        """The organisation's name."""
        return self._subject(NameOID.ORGANIZATION_NAME)

    def _subject(self, oid: x509.ObjectIdentifier) -> str:
        values = self.certificate.subject.get_attributes_for_oid(oid)
        if not values:
            raise ValueError(f"the subject of the certificate has no {oid._name}")
        return str(values[0].value)


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message."""

    filename: str
    content_type: str
    content: bytes

    @classmethod
    def read(cls, path: Path) -> "Attachment":
        """Read a file; its name says what it is."""
        content_type = CONTENT_TYPES.get(path.suffix.lower())
        if content_type is None:
            raise ValueError(f"{path.name} cannot be attached: use one of {', '.join(CONTENT_TYPES)}")
        return cls(path.name, content_type, path.read_bytes())


def build_delivery(
    sender: tuple[str, str], recipient: str, subject: str, text: str, attachments: Iterable[Attachment] = ()
) -> etree._Element:
    """Return a SignedDelivery of version 3 that waits for its signature.

    Every element is in a default namespace, and none has a prefix. In that form all ways of computing a digest agree.
    """
    root = etree.Element(f"{{{MESSAGE_V3}}}SignedDelivery", nsmap={None: MESSAGE_V3})
    delivery = _add(root, MESSAGE_V3, "Delivery")
    header = _add(delivery, MESSAGE_V3, "Header")
    party = _add(header, MESSAGE_V2, "Sender")
    _add(party, SENDER, "Id", sender[0])
    _add(party, SENDER, "Name", sender[1])
    _add(header, MESSAGE_V2, "Recipient", recipient)
    message = _add(delivery, MESSAGE_V3, "Message")
    header = _add(message, MESSAGE_V3, "Header")
    _add(header, MESSAGE_V3, "Id", str(uuid4()))  # the sender's own, and never the same again
    _add(header, MESSAGE_V3, "Subject", subject)
    _add(_add(header, MESSAGE_V3, "Supportinfo"), MESSAGE_V3, "Text", "")
    _add(header, MESSAGE_V3, "Language", "svSE")
    body = _add(message, MESSAGE_V3, "Body")
    _add(body, MESSAGE_V1, "ContentType", "text/plain")
    _add(body, MESSAGE_V1, "Body", b64encode(text.encode("utf-8")).decode())
    for file in attachments:
        attachment = _add(message, MESSAGE_V3, "Attachment")
        _add(attachment, MESSAGE_V1, "ContentType", file.content_type)
        _add(attachment, MESSAGE_V1, "Body", b64encode(file.content).decode())
        # The checksum finds damage, not forgery: the signature does that. The contract wants MD5.
        _add(attachment, MESSAGE_V1, "Checksum", hashlib.md5(file.content, usedforsecurity=False).hexdigest())
        _add(attachment, MESSAGE_V1, "Filename", file.filename)
    return root


def sign(document: etree._Element, signer: Signer) -> bytes:
    """Sign a document as its last child; return its bytes. From here on nothing may write the XML anew."""
    xml_signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    xml_signer.namespaces = {None: DSIG}  # a Signature without a prefix, like the rest
    key_info = etree.Element(f"{{{DSIG}}}KeyInfo", nsmap={None: DSIG})
    data = _add(key_info, DSIG, "X509Data")
    _add(data, DSIG, "X509SubjectName", signer.certificate.subject.rfc4514_string())
    _add(data, DSIG, "X509Certificate", b64encode(signer.certificate.public_bytes(Encoding.DER)).decode())
    # Without a reference_uri the URI is "": the whole document. One transform, enveloped-signature, is all that every
    # receiver accepts.
    signed = xml_signer.sign(document, key=signer.key, key_info=key_info, exclude_c14n_transform_element=True)
    return etree.tostring(signed)


def _add(parent: etree._Element, namespace: str, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}", nsmap={None: namespace})
    element.text = text
    return element
