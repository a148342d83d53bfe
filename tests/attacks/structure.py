"""Signatures that are missing, doubled, moved or taken apart, and KeyInfo that says something else."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.conformance.xmlsig import signature, signed, with_last_child
from mm_soap.pki import Identity
from mm_soap.testing import TestPki
from mm_soap.testing.e_identification import EIdentificationIssuer
from mm_soap.xml import DSIG
from tests.attacks.model import Expected, Make, Variant
from tests.attacks.sites import DISPATCHER, FORGED, KOMMUN_A, WRITTEN, Target, envelope
from tests.attacks.wrapping import split

Change = Callable[[bytes], bytes]

_INFO: Final = (b"<SignedInfo>", b"</SignedInfo>")


def between(raw: bytes, start: bytes, end: bytes) -> bytes:
    """Return the last element with these tags, its tags included."""
    stop = raw.rindex(end) + len(end)
    return raw[raw.rindex(start, 0, stop) : stop]


def on_signature(change: Change) -> Make:
    """Change the signature after it was made."""

    def make(target: Target) -> bytes:
        before, one, end = split(target.good)
        changed = change(one)
        assert changed != one
        return target.request(before + changed + end)

    return make


def replaced(old: bytes, new: bytes) -> Make:
    """Replace something in the signature, wherever it stands there first."""

    def change(one: bytes) -> bytes:
        assert old in one, old
        return one.replace(old, new, 1)

    return on_signature(change)


# Signatures that are not there, or not where they belong


def _first(target: Target) -> bytes:
    before, one, end = split(target.good)
    start = before.index(b">") + 1
    return target.request(before[:start] + one + before[start:] + end)


def _in_delivery(target: Target) -> bytes:
    before, one, end = split(target.good)
    return target.request(before.replace(b"<Message", one + b"<Message", 1) + end)


def _detached(where: str) -> Make:
    def make(target: Target) -> bytes:
        before, one, end = split(target.good)
        if where == "sibling":
            (element,) = target.travelling(before + end)
            return envelope(target.around(target.site.wire.renamed(element), one))
        return envelope(target.payload(before + end), **{where: one})

    return make


def _another(target: Target) -> bytes:
    other = Target(target.site, target.cast)
    return target.request(with_last_child(target.unsigned, other.signature()))


def _two(first: Callable[[Target], bytes], second: Callable[[Target], bytes]) -> Make:
    return lambda target: target.request(
        with_last_child(with_last_child(target.unsigned, first(target)), second(target))
    )


def _good(target: Target) -> bytes:
    return target.signature()


def _bad(target: Target) -> bytes:
    return Target(target.site, target.cast).signature()


def _by_outsider(target: Target) -> bytes:
    return target.signature(by=target.cast.outsider)


def _countersigned(target: Target) -> bytes:
    """A second signature that covers the first."""
    return target.request(with_last_child(target.good, signature(target.good, target.signer)))


def _exclusions() -> Iterator[Variant]:
    family = "exclusion"
    yield Variant(family, "no Signature", lambda target: target.request(target.unsigned))
    yield Variant(family, "first child", _first)
    yield Variant(family, "inside the delivery", _in_delivery)
    yield Variant(family, "in Header", _detached("header"))
    yield Variant(family, "in Envelope before Body", _detached("before"))
    yield Variant(family, "in Envelope after Body", _detached("after"))
    yield Variant(family, "beside the document", _detached("sibling"))
    yield Variant(family, "of another document", _another)
    yield Variant(family, "the same twice", _two(_good, _good))
    yield Variant(family, "a good one after a bad one", _two(_bad, _good))
    yield Variant(family, "a bad one after a good one", _two(_good, _bad))
    yield Variant(family, "a good one after one by another organisation", _two(_by_outsider, _good))
    yield Variant(family, "one by another organisation after a good one", _two(_good, _by_outsider))
    yield Variant(family, "a second one over the first", _countersigned)
    empty = b'<Signature xmlns="%s"/>' % DSIG.encode()
    yield Variant(family, "an empty Signature", lambda t: t.request(with_last_child(t.unsigned, empty)))
    for name, uri in (("another", b"urn:x"), ("no", b""), ("a nearly right", DSIG.encode()[:-1])):
        yield Variant(family, f"in {name} namespace", replaced(b'xmlns="%s"' % DSIG.encode(), b'xmlns="%s"' % uri))
    yield Variant(
        family,
        "under another name",
        on_signature(lambda one: one.replace(b"<Signature ", b"<signature ").replace(b"</Signature>", b"</signature>")),
    )
    for name in (b"SignedInfo", b"SignatureValue", b"KeyInfo", b"Reference", b"DigestValue", b"X509Certificate"):
        opening = b"<%s" % name

        def without(one: bytes, opening: bytes = opening, name: bytes = name) -> bytes:
            start, end = one.index(opening), one.index(b"</%s>" % name) + len(name) + 3
            return one[:start] + one[end:]

        yield Variant(family, f"without {name.decode()}", on_signature(without))


# What is doubled


def _forged_info(target: Target, one: bytes) -> bytes:
    """SignedInfo for another document, with nobody's value."""
    made = signature(target.unsigned.replace(WRITTEN, FORGED), target.cast.outsider)
    return between(made, *_INFO)


