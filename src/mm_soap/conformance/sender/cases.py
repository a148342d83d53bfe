"""The rules that a sender is judged by, each with its source, a remedy, and what to send so that it can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from mm_soap.conformance.sender.model import Heard

_WIRE: Final = "wire.md, Stacks that consume all five WSDLs"
_SOAP: Final = "SOAP 1.1, Envelope"
_SERVICES: Final = "services.md"
_SIGNING: Final = "signing.md"
_WHO: Final = f"{_SIGNING}, Who signs what"
_INPUT: Final = f"{_SIGNING}, The digest input"
_PROVES: Final = f"{_SIGNING}, What a signature does not prove"
_ALGORITHMS: Final = f"{_SIGNING}, Algorithms"
_MESSAGES: Final = "messages.md"
_IDENTIFIERS: Final = f"{_MESSAGES}, Identifiers"
_REPEATS: Final = "design.md, How a message travels"
_ERRORS: Final = "errors.md"
_STATUS: Final = f"{_SERVICES}, Message, checkDistributionStatus"

_ANY: Final = "Call any operation."
_MESSAGE: Final = "Send a message."
_ATTACHMENT: Final = "Send a message with an attachment."
_SIGNED: Final = "Send a signed delivery, by distributeSecure or deliverSecure."
_SEALED: Final = "As a dispatcher, hand over a sealed delivery by deliverSecure."
_ONE_STRING: Final = "Write the signed bytes into the request as they are, and do not write the document anew."

_HTTP: Final = (
    ("http.path", "A call goes to the address in the WSDL.", _WIRE, "Take the address from the WSDL.", _ANY),
    ("http.method", "A call is a POST.", _WIRE, "Send the request by POST.", _ANY),
    ("http.content-type", "The Content-Type is text/xml, with a charset that is known or none.", _WIRE,
     "Send Content-Type: text/xml; charset=utf-8, and no attachments in MIME parts.", _ANY),
    ("http.soap-action", "SOAPAction is absent or in quotation marks.", _WIRE, 'Send SOAPAction: "".', _ANY),
    ("http.not-compressed", "The request is not compressed.", f"{_ERRORS}, 415", "Send no Content-Encoding.", _ANY),
    ("http.length", "The request has a length, and arrives whole.", f"{_ERRORS}, 411",
     "Send Content-Length, or chunks to the end.", _ANY),
    ("envelope.encoding", "The bytes are in the encoding that is declared.", _WIRE,
     "Write UTF-8, and declare nothing else.", _ANY),
    ("envelope.well-formed", "The request is well-formed XML.", f"{_ERRORS}, 5001",
     "Write the request by an XML library.", _ANY),
    ("envelope.doctype", "The request has no document type declaration.", f"{_ERRORS}, 5001",
     "Remove the DOCTYPE.", _ANY),
    ("envelope.size", "The request has no more markup than a message needs.", f"{_ERRORS}, 5005",
     "Send fewer elements and attributes in one request.", _ANY),
    ("envelope.version", "The envelope is that of SOAP 1.1.", _SOAP,
     "Use SOAP 1.1: http://schemas.xmlsoap.org/soap/envelope/.", _ANY),
    ("envelope.body", "The envelope has one Body, and that holds one element.", _PROVES,
     "Put the element of the operation into the Body, and nothing beside it.", _ANY),
    ("envelope.must-understand", "No header must be understood.", _SOAP,
     "Send no header with mustUnderstand: none is known in this contract.", _ANY),
    ("operation.known", "The element in the Body is an operation of the service that is called.", _SERVICES,
     "Write the operation's element by the name and namespace of the WSDL, to the address of its service.", _ANY),
)  # fmt: skip

_SCHEMA: Final = (
    ("schema.namespaces", "Every element is in its namespace.", f"{_MESSAGES}, Namespaces",
     "Give the element the namespace that the schema has for it; several are mixed.", _ANY),
    ("schema.structure", "No element or attribute is missing, unknown or out of order.", "the schema",
     "Compare the element with the schema: names, order and number.", _ANY),
    ("schema.values", "Every value follows its type.", "the schema",
     "Change the value so that it follows its type.", _ANY),
)  # fmt: skip

_CERTIFICATES: Final = (
    ("issuer", "The certificate was issued by a trusted authority.", f"{_ERRORS}, 5002",
     "Sign with the certificate that you are connected with, and put its intermediates into X509Data.", _SIGNED),
    ("dates", "The certificate is within its dates.", f"{_ERRORS}, 5002", "Sign with a valid certificate.", _SIGNED),
    ("key", "The certificate's key is RSA of 2048 bits or more, and may sign.", _ALGORITHMS,
     "Sign with an RSA key of 2048 bits or more whose usage allows signatures.", _SIGNED),
    ("organisation", "The certificate names an organisation: serialNumber, 12 digits that begin with 16.",
     f"{_SERVICES}, Parties", "Sign with a certificate of an organisation.", _SIGNED),
    ("signer", "The signer is the sender, or a dispatcher listed for it.", _WHO,
     "Sign with the certificate of Header/Sender/Id, or of a dispatcher that is listed for it.", _SIGNED),
)  # fmt: skip


def _signature(group: str, what: str, root: str, attempt: str) -> Iterator[tuple[str, str, str, str, str]]:
    rows = (
        ("present", f"The {what} is signed by an XML signature of its own.", _PROVES,
         f"Put an enveloped ds:Signature into {root}, not one of WS-Security into the header."),
        ("place", f"There is one signature, as the last child of {root}.", _PROVES,
         f"Put one Signature at the end of {root}, a direct child of it."),
        ("reference", f"One Reference, to the whole {root}.", _ALGORITHMS,
         'Write one Reference with URI="" and nothing but SignedInfo, SignatureValue and KeyInfo.'),
        ("algorithm", "SignatureMethod, DigestMethod and canonicalisation are accepted ones.", _ALGORITHMS,
         "Sign with RSA-SHA256, digest SHA-256 and exclusive canonicalisation."),
        ("transforms", "The transforms are enveloped-signature and at most one canonicalisation.", _ALGORITHMS,
         "Write the one transform enveloped-signature."),
        ("certificate", "KeyInfo holds the certificate in X509Data.", _ALGORITHMS,
         "Put the certificate into KeyInfo/X509Data/X509Certificate."),
        ("root", f"The name of the root that was signed is {root}.", _INPUT,
         f"Sign the document with the root {root} of Message/v3; only on the wire it has another name."),
        ("prefixes", "What was hashed has no prefixes.", _INPUT,
         "Sign the document in default-namespace form, without xmlns:p, the Signature too."),
        ("white-space", "White space between elements is as it was signed.", _INPUT, _ONE_STRING),
        ("alone", "The document was signed standing alone, outside its envelope.", _INPUT,
         f"Sign {root} as a document of its own, and only then put it into the envelope."),
        ("method", "The algorithms written are those that were used.", _ALGORITHMS,
         "Write the SignatureMethod and the DigestMethod that the library used."),
        ("value", "SignatureValue is made with the key of the certificate over SignedInfo.", _ALGORITHMS,
         "Sign with the key that belongs to the certificate in KeyInfo, and leave SignedInfo as it was signed."),
        ("content", "The content is what was signed.", _INPUT,
         f"{_ONE_STRING} Hash only after the last change."),
    )  # fmt: skip
    return ((f"{group}.{name}", *rest, attempt) for name, *rest in rows)  # type: ignore[misc]


_SEAL: Final = (
    ("seal.dispatcher", "The sealer is a dispatcher for the sender, or the sender itself.", _WHO,
     "Seal with the certificate of a dispatcher that is listed for the sender.", _SEALED),
    ("seal.signatures-ok", "SignaturesOK is true.", _WHO,
     "Verify the sender's signature, and seal nothing that does not verify.", _SEALED),
    ("seal.received", "ReceivedTime is no day to come.", _WHO,
     "Write the day on which the delivery came.", _SEALED),
)  # fmt: skip

_CONTENT: Final = (
    ("message.recipient", "A secure delivery has exactly one recipient.", f"{_MESSAGES}, recipients",
     "Make a delivery for each recipient.", _MESSAGE),
    ("message.identifiers", "Sender and recipient are numbers of 12 digits with a right check digit.", _IDENTIFIERS,
     "Check date and check digit before sending.", _MESSAGE),
    ("message.ids", "Messages of one delivery have different Ids.", f"{_MESSAGES}, MessageHeader.Id",
     "Give each message a UUID of its own.", "Send a delivery with two messages."),
    ("message.texts", "No text that must be there is empty, and none is too long.", _MESSAGES,
     "Shorten the text, or write it.", _MESSAGE),
    ("message.values", "Language, Reply, URL, EmailAdress and MatterStatus have a form that is allowed.", _MESSAGES,
     "Write a value of the contract.", _MESSAGE),
    ("message.size", "A message with its attachments is within the limit, in decoded bytes.", f"{_MESSAGES}, size",
     "Make the message smaller: 2 097 152 bytes.", _MESSAGE),
    ("message.body-type", "The body is text/plain or text/html.", f"{_MESSAGES}, body",
     "Write ContentType text/plain or text/html, UTF-8.", _MESSAGE),
    ("message.body-utf8", "The body is UTF-8 before base64.", f"{_MESSAGES}, body",
     "Encode the text as UTF-8.", _MESSAGE),
    ("message.html", "An HTML body has no active or remote content.", f"{_MESSAGES}, body",
     "Remove scripts, forms and what would be fetched; images may be data URIs.", "Send a message with an HTML body."),
    ("attachment.type", "An attachment is of an accepted type.", f"{_MESSAGES}, attachments",
     "Attach PDF, Word or calendar files.", _ATTACHMENT),
    ("attachment.bytes", "The bytes of an attachment are what its ContentType says.", f"{_MESSAGES}, attachments",
     "Write the type that the file has.", _ATTACHMENT),
    ("attachment.filename", "Filename is there, and has no control characters.", f"{_MESSAGES}, Filename",
     "Write the original name of the file.", _ATTACHMENT),
    ("attachment.checksum", "Checksum is the MD5 of the decoded bytes, in hexadecimal.", f"{_MESSAGES}, checksum",
     "Compute MD5 over the file itself, not over its base64.", _ATTACHMENT),
    ("class-one.recipients", "A notification or a forwarded delivery has 1 to 1000 recipients with right numbers.",
     f"{_MESSAGES}, recipients", "Split the call, and check each number.",
     "Call Notification.distribute or Service.notify for several recipients."),
    ("class-one.message-id", "MessageIdToForward is the Id of a message in the original delivery.",
     f"{_SERVICES}, Service, deliverForward", "Write an Id of the original, or leave the element out to forward all.",
     "Call Service.deliverForward with MessageIdToForward."),
)  # fmt: skip

_CALLS: Final = (
    ("calls.id-unique", "A message Id belongs to one delivery for ever.", f"{_MESSAGES}, MessageHeader.Id",
     "Make a new UUID for each message.", "Send two messages."),
    ("calls.caller", "The client certificate is of the sender or of a dispatcher.",
     f"{_SERVICES}, Message and Notification",
     "Call with the certificate of the sender, or of a dispatcher that is listed for it.",
     "Listen with TLS and client_trust in the plan, and call with a client certificate."),
    ("retry.happens", "A call that got no answer or a technical fault is repeated.", f"{_ERRORS}, technical codes",
     "Repeat the call after a while: below 5000, and where no answer came.",
     "Listen with --first lost or --first technical."),
    ("retry.same-bytes", "A repeated delivery has the same signed bytes.", _REPEATS,
     "Keep the signed document and send it again as it is; sign nothing anew.",
     "Listen with --first lost or --first technical, and repeat the call."),
    ("retry.not-after-refusal", "What was refused is not sent again unchanged.", f"{_ERRORS}, codes from 5000",
     "Stop on a code from 5000 on, and change what it names.", "Listen with --first refused, and send two messages."),
    ("status.known-id", "The status is asked for an id that was answered to this sender.", _STATUS,
     "Keep the id from the answer of distributeSecure or distribute, and ask with the same sender.",
     "Ask checkDistributionStatus for a delivery that was accepted."),
    ("status.asks-again", "After fault 5004 the status is asked again.", f"{_ERRORS}, 5004",
     "Treat 5004 as not yet, wait, and ask again.", "Ask checkDistributionStatus until the delivery has ended."),
    ("status.followed", "The status of each accepted delivery is asked for.", _STATUS,
     "Ask until each delivery has ended: paper and failed deliveries are the sender's to handle.",
     "Ask checkDistributionStatus for each delivery that was accepted."),
)  # fmt: skip


def _all() -> Iterator[tuple[str, str, str, str, str]]:
    yield from _HTTP
    yield from _SCHEMA
    yield from _signature("signature", "delivery", "SignedDelivery", _SIGNED)
    for name, *rest in _CERTIFICATES:
        yield f"certificate.{name}", *rest  # type: ignore[misc]
    yield from _signature("seal", "sealed delivery", "SealedDelivery", _SEALED)
    for name, title, rule, remedy, _ in _CERTIFICATES[:-1]:
        yield f"seal.{name}", title.replace("The certificate", "The sealer's certificate"), rule, remedy, _SEALED
    yield from _SEAL
    yield from _CONTENT
    yield from _CALLS


def _nothing(_: None) -> None:
    """A sender is judged by what it does, and not by calls."""


CASES: Final[Mapping[str, Heard]] = MappingProxyType(
    {
        name: Heard(f"sender.{name}", title, rule, remedy, _nothing, attempt=attempt)
        for name, title, rule, remedy, attempt in _all()
    }
)
"""By name without the role, in the order of the report."""
