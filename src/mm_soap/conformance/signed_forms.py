"""The forms in which a signed delivery may come and must be accepted, for every role that gets one.

Source: the contract's signing, "Algorithms" and "The digest input"; wire; the samples of the vectors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from lxml import etree

from mm_soap.conformance.carrying import Answer
from mm_soap.conformance.model import Cases
from mm_soap.conformance.prefixes import prefixed
from mm_soap.conformance.signed import SUBJECT, Bench, Wire, add
from mm_soap.conformance.xmlsig import ENVELOPED, EXCLUSIVE, INCLUSIVE, Manner, signed
from mm_soap.xml import MESSAGE_V3, SOAP_ENVELOPE, parse_untrusted

B = TypeVar("B", bound=Bench)

ALGORITHMS: Final = "signing.md, Algorithms"
DIGEST_INPUT: Final = "signing.md, The digest input"
WIRE: Final = "wire.md, Signatures on the wire"
VECTORS: Final = "vectors/README.md"

_BUSY: Final = " ".join(f'xmlns:{letter}="urn:example:{letter}"' for letter in "abcdefghijkl").encode()


@dataclass(frozen=True)
class SignedForm:
    """A manner of signing that must be accepted."""

    name: str
    title: str
    rule: str
    remedy: str
    manner: Manner


_ALGORITHM: Final = "Take the algorithms of digest and signature from SignedInfo, within the accepted list."
_TRANSFORM: Final = "Canonicalise the document by its transform, or inclusively where the enveloped transform is alone."

MANNERS: Final = (
    SignedForm("plain", "in the manner of the contract", ALGORITHMS, _TRANSFORM, Manner()),
    SignedForm(
        "exclusive",
        "with an extra exclusive C14N transform",
        ALGORITHMS,
        _TRANSFORM,
        Manner(transforms=(ENVELOPED, EXCLUSIVE)),
    ),
    SignedForm(
        "inclusive",
        "with an extra inclusive C14N transform",
        VECTORS,
        _TRANSFORM,
        Manner(transforms=(ENVELOPED, INCLUSIVE)),
    ),
    SignedForm(
        "inclusive-signed-info",
        "with SignedInfo in inclusive C14N",
        VECTORS,
        "Canonicalise SignedInfo by its CanonicalizationMethod, as a document of its own.",
        Manner(signed_info=INCLUSIVE),
    ),
    SignedForm(
        "by-id",
        "with a Reference to the Id of the signed root",
        ALGORITHMS,
        "Accept the URI #Id where Id is that of the signed root, and tell your library that Id is an id.",
        Manner(by_id=True),
    ),
    SignedForm("sha384", "with RSA-SHA384", ALGORITHMS, _ALGORITHM, Manner(digest="sha384")),
    SignedForm("sha512", "with RSA-SHA512", ALGORITHMS, _ALGORITHM, Manner(digest="sha512")),
    SignedForm(
        "no-subject-name",
        "with a KeyInfo that holds the certificate alone",
        ALGORITHMS,
        "Read the certificate; X509SubjectName is optional.",
        Manner(key_info="certificate"),
    ),
    SignedForm(
        "prefixed-signature",
        "with a prefix for the elements of the signature",
        VECTORS,
        "Find the signature's elements by their namespace, and verify the bytes as they came first.",
        Manner(prefix="ds"),
    ),
    SignedForm(
        "lines",
        "with base64 in lines and white space in the signature",
        VECTORS,
        "Take white space out of base64 before decoding, and keep it in SignedInfo, where it is signed.",
        Manner(lines=True),
    ),
)
"""How a signature may be written."""


@dataclass(frozen=True)
class Dressed:
    """A form in which the outermost signed document may travel."""

    name: str
    title: str
    rule: str
    remedy: str
    send: Callable[[Bench], Answer]


def _local(wire: Wire) -> bytes:
    return wire.name.rpartition(b":")[2]


def _travelling(bench: Bench) -> bytes:
    """Return a document that was signed under the name that it has on the wire, in default-namespace form."""
    document, signer = bench.unfinished()
    start = b'<%s xmlns="%s"' % (bench.wire.signed_name, MESSAGE_V3.encode())
    assert document.startswith(start)
    own = b'<%s xmlns="%s"' % (_local(bench.wire), bench.wire.namespace.encode())
    inside = document.removeprefix(start)
    return signed(own + inside[: inside.rindex(b"</")] + b"</%s>" % _local(bench.wire), signer)


def _plain(bench: Bench) -> bytes:
    document, signer = bench.unfinished()
    return signed(document, signer)


def _as_it_travels(bench: Bench) -> Answer:
    return bench.line.call(bench.wire.around(_travelling(bench)))


def _prefixed(make: Callable[[Bench], bytes], bench: Bench) -> Answer:
    name = (bench.wire.namespace, _local(bench.wire).decode())
    return bench.line.call(bench.wire.around(prefixed(make(bench), name)))


def _signed_with_prefixes(bench: Bench) -> Answer:
    document, signer = bench.unfinished()
    whole = signed(prefixed(document), signer, Manner(prefix="ds", transforms=(ENVELOPED, EXCLUSIVE)))
    if bench.wire.namespace == MESSAGE_V3:
        name, declared = b"m:" + _local(bench.wire), b""
    else:
        name, declared = b"w:" + _local(bench.wire), b' xmlns:w="%s"' % bench.wire.namespace.encode()
    inside = whole.removeprefix(b"<m:" + bench.wire.signed_name)
    element = b"<%s%s%s%s>" % (name, declared, inside[: inside.rindex(b"</") + 2], name)
    return bench.line.call(bench.wire.around(element))


def _busy(bench: Bench) -> Answer:
    element = bench.wire.carry(_plain(bench))
    start = b'<soap:Envelope xmlns:soap="%s" %s><soap:Body %s xmlns:z="urn:example:z">' % (
        SOAP_ENVELOPE.encode(),
        _BUSY,
        _BUSY,
    )
    return bench.line.post(start + element + b"</soap:Body></soap:Envelope>")


def _inherited(bench: Bench) -> Answer:
    element = bench.wire.renamed(_plain(bench)).replace(b' xmlns="%s"' % MESSAGE_V3.encode(), b"", 1)
    # Where the operation's element has another default namespace, or none, it gets that of the document.
    start = bench.wire.start
    if b' xmlns="' not in start:
        start = start.replace(b">", b' xmlns="%s">' % MESSAGE_V3.encode(), 1)
    return bench.line.call(start + element + bench.wire.end)


def _spaced(bench: Bench) -> Answer:
    wire = bench.wire
    element = b"\n    ".join((wire.start, wire.renamed(_plain(bench)), wire.end))
    body = b"\n  ".join((b"<soap:Header/>", b"<soap:Body>", element, b"</soap:Body>"))
    return bench.line.post(b'<soap:Envelope xmlns:soap="%s">\n%s\n</soap:Envelope>\n' % (SOAP_ENVELOPE.encode(), body))


_SLICE: Final = "Cut the signed element from the bytes of the request and verify it as a document of its own."
_STRIP: Final = "Where the bytes as they came do not verify, rewrite to the form without prefixes, SignedInfo too."
_RENAME: Final = "Try the signed element under the name that it has on the wire, besides that of its schema type."

DRESSED: Final = (
    Dressed(
        "prefixes-put-back",
        "signed without prefixes, and written anew with prefixes by a SOAP stack",
        DIGEST_INPUT,
        _STRIP,
        partial(_prefixed, _plain),
    ),
    Dressed("prefixes-signed", "signed with prefixes, its bytes kept", VECTORS, _SLICE, _signed_with_prefixes),
    Dressed("busy-envelope", "in an envelope that declares a dozen prefixes", WIRE, _SLICE, _busy),
    Dressed(
        "inherited-namespace",
        "with the default namespace declared by the element around it",
        WIRE,
        "Declare the namespaces that the cut element inherited, or fall back to the form without prefixes.",
        _inherited,
    ),
    Dressed("spaced", "with white space around the signed element", WIRE, _SLICE, _spaced),
)
"""How the outermost signed document may travel."""

AS_IT_TRAVELS: Final = (
    Dressed("as-it-travels", "signed under the name that it has on the wire", DIGEST_INPUT, _RENAME, _as_it_travels),
    Dressed(
        "prefixes-put-back-as-it-travels",
        "signed without prefixes under the name on the wire, and written anew with prefixes",
        DIGEST_INPUT,
        _STRIP,
        partial(_prefixed, _travelling),
    ),
)
"""The same, signed under the name that it has on the wire.