def _two_infos(forged_first: bool, forged_document: bool) -> Make:
    def make(target: Target) -> bytes:
        before, one, end = split(target.good)
        infos = [between(one, *_INFO), _forged_info(target, one)]
        both = b"".join(reversed(infos) if forged_first else infos)
        document = before.replace(WRITTEN, FORGED) if forged_document else before
        return target.request(document + one.replace(infos[0], both) + end)

    return make


def _info_in_object(target: Target) -> bytes:
    before, one, end = split(target.good)
    good = between(one, *_INFO)
    forged = one.replace(good, _forged_info(target, one)).replace(
        b"</Signature>", b"<Object>%s</Object></Signature>" % good
    )
    return target.request(before.replace(WRITTEN, FORGED) + forged + end)


_LISTED: Final = (b"SignedInfo", b"SignatureValue", b"KeyInfo", b"X509Data", b"DigestValue", b"Transforms")


def _doubled() -> Iterator[Variant]:
    for forged_first in (True, False):
        for forged_document in (True, False):
            name = (
                f"the forged SignedInfo {'first' if forged_first else 'second'}, "
                f"the document {'forged' if forged_document else 'as it was'}"
            )
            yield Variant("several SignedInfo", name, _two_infos(forged_first, forged_document))
    yield Variant("several SignedInfo", "the right one in ds:Object", _info_in_object)
    for name in _LISTED:

        def twice(one: bytes, name: bytes = name) -> bytes:
            start = one.index(b"<%s" % name)
            end = one.index(b"</%s>" % name) + len(name) + 3
            return one[:end] + one[start:end] + one[end:]

        expected = Expected.SAME if name == b"X509Data" else Expected.REFUSED
        yield Variant("doubled", name.decode(), on_signature(twice), expected)
    swapped = on_signature(
        lambda one: one.replace(between(one, *_INFO), b"").replace(b"<KeyInfo>", between(one, *_INFO) + b"<KeyInfo>")
    )
    yield Variant("doubled", "SignedInfo after SignatureValue", swapped)
    for content in (b"<Object/>", b'<Object Id="x"><x xmlns="urn:x"/></Object>', b"<SignatureProperties/>"):
        yield Variant("doubled", f"{content.decode()} more", replaced(b"</Signature>", content + b"</Signature>"))


# Values


