"""The exceptions of mm-soap, and the one table from a refusal to its error code.

::

    MmSoapError
    ├── ConfigurationError   whoever runs this installation must change something
    ├── Refused              a request was refused; carries the Refusal and becomes a fault
    ├── UserSignatureError   a user's signature was refused; of mm_soap.user_signatures
    ├── TransportError       another party could not be reached or did not speak SOAP
    └── RemoteFault          another party answered with a fault

Exceptions of lxml, sqlalchemy, signxml and the standard library do not cross a party's public function.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

TECHNICAL_BELOW = 5000
"""Error codes below this are technical: the same call may be repeated later. Source: the contract's error codes."""


@dataclass(frozen=True)
class Reason:
    """What a refusal tells the caller.

    ``code`` is the contract's ErrorCode; ``text`` says in one sentence what is wrong and what to do. It never holds
    anything that the caller sent.
    """

    code: int
    text: str


class Refusal(Enum):
    """Why a request was refused. The member's value is what the caller is told."""

    UNEXPECTED = Reason(4000, "A technical error occurred. Repeat the same call later.")
    UNAVAILABLE = Reason(4000, "A system that is needed to answer is not available. Repeat the same call later.")

    MALFORMED_XML = Reason(5001, "The request is not well-formed XML in a supported encoding.")
    DOCTYPE = Reason(5001, "The request holds a document type declaration. Remove it.")
    NOT_SOAP = Reason(5001, "The request is not a SOAP 1.1 envelope with one Body that holds one element.")
    VERSION_MISMATCH = Reason(5001, "The envelope is not in the namespace of SOAP 1.1.")
    MUST_UNDERSTAND = Reason(5001, "The request has a SOAP header that must be understood and is not.")
    UNKNOWN_OPERATION = Reason(5001, "The element in the Body is not an operation of this service.")
    SCHEMA_VIOLATION = Reason(5001, "The request does not follow the schema.")
    RULE_BROKEN = Reason(5001, "The message breaks a rule for messages.")
    BAD_IDENTIFIER = Reason(5001, "An identifier is wrong: check its date and its check digit.")
    BAD_CHECKSUM = Reason(5001, "The Checksum of an attachment is not the MD5 of its decoded bytes, in hexadecimal.")
    ACTIVE_CONTENT = Reason(5001, "The HTML body has active or remote content. Remove it.")
    HTML_TOO_COMPLEX = Reason(5001, "The HTML body has too many tags, levels or attributes. Simplify it.")
    BODY_NOT_UTF8 = Reason(5001, "The body is not UTF-8 before base64. Write it anew in UTF-8.")
    TEXT_MISSING = Reason(5001, "A text that a message must have is empty.")
    TEXT_TOO_LONG = Reason(5001, "A text is longer than the rules for messages allow. Shorten it.")
    DUPLICATE_ID = Reason(5001, "Two messages of the delivery have the same Id. Give each its own.")
    BAD_FILENAME = Reason(5001, "A Filename is empty or has control characters.")
    REQUEST_CONTRADICTS = Reason(5001, "Values of the request contradict each other or the operation.")
    AGREEMENT_EMPTY = Reason(5001, "The AgreementText is empty: there is nothing that a signature could hold for.")
    NOT_IMPLEMENTED = Reason(5000, "This operation is not available in this release.")

    SENDER_TOO_FAST = Reason(
        4000, "More messages a second came from the sender than it may send here. Repeat the same call later."
    )
    SENDER_DAY_FULL = Reason(
        4000, "The sender has sent as many bytes today as it may send here. Repeat the same call after midnight UTC."
    )

    NOT_AUTHORISED = Reason(5002, "The caller may not do this.")
    SENDER_UNKNOWN = Reason(5002, "The sender is not connected. Register it before sending.")
    SIGNER_NOT_LISTED = Reason(5002, "The signer is neither the sender nor a dispatcher listed for the sender.")
    DISPATCHER_NOT_LISTED = Reason(5002, "This dispatcher is not listed in the register for the sender.")
    SEALER_NOT_DISPATCHER = Reason(5002, "The seal was made by an organisation that may not dispatch for the sender.")
    CERTIFICATE_UNKNOWN_ISSUER = Reason(5002, "The certificate was issued by an authority that is not trusted here.")
    CERTIFICATE_EXPIRED = Reason(5002, "The certificate has expired. Sign with a valid one.")
    CERTIFICATE_NOT_YET_VALID = Reason(5002, "The certificate is not valid yet. Check its dates and the clock.")
    CERTIFICATE_REVOKED = Reason(5002, "The certificate is revoked. Use another one, and make the call again.")
    CERTIFICATE_STATUS_UNKNOWN = Reason(
        4000, "Whether the certificate is revoked could not be found out. Repeat the same call later."
    )
    CERTIFICATE_WRONG_USAGE = Reason(5002, "The certificate's key may not be used for signatures (key usage).")
    CERTIFICATE_NO_ORGANISATION = Reason(
        5002, "The certificate names no organisation: the subject needs a serialNumber of 12 digits, beginning with 16."
    )
    CERTIFICATE_UNREADABLE = Reason(5002, "The certificate cannot be read.")
    CERTIFICATE_KEY_TYPE = Reason(5002, "The certificate's key is not an RSA key. Sign with an RSA key.")
    CERTIFICATE_WEAK_KEY = Reason(5002, "The certificate's RSA key is too short. Sign with a key of 2048 bits or more.")
    CERTIFICATE_PATH_INVALID = Reason(
        5002,
        "The path from the certificate to a trusted authority is not valid: an authority in it is out of its dates or "
        "may not issue, or a signature in it does not verify or is too weak.",
    )

    NOT_FOUND = Reason(5003, "No such record.")
    NOT_FINISHED = Reason(5004, "The delivery is not unpacked yet. Ask again later.")
    TOO_MANY = Reason(5005, "Too many identifiers in one call: at most 1000.")
    TOO_MANY_SIGNATURES = Reason(5005, "Too many signatures in one call: at most 100.")
    TOO_COMPLEX = Reason(5005, "The request has too many elements or attributes.")
    MORE_THAN_A_DAY = Reason(5005, "The message alone is larger than what the sender may send in a day here.")
    MESSAGE_TOO_LARGE = Reason(5005, "The message with its attachments is larger than is accepted.")

    SIGNATURE_MISSING = Reason(5006, "The XML signature is missing.")
    SIGNATURE_INVALID = Reason(5006, "The XML signature does not verify: the signed content was changed or re-written.")
    SIGNATURE_WIRE_NAME = Reason(
        5006,
        "The delivery was signed under the name by which it travels, and no operator could verify it. Sign it as a "
        "document with the root SignedDelivery.",
    )
    SIGNATURE_ALGORITHM = Reason(5006, "The XML signature uses an algorithm or a transform that is not accepted.")
    SIGNATURE_REFERENCE = Reason(5006, "The XML signature must have one reference, to the whole signed element.")
    SIGNATURE_NO_CERTIFICATE = Reason(5006, "The XML signature carries no certificate in KeyInfo/X509Data.")
    SIGNATURE_AMBIGUOUS = Reason(5006, "There must be one signature, as the last child of the signed element.")

    OBJECT_EXISTS = Reason(5007, "Such a record exists already.")

    ACCOUNT_ACTIVE = Reason(5009, "The recipient has an active account. Only changeServiceSupplier moves it.")
    ACCOUNT_PENDING = Reason(
        5009,
        "Another registration of this recipient waits for signatures: at another operator, or of another account type. "
        "Complete it, or abandon it with deletePendingAccountRequest.",
    )
    PERSON_UNDER_AGE = Reason(5009, "The person is under 18 and cannot have an account.")
    PERSON_DEAD = Reason(5009, "The population register says that the person is dead.")
    REGISTRATION_SIGNATURE = Reason(5010, "A user signature of the registration is not valid for the agreement text.")
    ACCOUNT_STATE = Reason(5011, "The account is in a state that does not allow this.")
    USER_SIGNATURE = Reason(5012, "A user signature is not valid for the agreement text.")

    COMPANY_REGISTER_AWAY = Reason(
        5018, "The company register could not be asked. Nothing was stored: call again later."
    )

    CONTENT_TYPE = Reason(5019, "The content type of a body or an attachment is not supported.")
    CONTENT_MISMATCH = Reason(5019, "The bytes of an attachment are not what its ContentType says.")

    COMPANY_FORM = Reason(6004, "Companies of this form are not served.")
    SIGNATORY_RULE = Reason(6005, "The company's signatory rule cannot be evaluated.")
    IDENTITY_PROTECTED = Reason(6006, "The answer would show a person whose identity may not be shown.")
    PERSON_UNKNOWN = Reason(6007, "No such person is in the population register.")
    NOT_SIGNATORY = Reason(6009, "One who signed is not a signatory, or may not sign any more.")

    @property
    def code(self) -> int:
        """The contract's ErrorCode."""
        reason: Reason = self.value
        return reason.code

    # Two refusals may share a code and, in principle, a text; an Enum would make the second an alias of the first.
    def __new__(cls, reason: Reason) -> Refusal:
        """Make each member its own, also where two tell the caller the same."""
        member = object.__new__(cls)
        member._value_ = reason
        return member


