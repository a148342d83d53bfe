"""Where each rule comes from, and what to do where it is broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mm_soap.errors import Refusal

_SIGNING_DIGEST: Final = "signing.md, The digest input"
_SIGNING_ALGORITHMS: Final = "signing.md, Algorithms"
_SIGNING_PROOF: Final = "signing.md, What a signature does not prove"
_CERTIFICATES: Final = "services.md, Parties"
_MESSAGES: Final = "messages.md, How a message must look"
_IDENTIFIERS: Final = "messages.md, Identifiers"
_ENVELOPES: Final = "errors.md, 5001; SOAP 1.1, section 4"
_AUTHORITY: Final = "services.md, Authority"
_ERRORS: Final = "errors.md"

_RULES: Final[Mapping[Refusal, str]] = {
    Refusal.SIGNATURE_ALGORITHM: _SIGNING_ALGORITHMS,
    Refusal.SIGNATURE_INVALID: _SIGNING_DIGEST,
    Refusal.SIGNATURE_MISSING: "errors.md, 5006",
    Refusal.SIGNATURE_REFERENCE: _SIGNING_PROOF,
    Refusal.SIGNATURE_AMBIGUOUS: _SIGNING_PROOF,
    Refusal.SIGNATURE_NO_CERTIFICATE: _SIGNING_ALGORITHMS,
    Refusal.BAD_IDENTIFIER: _IDENTIFIERS,
    Refusal.SENDER_UNKNOWN: _AUTHORITY,
    Refusal.SIGNER_NOT_LISTED: _AUTHORITY,
    Refusal.DISPATCHER_NOT_LISTED: _AUTHORITY,
    Refusal.SCHEMA_VIOLATION: "xsd and wsdl, as served at ?wsdl",
}

_REMEDIES: Final[Mapping[Refusal, str]] = {
    Refusal.MALFORMED_XML: "Write the request with an XML library, in the charset that Content-Type names.",
    Refusal.NOT_SOAP: "Put exactly one element, the operation, into soap:Body, with no text around it.",
    Refusal.VERSION_MISMATCH: "Send SOAP 1.1: the namespace http://schemas.xmlsoap.org/soap/envelope/ and text/xml.",
    Refusal.MUST_UNDERSTAND: "Leave the header out, such as one of WS-Security: only the message itself is signed.",
    Refusal.UNKNOWN_OPERATION: "Generate the client anew from ?wsdl, or check the operation's namespace.",
    Refusal.SCHEMA_VIOLATION: "Correct what stands below; the schema is served with ?wsdl.",
    Refusal.SIGNATURE_MISSING: "Sign the SignedDelivery, with the Signature as its last child.",
    Refusal.SIGNATURE_INVALID: "Sign last, and change nothing after it: no indentation, no new prefixes. Compare the "
    "bytes that were hashed with those that were sent.",
    Refusal.SIGNATURE_ALGORITHM: "Sign with RSA-SHA256 and SHA-256, with the transform enveloped-signature and one "
    "canonicalisation without comments.",
    Refusal.SIGNATURE_REFERENCE: 'Write one Reference, with URI="" or the Id of the signed element.',
    Refusal.SIGNATURE_AMBIGUOUS: "Leave one Signature, as the last child of the signed element.",
    Refusal.SIGNATURE_NO_CERTIFICATE: "Put the signer's certificate into KeyInfo/X509Data/X509Certificate.",
    Refusal.CERTIFICATE_UNKNOWN_ISSUER: "Sign with a certificate of this test bed: see Get a certificate.",
    Refusal.SENDER_UNKNOWN: "Request a certificate here for the Sender's number: that registers it.",
    Refusal.SIGNER_NOT_LISTED: "Write the number of the certificate into Header/Sender/Id, or sign with the sender's.",
    Refusal.BAD_IDENTIFIER: "Write 12 digits; the last one is the Luhn digit over the ten digits before and with it.",
    Refusal.BAD_CHECKSUM: "Compute the MD5 over the file's own bytes, before base64, and write it in hexadecimal.",
    Refusal.CONTENT_MISMATCH: "Write the type that the file is, or attach the file that the type says.",
    Refusal.CONTENT_TYPE: "Use text/plain or text/html for a body, and PDF, Word or calendar files as attachments.",
    Refusal.MESSAGE_TOO_LARGE: "Send at most 2 097 152 decoded bytes in a message, attachments included.",
    Refusal.UNEXPECTED: "Send the same again in a moment: the fault is the server's.",
    Refusal.UNAVAILABLE: "Send the same again in a moment.",
}

_HTTP: Final = {
    400: "Send a whole HTTP request, with a Content-Length that is right.",
    404: "Send to the address that stands in the WSDL: /Message/v3, in exactly these letters.",
    405: "Send a SOAP request by POST.",
    408: "Send the whole body at once.",
    411: "Send a Content-Length, or chunks.",
    413: "Send less: a message has at most 2 097 152 decoded bytes.",
    415: "Send Content-Type: text/xml; charset=utf-8, not compressed: SOAP 1.1, not 1.2 and not multipart.",
}


def rule_of(refusal: Refusal) -> str:
    """Return the section of the contract that a refusal comes from."""
    name = str(refusal.name)
    if refusal in _RULES:
        return _RULES[refusal]
    if name.startswith("CERTIFICATE"):
        return _CERTIFICATES
    if refusal.code == Refusal.MALFORMED_XML.code and refusal in _ENVELOPE:
        return _ENVELOPES
    return _ERRORS if refusal.code < Refusal.NOT_IMPLEMENTED.code else _MESSAGES


_ENVELOPE: Final = frozenset(
    {
        Refusal.MALFORMED_XML,
        Refusal.DOCTYPE,
        Refusal.NOT_SOAP,
        Refusal.VERSION_MISMATCH,
        Refusal.MUST_UNDERSTAND,
        Refusal.UNKNOWN_OPERATION,
    }
)


def remedy_of(refusal: Refusal) -> str:
    """Return what to do about a refusal, in one sentence; its own text where that says it already."""
    return _REMEDIES.get(refusal, refusal.value.text)


def http_remedy(status: int) -> str:
    """Return what to do about an HTTP error."""
    return _HTTP.get(status, "Compare the request with the one of a client in clients/.")