A delivery that was signed so cannot be handed on: within SealedDelivery it has the name of its type again. So only who
gets it last can be asked to accept it.
"""


def _cdata(document: bytes) -> bytes:
    return document.replace(SUBJECT.encode(), b"<![CDATA[%s]]>" % SUBJECT.encode())


def _references(document: bytes) -> bytes:
    return document.replace(SUBJECT.encode(), "".join(f"&#x{ord(letter):x};" for letter in SUBJECT).encode())


def _quotes(document: bytes) -> bytes:
    document = re.sub(rb'xmlns="([^"]*)"', rb"xmlns='\1'", document)
    return re.sub(rb"<(/?)Subject( [^>]*)?>", rb"<\1Subject\2 \n>", document)


_TEXT: Final = "Canonicalise before hashing: other spellings of the same XML have the same canonical text."

SPELLINGS: Final = (
    ("cdata", "with a text in a CDATA section", _cdata),
    ("references", "with a text in character references", _references),
    ("quotes", "with other quotes and white space in tags", _quotes),
)
"""What may change between signing and sending without changing what was signed."""


def _indented(document: bytes) -> bytes:
    root = parse_untrusted(document)
    etree.indent(root)
    return etree.tostring(root)


def add_delivery_manners(cases: Cases[B]) -> None:
    """Add the manners in which a sender may sign."""

    def accepted(manner: Manner, bench: Bench) -> None:
        bench.accepted(bench.send(bench.sign(bench.unsigned(), manner)))

    for form in MANNERS:
        title = f"A delivery is accepted that is signed {form.title}."
        add(cases, f"delivery.{form.name}", title, form.rule, form.remedy, partial(accepted, form.manner))

    @cases.case("delivery.indented", rule=WIRE, remedy="Keep white space between elements: it is signed.")
    def indented(bench: B) -> None:
        """A delivery is accepted that was signed with white space between its elements."""
        bench.accepted(bench.send(bench.sign(_indented(bench.unsigned()))))


def add_forms(cases: Cases[B], dressed: Iterable[Dressed] = DRESSED) -> None:
    """Add the forms in which the outermost signed document may travel."""

    def accepted(send: Callable[[Bench], Answer], bench: Bench) -> None:
        bench.accepted(send(bench))

    def respelled(change: Callable[[bytes], bytes], bench: Bench) -> Answer:
        return bench.carry(change(_plain(bench)))

    for form in dressed:
        title = f"A document is accepted that comes {form.title}."
        add(cases, f"forms.{form.name}", title, form.rule, form.remedy, partial(accepted, form.send))
    for name, what, change in SPELLINGS:
        title = f"A document is accepted that comes {what}."
        add(cases, f"forms.{name}", title, DIGEST_INPUT, _TEXT, partial(accepted, partial(respelled, change)))