class MmSoapError(Exception):
    """The base of every exception that mm-soap raises on purpose."""


class ConfigurationError(MmSoapError):
    """The settings or files of this installation are wrong. The message says what to change."""


class Refused(MmSoapError):
    """A request was refused.

    Args:
        refusal: why; decides the error code.
        where: the place in the contract's terms, such as ``Message/Header/Subject``. Never anything that was sent.
    """

    def __init__(self, refusal: Refusal, where: str = "") -> None:
        super().__init__(refusal, where)
        self.refusal = refusal
        self.where = where

    @property
    def description(self) -> str:
        """The sentence for the caller."""
        return f"{self.refusal.value.text} ({self.where})" if self.where else self.refusal.value.text

    def __str__(self) -> str:
        return f"{self.refusal.name} {self.refusal.code}: {self.description}"


class TransportError(MmSoapError):
    """Another party could not be reached, or its answer was not SOAP. Always technical: the call may be repeated.

    The message names the cause without any content of the exchange.

    Args:
        message: the cause.
        perhaps_received: False where it is certain that the other party did not get the request: no connection came.
    """

    def __init__(self, message: str, *, perhaps_received: bool = True) -> None:
        super().__init__(message)
        self.perhaps_received = perhaps_received


class RemoteFault(MmSoapError):
    """Another party answered with a SOAP fault.

    Args:
        code: the ErrorCode of its applicationFault, or None for a fault without one.
        description: its Description, or the faultstring.
        call_id: its CallId, for a question to that party.
    """

    def __init__(self, code: int | None, description: str, call_id: str | None) -> None:
        super().__init__(code, description, call_id)
        self.code = code
        self.description = description
        self.call_id = call_id

    @property
    def technical(self) -> bool:
        """Whether the same call may be repeated later. A fault without a code counts as technical."""
        return self.code is None or self.code < TECHNICAL_BELOW

    def __str__(self) -> str:
        return f"fault {self.code if self.code is not None else 'without code'} (CallId {self.call_id or 'none'})"