def _values() -> Iterator[Variant]:
    family = "value"

    def changed(one: bytes) -> bytes:
        start = one.index(b"<SignatureValue>") + 16
        return one[:start] + (b"B" if one[start : start + 1] == b"A" else b"A") + one[start + 1 :]

    def emptied(one: bytes) -> bytes:
        return one.replace(
            between(one, b"<SignatureValue>", b"</SignatureValue>"), b"<SignatureValue></SignatureValue>"
        )

    def cut_short(one: bytes) -> bytes:
        return (
            one.replace(b"</SignatureValue>", b"\0", 1)[: one.index(b"</SignatureValue>") - 40]
            + one[one.index(b"</SignatureValue>") :]
        )

    yield Variant(family, "changed", on_signature(changed))
    yield Variant(family, "empty", on_signature(emptied))
    yield Variant(family, "cut short", on_signature(cut_short))
    yield Variant(family, "no base64", replaced(b"<SignatureValue>", b"<SignatureValue>%%"))
    yield Variant(family, "zeros before", replaced(b"<SignatureValue>", b"<SignatureValue>AAAA"))
    for what, more in (("padding", b"="), ("letters", b"AAAA"), ("another value", b"QQ==")):
        yield Variant(family, f"{what} after the padding", replaced(b"</SignatureValue>", more + b"</SignatureValue>"))
    yield Variant(family, "the modulus added", _modulus_added)
    yield Variant(family, "in an element within", on_signature(_nested_value))
    for name in (b"SignatureValue", b"DigestValue"):
        start = b"<%s>" % name
        yield Variant(family, f"a processing instruction in {name.decode()}", on_signature(_inside(start, b"<?p i?>")))
        yield Variant(family, f"an element in {name.decode()}", on_signature(_inside(start, b"<x/>")))
    for name in (b"SignatureValue", b"DigestValue", b"X509Certificate"):
        start = b"<%s>" % name
        yield Variant(
            "same", f"a comment in {name.decode()}", on_signature(_inside(start, b"<!-- c -->")), Expected.SAME
        )
    for name in (b"SignatureValue", b"X509Certificate"):
        start = b"<%s>" % name
        for what, space in (("white space", b" \n\t"), ("a line end of Windows", b"\r\n")):
            yield Variant("same", f"{what} in {name.decode()}", on_signature(_inside(start, space)), Expected.SAME)
    # It is in SignedInfo, so it is signed.
    yield Variant(family, "white space in DigestValue", on_signature(_inside(b"<DigestValue>", b" \n")))


