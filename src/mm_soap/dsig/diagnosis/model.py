"""What a diagnosis finds: causes, each with its remedy, and the bytes that were compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lxml import etree


class Kind(Enum):
    """What a cause is about."""

    PLACE = "where the Signature stands"
    SHAPE = "what the Signature is made of, and what it refers to"
    ALGORITHM = "an algorithm that is not accepted"
    WHITE_SPACE = "white space and line ends, changed after signing"
    TEXT = "texts: their encoding, escapes, comments"
    ROOT = "the name that the root had when it was signed"
    PREFIXES = "other prefixes than were signed"
    ENVELOPE = "namespaces that were declared around what was signed"
    PART = "another part than was to be signed"
    METHOD = "another way to compute than is written"
    CONTENT = "a change of the content, or what has no explanation"
    VALUE = "SignatureValue, its key and its certificate"


class Cause(Enum):
    """Why a signature does not hold: of which kind that is, and the remedy in one sentence."""

    def __init__(self, kind: Kind, remedy: str) -> None:
        self.kind = kind
        self.remedy = remedy

    # Where the signature stands, and how it is made up.
    NOT_SIGNED = (Kind.PLACE, "Sign it: there is no Signature in the namespace of XML-DSig anywhere.")
    SIGNATURE_ELSEWHERE = (
        Kind.PLACE,
        "Put the Signature into the signed element, as its last child; here it stands elsewhere.",
    )
    WS_SECURITY = (
        Kind.PLACE,
        "Sign the delivery itself; a WS-Security signature of the envelope is not what is asked for.",
    )
    SIGNATURE_NAMESPACE = (Kind.PLACE, "Give the Signature the namespace http://www.w3.org/2000/09/xmldsig#.")
    SEVERAL_SIGNATURES = (Kind.PLACE, "Leave one Signature at this level, and no other.")
    NOT_LAST_CHILD = (Kind.PLACE, "Add nothing after the Signature: it must be the last child of the signed element.")
    SIGNATURE_CHILDREN = (
        Kind.SHAPE,
        "Let the Signature hold SignedInfo, SignatureValue and KeyInfo, once each, and nothing else.",
    )
    REFERENCES = (Kind.SHAPE, "Sign with one Reference, no more and no fewer.")
    REFERENCE_URI = (
        Kind.SHAPE,
        'Sign with the URI "" (or # and the Id of the signed element), which stands for the whole of it.',
    )
    REFERENCE_ID_TWICE = (Kind.SHAPE, "Give the Id that the Reference names to one element alone.")
    REFERENCE_BY_ROOT_ID = (Kind.SHAPE, "Add the Id to the signed element before signing, as the Reference names it.")
    SHA1 = (Kind.ALGORITHM, "Sign with SHA-256; SHA-1 is accepted only from senders that the receiver's settings name.")
    HMAC = (Kind.ALGORITHM, "Sign with RSA and the organisation's key; an HMAC proves nothing about who signed.")
    KEY_KIND = (Kind.ALGORITHM, "Sign with RSA; DSA and ECDSA are not accepted.")
    UNKNOWN_ALGORITHM = (Kind.ALGORITHM, "Sign with RSA-SHA256, digest SHA-256 and exclusive canonicalisation.")
    WITH_COMMENTS = (Kind.ALGORITHM, "Choose a canonicalisation without comments.")
    TRANSFORMS = (
        Kind.ALGORITHM,
        "Sign with the transform enveloped-signature, and at most one canonicalisation after it.",
    )

    # The digest: what was hashed is not what came.
    WHITE_SPACE_ADDED = (
        Kind.WHITE_SPACE,
        "White space was added after signing: send the bytes that were signed, never format them.",
    )
    WHITE_SPACE_REMOVED = (
        Kind.WHITE_SPACE,
        "The document was signed with white space between its elements, which is gone: keep it (PreserveWhitespace in "
        ".NET, preserveWhiteSpace in PHP), or sign the compact form.",
    )
    LINE_ENDS = (
        Kind.WHITE_SPACE,
        "The line ends in a text are not those that were signed: write LF alone, before signing.",
    )
    BASE64_LINES = (
        Kind.WHITE_SPACE,
        "The base64 was broken into other lines after signing: write it in one line, before signing.",
    )
    ENCODED_TWICE = (
        Kind.TEXT,
        "A text that was UTF-8 already was taken for Latin-1 and encoded again, before or after signing.",
    )
    HASHED_IN_LATIN1 = (Kind.TEXT, "The signer hashed ISO-8859-1 or Windows-1252: hash the canonical form in UTF-8.")
    HASHED_IN_UTF16 = (Kind.TEXT, "The signer hashed UTF-16: hash the canonical form in UTF-8.")
    BYTE_ORDER_MARK = (Kind.TEXT, "The signer hashed a byte order mark: hash the canonical form without it.")
    UNICODE_FORM = (
        Kind.TEXT,
        "Letters such as å were composed in another way when it was signed: normalise to NFC before signing.",
    )
    ESCAPED_TWICE = (
        Kind.TEXT,
        "A text was escaped once more, or once less, than when it was signed: & has become &amp;amp;, or back.",
    )
    ROOT_NAME = (
        Kind.ROOT,
        "The root was signed by another name: sign SignedDelivery, or SealedDelivery, in "
        "http://minameddelanden.gov.se/schema/Message/v3.",
    )
    PREFIXES = (
        Kind.PREFIXES,
        "Other prefixes than those that came were hashed: build and sign without prefixes, every element in its "
        "default namespace.",
    )
    ENVELOPE_NAMESPACES = (
        Kind.ENVELOPE,
        "It was signed inside the envelope, whose namespace declarations were hashed too: sign a document of its own.",
    )
    LOST_DECLARATIONS = (
        Kind.ENVELOPE,
        "Namespace declarations on the root that were signed are gone: use exclusive canonicalisation, or leave "
        "declarations that nothing uses (xsi, xsd) out before signing.",
    )
    ADDED_DECLARATIONS = (
        Kind.ENVELOPE,
        "Namespace declarations were added after signing: use exclusive canonicalisation, and splice bytes.",
    )
    ENVELOPE_SIGNED = (
        Kind.PART,
        "The envelope, or the operation, was signed: sign SignedDelivery, or SealedDelivery, alone.",
    )
    PART_SIGNED = (Kind.PART, "Only a part was signed: sign the whole of SignedDelivery, or SealedDelivery.")
    INNER_SIGNATURE_REMOVED = (
        Kind.PART,
        "The inner signature was left out too when the seal was made: take away the Signature that is a direct child "
        "of the root, and no other.",
    )
    ID_ADDED = (Kind.CONTENT, "An Id was added to the root after signing: add it before, or leave it out.")
    COMMENTS = (Kind.TEXT, "Comments were hashed: leave comments out, or canonicalise without them.")
    OTHER_CANONICALIZATION = (
        Kind.METHOD,
        "It was canonicalised by another method than the Transforms name; without one, that is inclusive "
        "canonicalisation.",
    )
    NOT_CANONICALISED = (Kind.METHOD, "The bytes were hashed as they were written: canonicalise them first.")
    OTHER_DIGEST = (Kind.METHOD, "It was hashed by another algorithm than DigestMethod names.")
    DIGEST_IN_HEXADECIMAL = (Kind.METHOD, "DigestValue is hexadecimal: write the base64 of the bytes of the hash.")
    DIGEST_LENGTH = (Kind.CONTENT, "DigestValue has not the length of a hash of the algorithm that DigestMethod names.")
    RELATIVE_NAMESPACE = (
        Kind.CONTENT,
        "A namespace is not an absolute URI, which no canonicalisation takes: use absolute ones.",
    )
    CONTENT_CHANGED = (
        Kind.CONTENT,
        "No change that software commonly makes explains the digest, so look for a changed value: compare the "
        "canonical bytes of both sides, with mm-soap verify --canonical.",
    )

    # The signature value: the key, and SignedInfo.
    SIGNED_INFO_WHITE_SPACE = (
        Kind.WHITE_SPACE,
        "White space was added to or taken from SignedInfo after signing: never format a signature.",
    )
    SIGNED_INFO_PREFIX = (
        Kind.PREFIXES,
        "SignedInfo was signed with another prefix than it came with: write the Signature in its default namespace, "
        "without a prefix.",
    )
    SIGNED_INFO_NAMESPACES = (
        Kind.ENVELOPE,
        "SignedInfo was signed where other namespaces were in scope: sign a document of its own, with exclusive "
        "canonicalisation.",
    )
    SIGNED_INFO_CANONICALIZATION = (
        Kind.METHOD,
        "SignedInfo was canonicalised by another method than CanonicalizationMethod names.",
    )
    SIGNED_INFO_CHANGED = (
        Kind.VALUE,
        "The certificate's key made the SignatureValue, but for another SignedInfo: sign last, change nothing "
        "afterwards, and compare the canonical bytes with mm-soap verify --canonical.",
    )
    OTHER_FORM = (
        Kind.PREFIXES,
        "The digest holds for one form of the document and SignatureValue for another: sign without prefixes.",
    )
    OTHER_HASH = (Kind.METHOD, "SignatureValue was made with another hash than SignatureMethod names.")
    HASHED_TWICE = (
        Kind.METHOD,
        "SignedInfo was hashed before it was given to a function that hashes it again: give it the bytes.",
    )
    BARE_HASH = (
        Kind.METHOD,
        "The bare hash was signed: the RSA padding of PKCS #1 v1.5 names the hash algorithm (DigestInfo).",
    )
    PSS = (Kind.METHOD, "SignatureValue has the padding PSS: SignatureMethod names PKCS #1 v1.5.")
    BYTE_ORDER = (
        Kind.VALUE,
        "The bytes of SignatureValue stand in reverse order: turn them round (CryptoAPI writes the last first).",
    )
    OTHER_CERTIFICATE = (
        Kind.VALUE,
        "SignatureValue was made by the key of a later certificate in KeyInfo: put the signer's first.",
    )
    KEY_VALUE = (Kind.VALUE, "KeyInfo has a KeyValue with another key than the certificate's: leave the KeyValue out.")
    OTHER_KEY = (
        Kind.VALUE,
        "SignatureValue was not made by the key of the certificate in KeyInfo: sign and send what belong together.",
    )
    SIGNATURE_VALUE_LENGTH = (
        Kind.VALUE,
        "SignatureValue has not the length of the certificate's key: it was cut, or is another key's.",
    )

    # The bytes of the file.
    NOT_UTF8 = (Kind.TEXT, "The bytes are not UTF-8, and no XML declaration says what they are: write UTF-8.")
    UNEXPLAINED = (
        Kind.CONTENT,
        "Digest and SignatureValue hold by themselves: look at the certificate, its dates and the length of its key.",
    )


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a signature."""

    cause: Cause
    place: str
    """The path of the element, by local names from the signed element, and its line where that is known."""
    detail: str = ""
    """Algorithms, names and lengths that were found; never a text of the message."""

    @property
    def rule(self) -> str:
        """The name of the cause."""
        return self.cause.name

    @property
    def remedy(self) -> str:
        """What to do, in one sentence, and what was found."""
        return f"{self.cause.remedy} {self.detail}".rstrip()


@dataclass(frozen=True)
class Canonical:
    """Canonical bytes that were compared with what the signer hashed."""

    part: str
    """``document`` or ``SignedInfo``."""
    form: str
    """How they were made from what came."""
    text: bytes
    algorithm: str
    """Of the hash, such as ``sha256``."""
    computed: str
    """Hash of the bytes, in hexadecimal."""
    expected: str | None
    """What the signer hashed, in hexadecimal: DigestValue, or the hash within SignatureValue, as the certificate's key
    opens it. None if it cannot be read."""

    @property
    def holds(self) -> bool:
        """Whether the two are equal."""
        return self.computed == self.expected


def place_of(element: etree._Element, root: etree._Element) -> str:
    """Return the path of an element from ``root``, by local names, and its line."""
    names = [etree.QName(element).localname]
    above = element
    while above is not root and (parent := above.getparent()) is not None:
        above = parent
        names.append(etree.QName(above).localname)
    line = f", line {element.sourceline}" if element.sourceline else ""
    return "/".join(reversed(names)) + line
