"""Signatures in other manners: those that are accepted, and those that never are, however right the mathematics."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import product
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from mm_soap.conformance.xmlsig import ENVELOPED, EXCLUSIVE, INCLUSIVE, RSA, Manner, with_id, with_last_child
from mm_soap.pki import Identity
from mm_soap.xml import DSIG, parse_untrusted
from tests.attacks.model import Expected, Variant
from tests.attacks.sites import Target
from tests.attacks.wrapping import split

MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
ENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XML11: Final = "http://www.w3.org/2009/xmldsig11#"
_2007: Final = "http://www.w3.org/2007/05/xmldsig-more#"
_C14N11: Final = "http://www.w3.org/2006/12/xml-c14n11"
_SHA256: Final = f"{ENC}sha256"

Edit = Callable[[str], str]
Proof = Callable[[bytes, Identity], bytes]


def rsa(text: bytes, by: Identity) -> bytes:
    return by.key.sign(text, PKCS1v15(), hashes.SHA256())


def resigned(
    target: Target, edit: Edit, proof: Proof = rsa, *, document: bytes | None = None, comments: bool = False
) -> bytes:
    """Return the document with a signature whose SignedInfo was edited before it was signed.

    Args:
        target: what is signed.
        edit: changes what stands in SignedInfo.
        proof: makes the value of the signature.
        document: another one than the target's.
        comments: keep comments when SignedInfo is canonicalised.
    """
    start, info, end = _taken_apart(target.signature().decode())
    edited = edit(info)
    alone = parse_untrusted(f'<SignedInfo xmlns="{DSIG}">{edited}</SignedInfo>'.encode())
    text = etree.tostring(alone, method="c14n", exclusive=True, with_comments=comments)
    value = b64encode(proof(text, target.signer)).decode()
    before, _, rest = end.partition("<SignatureValue>")
    made = f"{start}{edited}{before}<SignatureValue>{value}{rest[rest.index('</SignatureValue>') :]}"
    return with_last_child(document or target.unsigned, made.encode())


def _taken_apart(signature: str) -> tuple[str, str, str]:
    start, end = signature.index("<SignedInfo>") + len("<SignedInfo>"), signature.index("</SignedInfo>")
    return signature[:start], signature[start:end], signature[end:]


def swap(old: str, new: str) -> Edit:
    def edit(info: str) -> str:
        assert old in info, old
        return info.replace(old, new, 1)

    return edit


def _edited(name: str, edit: Edit, proof: Proof = rsa, family: str = "algorithm", **more: bool) -> Variant:
    return Variant(family, name, lambda target: target.request(resigned(target, edit, proof, **more)))


# Algorithms


def _hmac_with(key: Callable[[Identity], bytes], digest: str) -> Proof:
    return lambda text, by: hmac.digest(key(by), text, digest)


_PUBLIC: Final[dict[str, Callable[[Identity], bytes]]] = {
    "the public key as PEM": lambda by: by.key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ),
    "the public key as DER": lambda by: by.key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ),
    "the certificate as PEM": lambda by: by.certificate.public_bytes(Encoding.PEM),
    "the certificate as DER": lambda by: by.certificate.public_bytes(Encoding.DER),
    "the certificate as base64": lambda by: b64encode(by.certificate.public_bytes(Encoding.DER)),
    "no key": lambda by: b"",
}
_HMACS: Final = {"sha1": f"{DSIG}hmac-sha1", **{f"sha{n}": f"{MORE}hmac-sha{n}" for n in (256, 384, 512)}}
_METHOD: Final = f'<SignatureMethod Algorithm="{RSA.format(256)}"></SignatureMethod>'
_HASHES: Final = {"sha1": hashes.SHA1(), "md5": hashes.MD5(), "sha224": hashes.SHA224()}


def _method(algorithm: str, content: str = "") -> Edit:
    return swap(_METHOD, f'<SignatureMethod Algorithm="{algorithm}">{content}</SignatureMethod>')


def _hmacs() -> Iterator[Variant]:
    for (digest, uri), (name, key) in product(_HMACS.items(), _PUBLIC.items()):
        yield _edited(f"HMAC {digest} with {name}", _method(uri), _hmac_with(key, digest))
    for (digest, uri), bits in product(_HMACS.items(), (0, 1, 8, 40, 80, 128)):
        proof = _hmac_with(_PUBLIC["the public key as PEM"], digest)
        cut = _method(uri, f"<HMACOutputLength>{bits}</HMACOutputLength>")
        yield _edited(f"HMAC {digest} cut to {bits} bits", cut, lambda text, by, p=proof, n=bits: p(text, by)[: n // 8])
    for bits in (0, 1, 8):
        content = f"<HMACOutputLength>{bits}</HMACOutputLength>"
        yield _edited(
            f"RSA cut to {bits} bits", _method(RSA.format(256), content), lambda t, by, n=bits: rsa(t, by)[: n // 8]
        )


def _by_hash(name: str) -> Proof:
    return lambda text, by: by.key.sign(text, PKCS1v15(), _HASHES[name])


def _pss(text: bytes, by: Identity) -> bytes:
    return by.key.sign(text, PSS(MGF1(hashes.SHA256()), 32), hashes.SHA256())


_METHODS: Final[dict[str, tuple[str, Proof]]] = {
    "RSA SHA-1": (f"{DSIG}rsa-sha1", _by_hash("sha1")),
    "RSA MD5": (f"{MORE}rsa-md5", _by_hash("md5")),
    "RSA SHA-224": (f"{MORE}rsa-sha224", _by_hash("sha224")),
    "RSA PSS": (f"{_2007}sha256-rsa-MGF1", _pss),
    "RSA PSS with parameters": (f"{_2007}rsa-pss", _pss),
    **{
        name: (uri, rsa)
        for name, uri in {
            "RSA RIPEMD-160": f"{MORE}rsa-ripemd160",
            "DSA SHA-1": f"{DSIG}dsa-sha1",
            "DSA SHA-256": f"{XML11}dsa-sha256",
            "ECDSA SHA-1": f"{MORE}ecdsa-sha1",
            "ECDSA SHA-256": f"{MORE}ecdsa-sha256",
            "ESIGN": f"{MORE}esign-sha1",
            "EdDSA": "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
            "HMAC RIPEMD-160": f"{MORE}hmac-ripemd160",
            "another hash than was used": RSA.format(512),
            "nothing": "",
            "an unknown one": "urn:unknown",
            "none": "none",
            "other case": RSA.format(256).upper(),
            "white space around": f" {RSA.format(256)} ",
            "an identifier with a fragment more": RSA.format(256) + "#",
        }.items()
    },
}


def _digest(uri: str, name: str) -> Callable[[Target], bytes]:
    def make(target: Target) -> bytes:
        text = etree.tostring(parse_untrusted(target.unsigned), method="c14n", exclusive=True)
        value = b64encode(hashlib.new(name, text).digest()).decode()

        def edit(info: str) -> str:
            info = swap(_SHA256, uri)(info)
            start, end = info.index("<DigestValue>") + 13, info.index("</DigestValue>")
            return info[:start] + value + info[end:]

        return target.request(resigned(target, edit))

    return make


_DIGESTS: Final = (
    ("SHA-1", f"{DSIG}sha1", "sha1"),
    ("MD5", f"{MORE}md5", "md5"),
    ("SHA-224", f"{MORE}sha224", "sha224"),
    ("SHA3-256", f"{_2007}sha3-256", "sha3_256"),
    ("BLAKE2b", f"{_2007}blake2b", "blake2b"),
    ("none", "", "sha256"),
    ("an unknown one", "urn:unknown", "sha256"),
    ("another than was used", f"{ENC}sha512", "sha256"),
)

_CANONICAL: Final = f'<CanonicalizationMethod Algorithm="{EXCLUSIVE}"></CanonicalizationMethod>'
_CANONICALIZATIONS: Final = {
    "exclusive with comments": f"{EXCLUSIVE}WithComments",
    "inclusive with comments": f"{INCLUSIVE}#WithComments",
    "1.1 with comments": f"{_C14N11}#WithComments",
    "2.0": "http://www.w3.org/2010/xml-c14n2",
    "minimal": f"{DSIG}minimal",
    "XSLT": "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "XPath": "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "none": "",
    "an unknown one": "urn:unknown",
}


def _algorithms() -> Iterator[Variant]:
    yield from _hmacs()
    for name, (uri, proof) in _METHODS.items():
        yield _edited(f"SignatureMethod {name}", _method(uri), proof)
    for name, uri, digest in _DIGESTS:
        yield Variant("algorithm", f"DigestMethod {name}", _digest(uri, digest))
    for name, uri in _CANONICALIZATIONS.items():
        yield _edited(f"CanonicalizationMethod {name}", swap(f'"{EXCLUSIVE}"', f'"{uri}"'), comments="comments" in name)
    for name, element in (("Signature", _METHOD), ("Canonicalization", _CANONICAL)):
        yield _edited(f"no {name}Method", swap(element, ""))
        yield _edited(f"{name}Method without Algorithm", swap(element, f"<{name}Method></{name}Method>"))
        yield _edited(f"two {name}Methods", swap(element, element * 2))


# Transforms

_ENVELOPED: Final = f'<Transform Algorithm="{ENVELOPED}"></Transform>'
_TRANSFORMS: Final = f"<Transforms>{_ENVELOPED}</Transforms>"
_SHEET: Final = (
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    "<xsl:copy-of select=\"document('{listener}/xslt')\"/></xsl:template></xsl:stylesheet>"
)


def _transform(uri: str, content: str = "") -> str:
    return f'<Transform Algorithm="{uri}">{content}</Transform>'


def _xpath(expression: str) -> str:
    content = f'<XPath xmlns:d="{DSIG}">{expression}</XPath>'
    return _transform("http://www.w3.org/TR/1999/REC-xpath-19991116", content)


_FILTER: Final = "http://www.w3.org/2002/06/xmldsig-filter2"
_FORBIDDEN_TRANSFORMS: Final = {
    **{
        f"XPath {expression}": _xpath(expression)
        for expression in ("not(ancestor-or-self::d:Signature)", "1", "0", "self::text()", "count(//. | //@*) &lt; 1")
    },
    "XPath filter": _transform(_FILTER, f'<XPath xmlns="{_FILTER}" Filter="subtract">/*</XPath>'),
    "XSLT": _transform("http://www.w3.org/TR/1999/REC-xslt-19991116", _SHEET),
    "base64": _transform(f"{DSIG}base64"),
    "decryption": _transform("http://www.w3.org/2002/07/decrypt#XML"),
    "a security token": _transform(
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform"
    ),
    "exclusive with comments": _transform(f"{EXCLUSIVE}WithComments"),
    "inclusive with comments": _transform(f"{INCLUSIVE}#WithComments"),
    "XPointer": _transform("http://www.w3.org/2001/04/xmldsig-more/xptr"),
    "an unknown one": _transform("urn:unknown"),
    "one without a name": _transform(""),
    "enveloped again": _ENVELOPED,
}
_EXCLUSIVE: Final = _transform(EXCLUSIVE)


def _transforms() -> Iterator[Variant]:
    for (name, one), (order, whole) in product(
        _FORBIDDEN_TRANSFORMS.items(),
        (("after", "{e}{t}"), ("before", "{t}{e}"), ("between", "{e}{t}{x}"), ("last", "{e}{x}{t}"), ("alone", "{t}")),
    ):
        if name == "enveloped again" and order == "alone":
            continue

        def make(target: Target, one: str = one, whole: str = whole) -> bytes:
            made = whole.format(e=_ENVELOPED, t=one.replace("{listener}", target.cast.listener), x=_EXCLUSIVE)
            return target.request(resigned(target, swap(_TRANSFORMS, f"<Transforms>{made}</Transforms>")))

        yield Variant("transform", f"{name}, {order}", make)
    yield _edited("no Transforms", swap(_TRANSFORMS, ""), family="transform")
    yield _edited("empty Transforms", swap(_ENVELOPED, ""), family="transform")
    yield _edited("exclusive alone", swap(_ENVELOPED, _EXCLUSIVE), family="transform")
    yield _edited("exclusive first", swap(_ENVELOPED, _EXCLUSIVE + _ENVELOPED), family="transform")
    yield _edited("two canonicalisations", swap(_ENVELOPED, _ENVELOPED + _EXCLUSIVE * 2), family="transform")
    yield _edited("Transforms twice", swap(_TRANSFORMS, _TRANSFORMS * 2), family="transform")
    inside = _transform(ENVELOPED, f"<XPath xmlns:d='{DSIG}'>1</XPath>")
    yield _edited("an expression in enveloped-signature", swap(_ENVELOPED, inside), family="transform")
    many = " ".join(f"p{n}" for n in range(20_000))
    listed = f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="{many}"></InclusiveNamespaces>'
    yield _edited(
        "a list of many prefixes", swap(_ENVELOPED, _ENVELOPED + _transform(EXCLUSIVE, listed)), family="transform"
    )


# References

_URI: Final = 'URI=""'
_URIS: Final = (
    "{listener}/document.xml",
    "https://127.0.0.1:9/document.xml",
    "//127.0.0.1:9/document.xml",
    "file:///etc/hostname",
    "ftp://127.0.0.1/x",
    "jar:file:///x!/y",
    "ldap://127.0.0.1:9/x",
    "#",
    "##SD-1",
    "#other",
    "#SD-1",
    "#xpointer(/)",
    "#xpointer(id('SD-1'))",
    "#xpointer(//*[1])",
    "#element(/1)",
    "#xmlns(d=urn:x)xpointer(//d:x)",
    "#SD-1 ",
    "#sd-1",
    "?",
    ".",
    "/",
    "cid:part",
    "urn:document",
    " ",
    "%23SD-1",
    "{listener}/x#SD-1",
)
_MANIFEST: Final = f"{DSIG}Manifest"


def _references() -> Iterator[Variant]:
    for uri, with_it in product(_URIS, (False, True)):

        def make(target: Target, uri: str = uri, with_it: bool = with_it) -> bytes:
            document = with_id(target.unsigned, "SD-2" if uri == "#SD-1" else "SD-1") if with_it else target.unsigned
            named = Target(target.site, target.cast)
            named.__dict__["unsigned"] = document
            listener = target.cast.listener
            return target.request(resigned(named, swap(_URI, f'URI="{uri.replace("{listener}", listener)}"')))

        yield Variant("reference", f"to {uri!r}, {'with' if with_it else 'without'} an Id on the root", make)
    yield _edited("without URI", swap(f" {_URI}", ""), family="reference")
    yield _edited("none", lambda info: info[: info.index("<Reference")], family="reference")
    yield _edited("two of the same", lambda info: info + info[info.index("<Reference") :], family="reference")
    yield _edited("a hundred", lambda info: info + info[info.index("<Reference") :] * 99, family="reference")
    second = (
        '<Reference URI="{}"><DigestMethod Algorithm="{}"></DigestMethod><DigestValue>AAAA</DigestValue></Reference>'
    )
    for name, uri in (("another place", "#x"), ("the web", "http://127.0.0.1:9/x")):
        first = lambda info, u=uri: info.replace("<Reference", second.format(u, _SHA256) + "<Reference", 1)  # noqa: E731
        yield _edited(f"a first one to {name}", first, family="reference")
        after = lambda info, u=uri: info + second.format(u, _SHA256)  # noqa: E731
        yield _edited(f"a second one to {name}", after, family="reference")
    yield Variant("reference", "to a Manifest that refers to the document", _manifest)
    yield Variant("reference", "a Manifest beside the right one", _manifest_beside)


def _manifest(target: Target) -> bytes:
    """The signature covers a Manifest, and the digest of the document in it is wrong."""
    reference = target.signature().decode().partition("<Reference")[2].partition("</Reference>")[0]
    inside = f'<Manifest xmlns="{DSIG}" Id="M"><Reference{reference}</Reference></Manifest>'
    digest = b64encode(
        hashlib.sha256(etree.tostring(parse_untrusted(inside.encode()), method="c14n", exclusive=True)).digest()
    ).decode()

    def edit(info: str) -> str:
        start = info.index("<Reference")
        return (
            f'{info[:start]}<Reference Type="{_MANIFEST}" URI="#M"><DigestMethod Algorithm="{_SHA256}"></DigestMethod>'
            f"<DigestValue>{digest}</DigestValue></Reference>"
        )

    before, signature, end = split(resigned(target, edit))
    with_object = signature.replace(b"</Signature>", f"<Object>{inside}</Object></Signature>".encode())
    return target.request(before + with_object + end)


def _manifest_beside(target: Target) -> bytes:
    content = b'<Object><Manifest Id="M"><Reference URI="http://127.0.0.1:9/x">'
    content += f'<DigestMethod Algorithm="{_SHA256}"/><DigestValue>AAAA</DigestValue>'.encode()
    content += b"</Reference></Manifest></Object></Signature>"
    before, signature, end = split(target.good)
    return target.request(before + signature.replace(b"</Signature>", content) + end)


# Accepted manners


def _accepted() -> Iterator[Variant]:
    forms = {"": (ENVELOPED,), ", exclusive after": (ENVELOPED, EXCLUSIVE), ", inclusive after": (ENVELOPED, INCLUSIVE)}
    for digest, info, (name, transforms), by_id, prefix, lines in product(
        ("sha256", "sha384", "sha512"), (EXCLUSIVE, INCLUSIVE), forms.items(), (False, True), ("", "ds"), (False, True)
    ):
        if prefix and info == INCLUSIVE:
            continue  # the value depends on the namespaces around then, which this signer does not know
        manner = Manner(
            digest=digest,
            signed_info=info,
            transforms=transforms,
            by_id=by_id,
            prefix=prefix,
            lines=lines,  # type: ignore[arg-type]
        )
        how = (
            f"{digest}, SignedInfo {'exclusive' if info == EXCLUSIVE else 'inclusive'}{name}, "
            f"{'by Id' if by_id else 'whole'}, {'prefix' if prefix else 'no prefix'}, "
            f"{'in lines' if lines else 'in one line'}"
        )
        yield Variant("manner", how, lambda t, m=manner: t.request(t.signed(m)), Expected.SAME)
    for digest in ("sha256", "sha384", "sha512"):
        manner = Manner(digest=digest, key_info="certificate")  # type: ignore[arg-type]
        yield Variant(
            "manner", f"{digest}, KeyInfo without subject", lambda t, m=manner: t.request(t.signed(m)), Expected.SAME
        )


def signatures() -> Iterator[Variant]:
    """Yield all of them."""
    yield from _accepted()
    yield from _algorithms()
    yield from _transforms()
    yield from _references()
