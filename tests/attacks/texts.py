"""The same document, written otherwise: what means the same stays accepted, and what says something else does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from lxml import etree

from mm_soap.errors import Refused
from mm_soap.xml import MESSAGE_V1, MESSAGE_V2, MESSAGE_V3, SENDER, XSI
from tests.attacks.model import Expected, Make, Variant
from tests.attacks.sites import FORGED, KOMMUN_A, OUTSIDER, RECIPIENT, WRITTEN, Target
from tests.attacks.wrapping import split

Change = Callable[[bytes], bytes]

_PLACE: Final = WRITTEN[:6]  # whole characters
_REST: Final = WRITTEN[6:]


def on_document(change: Change) -> Make:
    """Change the document after it was signed; of an inner site the seal is over what it became."""

    def make(target: Target) -> bytes:
        changed = change(target.good)
        assert changed != target.good
        try:
            return target.request(changed)
        except (Refused, etree.C14NError):
            return change(target.request())  # nobody could seal that

    return make


def on_request(change: Change) -> Make:
    """Change the whole request."""

    def make(target: Target) -> bytes:
        request = target.request()
        changed = change(request)
        assert changed != request
        return changed

    return make


def swap(old: bytes, new: bytes) -> Change:
    def change(raw: bytes) -> bytes:
        assert old in raw, old
        return raw.replace(old, new, 1)

    return change


def _pattern(pattern: bytes, new: bytes) -> Change:
    return lambda raw: re.sub(pattern, new, raw, count=1, flags=re.DOTALL)


def _in_subject(what: bytes) -> Change:
    return swap(WRITTEN, _PLACE + what + _REST)


def _base64_of_body(change: Change) -> Change:
    def made(raw: bytes) -> bytes:
        start = raw.index(b">", raw.index(b"<Body", raw.index(b"<ContentType"))) + 1
        end = raw.index(b"</Body>", start)
        return raw[:start] + change(raw[start:end]) + raw[end:]

    return made


_SAME: Final[dict[str, Change]] = {
    "a comment in a text": _in_subject(b"<!-- c -->"),
    "two comments in a text": _in_subject(b"<!----><!-- > < & -->"),
    "a comment before a text": swap(WRITTEN, b"<!-- c -->" + WRITTEN),
    "a comment after a text": swap(WRITTEN, WRITTEN + b"<!-- c -->"),
    "a comment in an identifier": swap(
        RECIPIENT.encode(), RECIPIENT[:6].encode() + b"<!-- -->" + RECIPIENT[6:].encode()
    ),
    "a comment in the sender's number": swap(
        KOMMUN_A.encode(), KOMMUN_A[:6].encode() + b"<!-- -->" + KOMMUN_A[6:].encode()
    ),
    "a comment in base64": _base64_of_body(lambda text: text[:4] + b"<!-- c -->" + text[4:]),
    "comments between elements": lambda raw: raw.replace(b"<Message", b"<!-- a --><Message").replace(
        b"</Message>", b"<!-- b --></Message>"
    ),
    "a comment before the signature": swap(b"<Signature xmlns", b"<!-- c --><Signature xmlns"),
    "a comment after the signature": lambda raw: raw[: raw.rindex(b"</")] + b"<!-- c -->" + raw[raw.rindex(b"</") :],
    "a comment with another subject": swap(WRITTEN, b"<!--<Subject>%s</Subject>-->" % FORGED + WRITTEN),
    "CDATA": swap(WRITTEN, b"<![CDATA[%s]]>" % WRITTEN.replace(b"&amp;", b"&")),
    "CDATA in parts": swap(WRITTEN, _PLACE + b"<![CDATA[%s]]>" % _REST.replace(b"&amp;", b"&")),
    "empty CDATA": _in_subject(b"<![CDATA[]]>"),
    "CDATA in base64": _base64_of_body(lambda text: b"<![CDATA[%s]]>" % text),
    "CDATA in an identifier": swap(b">" + RECIPIENT.encode(), b"><![CDATA[" + RECIPIENT.encode() + b"]]>"),
    "character references": swap(WRITTEN, "".join(f"&#{ord(c)};" for c in "Beslut om prövning & mer").encode()),
    "character references in hexadecimal": swap(b"Beslut", b"&#x42;&#x00065;slut"),
    "an entity that XML has": swap(b"&amp;", b"&#38;"),
    "a space in a start tag": swap(b"<Subject>", b"<Subject >"),
    "lines in a start tag": swap(b"<Subject>", b"<Subject\n\t\r\n>"),
    "a space in an end tag": swap(b"</Subject>", b"</Subject\n>"),
    "other quotes": swap(f'xmlns="{MESSAGE_V3}"'.encode(), f"xmlns='{MESSAGE_V3}'".encode()),
    "a reference in a namespace": swap(
        f'"{MESSAGE_V3}"'.encode(), f'"{MESSAGE_V3.replace("/v3", "/&#118;3")}"'.encode()
    ),
    "blanks around the sign of equality": swap(b"xmlns=", b"xmlns = "),
    "a namespace declared again": swap(b"<Subject>", f'<Subject xmlns="{MESSAGE_V3}">'.encode()),
    "a prefix that nobody uses": swap(b"<Subject>", b'<Subject xmlns:unused="urn:unused">'),
    "a prefix that nobody uses, on the root": swap(b" xmlns=", b' xmlns:unused="urn:unused" xmlns='),
    "an element with a prefix": lambda raw: raw.replace(
        b"<Subject>", f'<p:Subject xmlns:p="{MESSAGE_V3}">'.encode(), 1
    ).replace(b"</Subject>", b"</p:Subject>", 1),
}
"""Changes of the signed document that the signature does not cover, or that are undone before it is hashed."""

_SAME_REQUEST: Final[dict[str, Change]] = {
    "a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "an XML declaration": lambda raw: b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "a declaration of ISO-8859-1": lambda raw: (
        b"<?xml version='1.0' encoding='iso-8859-1'?>" + raw.decode().encode("latin-1")
    ),
    "comments and white space around": lambda raw: b"<!-- a -->\n\n" + raw + b"\n<!-- b -->\n",
    "a processing instruction before": lambda raw: b"<?xml-stylesheet href='http://127.0.0.1:9/x.xsl'?>" + raw,
    "xml:lang around": swap(b"<soap:Envelope", b'<soap:Envelope xml:lang="en"'),
    "xml:base around": swap(b"<soap:Body>", b'<soap:Body xml:base="http://127.0.0.1:9/">'),
    "xml:space around": swap(b"<soap:Body>", b'<soap:Body xml:space="preserve">'),
    "another default namespace around": swap(b"<soap:Envelope", b'<soap:Envelope xmlns="urn:other"'),
    "prefixes around": swap(
        b"<soap:Envelope",
        f'<soap:Envelope xmlns:a="{MESSAGE_V1}" xmlns:b="{MESSAGE_V2}" xmlns:ds="urn:no"'.encode(),
    ),
    "an Id around": swap(b"<soap:Body>", b'<soap:Body Id="SD-1">'),
    "a header": swap(b"<soap:Body>", b'<soap:Header><h:x xmlns:h="urn:h" Id="SD-1"/></soap:Header><soap:Body>'),
    "another prefix for SOAP": lambda raw: raw.replace(b"soap:", b"S:").replace(b"xmlns:soap", b"xmlns:S"),
    "xsi:schemaLocation around": swap(
        b"<soap:Envelope", f'<soap:Envelope xmlns:xsi="{XSI}" xsi:schemaLocation="urn:x http://127.0.0.1:9/x"'.encode()
    ),
}

_OTHER: Final[dict[str, Change]] = {
    "another subject": swap(WRITTEN, FORGED),
    "another recipient": swap(RECIPIENT.encode(), b"189001619809"),
    "another sender": swap(f">{KOMMUN_A}<".encode(), f">{OUTSIDER}<".encode()),
    "another body": _base64_of_body(lambda _: b"SGVq"),
    "another content type": swap(b"text/plain", b"text/html"),
    "no message": _pattern(rb"<Message.*</Message>", b""),
    "the message twice": _pattern(rb"(<Message.*</Message>)", rb"\1\1"),
    "a second subject": swap(b"<Subject>", b"<Subject>%s</Subject><Subject>" % FORGED),
    "a second header": _pattern(rb"(<Header>.*?</Header>)", rb"\1\1"),
    "a space in a text": _in_subject(b" "),
    "a line end in a text": _in_subject(b"\n"),
    "a carriage return in a text": _in_subject(b"&#13;"),
    "a tab after a text": swap(WRITTEN, WRITTEN + b"\t"),
    "white space between elements": swap(b"<Subject>", b"\n  <Subject>"),
    "white space before the signature": swap(b"<Signature xmlns", b"\n<Signature xmlns"),
    "white space after the signature": lambda raw: raw[: raw.rindex(b"</")] + b"\n" + raw[raw.rindex(b"</") :],
    "text between elements": swap(b"<Subject>", b"x<Subject>"),
    "a processing instruction in a text": _in_subject(b"<?p i?>"),
    "a processing instruction between elements": swap(b"<Subject>", b"<?p i?><Subject>"),
    "a processing instruction after the signature": lambda raw: (
        raw[: raw.rindex(b"</")] + b"<?p i?>" + raw[raw.rindex(b"</") :]
    ),
    "a processing instruction in base64": _base64_of_body(lambda text: text[:4] + b"<?p i?>" + text[4:]),
    "a comment and what follows it": _in_subject(b"<!-- -->x"),
    "a comment around a text": swap(WRITTEN, b"<!-- %s -->" % WRITTEN),
    "CDATA with markup": swap(WRITTEN, b"<![CDATA[%s]]>" % WRITTEN),
    "nested CDATA": swap(WRITTEN, b"<![CDATA[<![CDATA[]]>%s" % WRITTEN),
    "an element in a text": _in_subject(b"<b/>"),
    "other case": swap(b"Beslut", b"BESLUT"),
    "another form of Unicode": swap("ö".encode(), "o\u0308".encode()),
    "a letter that looks the same": swap(b"Beslut", "\u0412eslut".encode()),
    "a sign without width": _in_subject("\u200b".encode()),
    "a sign that turns the direction": _in_subject("\u202e".encode()),
    "a zero": _in_subject(b"\0"),
    "a reference to zero": _in_subject(b"&#0;"),
    "a reference to no character": _in_subject(b"&#xFFFE;"),
    "half a surrogate": _in_subject(b"\xed\xa0\x80"),
    "bytes that are not UTF-8": _in_subject(b"\xf6"),
    "a letter in more bytes than it needs": swap(b"Beslut", b"\xc1\x82eslut"),
    "an entity": _in_subject(b"&subject;"),
    "an attribute": swap(b"<Subject>", b'<Subject a="b">'),
    "xml:space": swap(b"<Subject>", b'<Subject xml:space="preserve">'),
    "xml:lang on the root": swap(b" xmlns=", b' xml:lang="sv" xmlns='),
    "xml:base on the root": swap(b" xmlns=", b' xml:base="http://127.0.0.1:9/" xmlns='),
    "an Id on the root": swap(b" xmlns=", b' Id="x" xmlns='),
    "an Id in it": swap(b"<Subject>", b'<Subject Id="x">'),
    "xsi:type": swap(
        b"<Subject>",
        f'<Subject xmlns:xsi="{XSI}" xsi:type="x:string" xmlns:x="http://www.w3.org/2001/XMLSchema">'.encode(),
    ),
    "xsi:nil": swap(b"<Subject>", f'<Subject xmlns:xsi="{XSI}" xsi:nil="false">'.encode()),
    "xsi:schemaLocation": swap(
        b" xmlns=", f' xmlns:xsi="{XSI}" xsi:schemaLocation="urn:x http://127.0.0.1:9/x" xmlns='.encode()
    ),
    "XInclude": swap(
        WRITTEN, b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>'
    ),
    "another version's namespace": lambda raw: raw.replace(MESSAGE_V3.encode(), MESSAGE_V2.encode()),
    "another namespace for one element": swap(b"<Subject>", b'<Subject xmlns="urn:x">'),
    "no namespace for one element": swap(b"<Subject>", b'<Subject xmlns="">'),
    "the sender in another namespace": swap(SENDER.encode(), MESSAGE_V2.encode()),
    "a relative namespace": swap(b"<Subject>", b'<Subject xmlns:r="relative">'),
    "a namespace that is nearly right": swap(f'"{MESSAGE_V3}"'.encode(), f'"{MESSAGE_V3} "'.encode()),
    "a prefix for xmlns": swap(b"<Subject>", b'<Subject xmlns:xmlns="urn:x">'),
    "another prefix for xml": swap(b"<Subject>", b'<Subject xmlns:xml="urn:x">'),
    "a prefix without a namespace": lambda raw: raw.replace(b"<Subject>", b"<q:Subject>").replace(
        b"</Subject>", b"</q:Subject>"
    ),
    "a prefix bound to nothing": swap(b"<Subject>", b'<Subject xmlns:q="">'),
    "an attribute twice, by two prefixes": swap(
        b"<Subject>", b'<Subject xmlns:a="urn:x" xmlns:b="urn:x" a:i="1" b:i="2">'
    ),
    "an extra element": swap(b"</Subject>", b"</Subject><Extra/>"),
    "elements in another order": _pattern(rb"(<Id>[^<]*</Id>)(<Subject>.*?</Subject>)", rb"\2\1"),
    "another element's name": lambda raw: raw.replace(b"<Subject>", b"<Betreff>").replace(b"</Subject>", b"</Betreff>"),
    "an end that is missing": swap(b"</Subject>", b""),
    "an element that is never closed": swap(b"<Subject>", b"<x><Subject>"),
}
"""Changes that say something else, or that a signature covers."""

_OTHER_REQUEST: Final[dict[str, Change]] = {
    "a DOCTYPE": lambda raw: b"<!DOCTYPE x>" + raw,
    "a DOCTYPE with an entity": lambda raw: b'<!DOCTYPE x [<!ENTITY e "%s">]>' % FORGED + _in_subject(b"&e;")(raw),
    "a DOCTYPE with a default for an attribute": lambda raw: b'<!DOCTYPE x [<!ATTLIST Subject a CDATA "b">]>' + raw,
    "a DOCTYPE with an Id": lambda raw: b"<!DOCTYPE x [<!ATTLIST Delivery x ID #IMPLIED>]>" + raw,
    "a DOCTYPE elsewhere": lambda raw: b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + raw,
    "UTF-7": lambda raw: b'<?xml version="1.0" encoding="UTF-7"?>' + raw.decode().encode("utf-7"),
    "UTF-7 that is told late": lambda raw: b'<?xml version="1.0"%sencoding="UTF-7"?>' % (b" " * 300) + _utf7(raw),
    "UTF-32": lambda raw: raw.decode().encode("utf-32"),
    "EBCDIC": lambda raw: raw.decode().encode("cp037", "replace"),
    "Windows-1252": lambda raw: b'<?xml version="1.0" encoding="windows-1252"?>' + raw,
    "an encoding that is told wrongly": lambda raw: b'<?xml version="1.0" encoding="iso-8859-1"?>' + raw,
    "two declarations": lambda raw: b'<?xml version="1.0"?><?xml version="1.0"?>' + raw,
    "a blank before the declaration": lambda raw: b' <?xml version="1.0"?>' + raw,
    "something after the end": lambda raw: raw + b"<x/>",
    "a zero after the end": lambda raw: raw + b"\0",
    "SOAP 1.2": lambda raw: raw.replace(
        b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"
    ),
    "no Envelope": lambda raw: raw[raw.index(b"<soap:Body>") + 11 : raw.rindex(b"</soap:Body>")],
    "a header that must be understood": swap(
        b"<soap:Body>",
        b'<soap:Header><h:x xmlns:h="urn:h" soap:mustUnderstand="1"/></soap:Header><soap:Body>',
    ),
    "an operation within itself": _pattern(rb"<soap:Body>(<[^>]*>)(.*)</soap:Body>", rb"<soap:Body>\1\1\2</soap:Body>"),
    "another operation's name": lambda raw: re.sub(
        rb"((?:\w+:)?)(distributeSecure|deliverSecure|deliverForward)(?=[ >])", rb"\1notify", raw
    ),
}


def _utf7(raw: bytes) -> bytes:
    """Write a subject and the tags around it so that they are markup for one who reads UTF-7 alone."""
    tag = b"+ADw-Subject+AD4-%s+ADw-/Subject+AD4-" % FORGED
    ascii_only = WRITTEN.decode().encode("ascii", "xmlcharrefreplace")
    return raw.replace(b"<Subject>%s</Subject>" % WRITTEN, tag).replace(WRITTEN, ascii_only)


def _seals() -> Iterator[Variant]:
    seals = frozenset({"seal", "forwarded-seal"})
    changes: dict[str, Change] = {
        "another day": _pattern(rb"(<ReceivedTime[^>]*>)[^<]*", rb"\g<1>2020-02-02"),
        "another word of the dispatcher": _pattern(rb"(<SignaturesOK[^>]*>)true", rb"\g<1>1"),
        "no Seal": _pattern(rb"<Seal>.*</Seal>", b""),
        "two Seals": _pattern(rb"(<Seal>.*</Seal>)", rb"\1\1"),
        "the Seal before the delivery": _pattern(rb"(<SealedDelivery[^>]*>)(.*)(<Seal>.*</Seal>)", rb"\1\3\2"),
        "the inner signature changed": _pattern(
            rb"(<SignatureValue>)(.)", lambda m: m[1] + (b"B" if m[2] == b"A" else b"A")
        ),  # type: ignore[arg-type]
        "no inner signature": lambda raw: raw.replace(_inner_signature(raw), b"", 1),
        "two inner signatures": lambda raw: raw.replace(_inner_signature(raw), _inner_signature(raw) * 2, 1),
        "two deliveries": _pattern(rb"(<SignedDelivery.*</SignedDelivery>)", rb"\1\1"),
        "the signatures exchanged": _exchanged,
        "the inner signature in both places": _both_inner,
    }
    for name, change in changes.items():
        yield Variant("seal", name, on_document(change), only=seals)


def _inner_signature(raw: bytes) -> bytes:
    end = raw.index(b"</Signature>") + len(b"</Signature>")
    return raw[raw.index(b"<Signature xmlns") : end]


def _exchanged(raw: bytes) -> bytes:
    _, outer, _ = split(raw)
    inner = _inner_signature(raw)
    return raw.replace(outer, b"\0").replace(inner, outer).replace(b"\0", inner)


def _both_inner(raw: bytes) -> bytes:
    before, _, end = split(raw)
    return before + _inner_signature(raw) + end


def texts() -> Iterator[Variant]:
    """Yield all of them."""
    yield Variant("baseline", "as it was signed", lambda target: target.request(), Expected.SAME)
    for name, change in _SAME.items():
        yield Variant("same", name, on_document(change), Expected.SAME)
    for name, change in _SAME_REQUEST.items():
        yield Variant("same", name, on_request(change), Expected.SAME)
    for name, change in _OTHER.items():
        yield Variant("changed", name, on_document(change))
    for name, change in _OTHER_REQUEST.items():
        yield Variant("request", name, on_request(change))
    yield from _seals()