def _modulus_added(target: Target) -> bytes:
    """The same number for the mathematics, another one for whoever compares bytes."""
    before, one, end = split(target.good)
    value = between(one, b"<SignatureValue>", b"</SignatureValue>")
    key = target.signer.certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    number = int.from_bytes(b64decode(value[16:-17]), "big") + key.public_numbers().n
    added = b64encode(number.to_bytes(key.key_size // 8 + 1, "big").removeprefix(b"\0"))
    return target.request(before + one.replace(value[16:-17], added) + end)


def _inside(start: bytes, what: bytes) -> Change:
    def change(one: bytes) -> bytes:
        place = one.index(start) + len(start) + 12
        return one[:place] + what + one[place:]

    return change


def _nested_value(one: bytes) -> bytes:
    value = between(one, b"<SignatureValue>", b"</SignatureValue>")
    return one.replace(value, b"<SignatureValue>%s</SignatureValue>" % value)


# Keys and certificates


def _der(certificate: x509.Certificate) -> bytes:
    return b64encode(certificate.public_bytes(Encoding.DER))


def _certificate(one: bytes) -> bytes:
    return between(one, b"<X509Certificate>", b"</X509Certificate>")


def _with_certificates(choose: Callable[[Target], list[x509.Certificate]]) -> Make:
    def make(target: Target) -> bytes:
        before, one, end = split(target.good)
        made = b"".join(b"<X509Certificate>%s</X509Certificate>" % _der(each) for each in choose(target))
        return target.request(before + one.replace(_certificate(one), made) + end)

    return make


def _key_info(content: Callable[[Target], str]) -> Make:
    def make(target: Target) -> bytes:
        before, one, end = split(target.good)
        old = between(one, b"<KeyInfo>", b"</KeyInfo>")
        return target.request(before + one.replace(old, b"<KeyInfo>%s</KeyInfo>" % content(target).encode()) + end)

    return make


def _key_value(identity: Identity) -> str:
    numbers = identity.key.public_key().public_numbers()
    modulus, exponent = (b64encode(n.to_bytes((n.bit_length() + 7) // 8)).decode() for n in (numbers.n, numbers.e))
    return (
        f"<KeyValue><RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent></RSAKeyValue></KeyValue>"
    )


def _issuer_serial(target: Target) -> str:
    one = target.signer.certificate
    return (
        f"<X509Data><X509IssuerSerial><X509IssuerName>{one.issuer.rfc4514_string()}</X509IssuerName>"
        f"<X509SerialNumber>{one.serial_number}</X509SerialNumber></X509IssuerSerial></X509Data>"
    )


def _retrieval(target: Target) -> str:
    return f'<RetrievalMethod URI="{target.cast.listener}/key" Type="{DSIG}rawX509Certificate"></RetrievalMethod>'


def _beside(content: Callable[[Target], str], *, before: bool = True) -> Make:
    def make(target: Target) -> bytes:
        place = b"<KeyInfo>" if before else b"</KeyInfo>"
        text = content(target).encode()
        made = place + text if before else text + place
        start, one, end = split(target.good)
        return target.request(start + one.replace(place, made) + end)

    return make


_KEY_INFO_REFERENCE: Final = '<KeyInfoReference xmlns="http://www.w3.org/2009/xmldsig11#" URI="#x"></KeyInfoReference>'


def _somebody_else(target: Target) -> str:
    return (
        f"<KeyName>{target.cast.outsider.organisation}</KeyName><MgmtData>x</MgmtData>"
        "<X509Data><X509SubjectName>CN=x</X509SubjectName><X509SKI>QUJD</X509SKI><X509CRL>QUJD</X509CRL></X509Data>"
    )


def _outsider_data(target: Target) -> str:
    return f"<X509Data><X509Certificate>{_der(target.cast.outsider.certificate).decode()}</X509Certificate></X509Data>"


def _own(target: Target) -> x509.Certificate:
    return target.signer.certificate


def _keys() -> Iterator[Variant]:
    family = "key"
    yield Variant(
        family, "no KeyInfo", on_signature(lambda one: one.replace(between(one, b"<KeyInfo>", b"</KeyInfo>"), b""))
    )
    yield Variant(family, "an empty KeyInfo", _key_info(lambda _: ""))
    yield Variant(family, "KeyValue alone", _key_info(lambda t: _key_value(t.signer)))
    yield Variant(family, "KeyName alone", _key_info(lambda _: f"<KeyName>{KOMMUN_A}</KeyName>"))
    yield Variant(family, "the issuer and the number alone", _key_info(_issuer_serial))
    yield Variant(
        family, "the subject alone", _key_info(lambda _: "<X509Data><X509SubjectName>CN=x</X509SubjectName></X509Data>")
    )
    yield Variant(family, "RetrievalMethod alone", _key_info(_retrieval))
    yield Variant(
        family, "KeyValue of another key beside the certificate", _beside(lambda t: _key_value(t.cast.outsider))
    )
    yield Variant(family, "another organisation's certificate first", _beside(_outsider_data))
    yield Variant(
        family,
        "another organisation's certificate instead",
        _with_certificates(lambda t: [t.cast.outsider.certificate]),
    )
    yield Variant(
        family,
        "another organisation's certificate before",
        _with_certificates(lambda t: [t.cast.outsider.certificate, _own(t)]),
    )
    yield Variant(family, "the authority's certificate", _with_certificates(lambda t: [t.cast.pki.issuing.certificate]))
    yield Variant(family, "a thousand certificates before", _with_certificates(_thousand))
    yield Variant(family, "a certificate that is cut short", replaced(b"</X509Certificate>", b"AAAA</X509Certificate>"))
    yield Variant(family, "a certificate that is no base64", replaced(b"<X509Certificate>", b"<X509Certificate>%"))
    yield Variant(family, "X509SKI alone", _key_info(lambda _: "<X509Data><X509SKI>QUJD</X509SKI></X509Data>"))
    yield Variant(family, "the issuer before the certificate", _with_certificates(lambda t: [*t.signer.chain, _own(t)]))
    yield Variant(family, "a certificate in KeyInfoReference", _key_info(lambda t: _KEY_INFO_REFERENCE))
    yield Variant("same", "names of somebody else beside the certificate", _beside(_somebody_else), Expected.SAME)
    yield Variant("same", "KeyValue of the same key", _beside(lambda t: _key_value(t.signer)), Expected.SAME)
    yield Variant("same", "RetrievalMethod beside the certificate", _beside(_retrieval, before=False), Expected.SAME)
    yield Variant(
        "same",
        "another organisation's certificate after its own",
        _with_certificates(lambda t: [_own(t), t.cast.outsider.certificate]),
        Expected.SAME,
    )
    yield Variant(
        "same",
        "the certificate and its issuer",
        _with_certificates(lambda t: [_own(t), *t.signer.chain]),
        Expected.SAME,
    )


def _thousand(target: Target) -> list[x509.Certificate]:
    return [target.cast.outsider.certificate] * 1000 + [_own(target)]


# Signers

Choose = Callable[[Target], Identity]


def _number(target: Target) -> str:
    return DISPATCHER if target.site.sealed and not target.site.inner else KOMMUN_A


def _faulty(**fault: bool) -> Choose:
    return lambda target: target.cast.pki.organisation(_number(target), "Namn", **fault)


_SIGNERS: Final[dict[str, Choose]] = {
    "an organisation that may not": lambda target: target.cast.outsider,
    "the sender's, expired": _faulty(expired=True),
    "one that is not valid yet": _faulty(not_yet_valid=True),
    "one that is for encryption": _faulty(wrong_usage=True),
    "one by another issuer of the same name": _faulty(other_issuer=True),
    "one without an organisation": _faulty(no_organisation=True),
    "an RSA key of 1024 bits": _faulty(weak_key=True),
    "one that is self-signed": _faulty(self_signed=True),
    "one of an issuer that nobody knows": lambda target: TestPki(
        target.cast.clock, new_keys=True, name="x"
    ).organisation(_number(target), "Namn"),
    "the number without 16 before it": lambda target: target.cast.pki.organisation(_number(target)[2:], "Namn"),
    "the number with a blank after it": lambda target: target.cast.pki.organisation(_number(target) + " ", "Namn"),
    "an authority without the right to be one": lambda target: target.cast.pki.organisation(
        _number(target),
        "Namn",
        issuer=target.cast.pki.authority("no authority", target.cast.pki.issuing, constrained=False),
    ),
    "an expired authority": lambda target: target.cast.pki.organisation(
        _number(target), "Namn", issuer=target.cast.pki.authority("old", target.cast.pki.root, expired=True)
    ),
}


def _by(choose: Choose) -> Make:
    return lambda target: target.request(signed(target.unsigned, choose(target)))


def _by_person(target: Target) -> bytes:
    person = EIdentificationIssuer(target.cast.clock).person(KOMMUN_A, "Anna Andersson")
    chain = tuple(person.chain)
    assert not isinstance(person.key, type(None))
    return target.request(signed(target.unsigned, Identity(KOMMUN_A, person.certificate, person.key, chain)))  # type: ignore[arg-type]


def _signers() -> Iterator[Variant]:
    for name, choose in _SIGNERS.items():
        yield Variant("signer", name, _by(choose))
    yield Variant("signer", "a person", _by_person)


def structures() -> Iterator[Variant]:
    """Yield all of them."""
    yield from _exclusions()
    yield from _doubled()
    yield from _values()
    yield from _keys()
    yield from _signers()
