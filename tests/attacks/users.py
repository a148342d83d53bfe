"""The signatures of users under an agreement text, in each request that has them, changed in each way."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mm_soap.testing.e_identification import EIdentificationIssuer, EIdentity
from mm_soap.testing.user_signatures import C14N, EXCLUSIVE_C14N, XmlOptions
from mm_soap.user_signatures import UserSignature
from mm_soap.xml import DSIG
from tests.integration.register import world
from tests.integration.register.world import ANNA, BO, TEXT

EVIL: Final = "Jag ger bort min brevlåda."
_DATA: Final = "<bankIdSignedData "
_DATA_END: Final = "</bankIdSignedData>"


@dataclass(frozen=True)
class Persons:
    """Who signs."""

    issuer: EIdentificationIssuer
    anna: EIdentity
    bo: EIdentity

    @classmethod
    def of(cls, issuer: EIdentificationIssuer) -> Persons:
        """Return the persons of an issuer."""
        return cls(issuer, issuer.person(ANNA, "Anna Andersson"), issuer.person(BO, "Bo Berg"))


Sign = Callable[[Persons, str], UserSignature]
"""Signs with a nonce, that no other signature has."""


def good(persons: Persons, nonce: str) -> UserSignature:
    return persons.anna.sign_xml(TEXT, nonce=nonce)


def _before(edit: Callable[[str], str] = lambda one: one, **options: object) -> Sign:
    """Change it before it is signed: the signature is right."""

    def sign(persons: Persons, nonce: str) -> UserSignature:
        return persons.anna.sign_xml(TEXT, nonce=nonce, options=XmlOptions(edit=edit, **options))  # type: ignore[arg-type]

    return sign


def _after(change: Callable[[str], str]) -> Sign:
    """Change it after it was signed."""

    def sign(persons: Persons, nonce: str) -> UserSignature:
        made = good(persons, nonce)
        text = made.signature.decode()
        changed = change(text)
        assert changed != text
        return replace(made, signature=changed.encode())

    return sign


def swap(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return change


def _data(text: str) -> str:
    return text[text.index(_DATA) : text.index(_DATA_END) + len(_DATA_END)]


def _forged(text: str, identifier: str) -> str:
    data = _data(text)
    visible = data[data.index("<usrVisibleData") : data.index("</usrVisibleData>")]
    made = data.replace(visible[visible.index(">") + 1 :], b64encode(EVIL.encode()).decode())
    return made.replace(' Id="bidSignedData"', identifier)


_PLACES: Final[dict[str, Callable[[str, str], str]]] = {
    "before it": lambda text, evil: text.replace(_DATA, evil + _DATA, 1),
    "after it": lambda text, evil: text.replace(_DATA_END, _DATA_END + evil, 1),
    "in an Object before": lambda text, evil: text.replace("<Object>", f"<Object>{evil}</Object><Object>", 1),
    "in an Object after": lambda text, evil: text.replace("</Object>", f"</Object><Object>{evil}</Object>", 1),
    "around it": lambda text, evil: text.replace(_data(text), evil.replace(_DATA_END, _data(text) + _DATA_END)),
    "in its place, and it in KeyInfo": lambda text, evil: text.replace(_data(text), evil).replace(
        "</KeyInfo>", _data(text) + "</KeyInfo>"
    ),
    "in its place, and it in SignatureValue": lambda text, evil: text.replace(_data(text), evil).replace(
        "</SignatureValue>", _data(text) + "</SignatureValue>"
    ),
    "in its place, and it in a signature around": lambda text, evil: text.replace(_data(text), evil).replace(
        _DATA_END, text + _DATA_END
    ),
}
_NAMED: Final = {
    "no Id": "",
    "the same Id": ' Id="bidSignedData"',
    "another Id": ' Id="x"',
    "an id": ' id="bidSignedData"',
}


def _wrapped(place: Callable[[str, str], str], identifier: str) -> Sign:
    return _after(lambda text: place(text, _forged(text, identifier)))


def _another_text(persons: Persons, nonce: str) -> UserSignature:
    return persons.anna.sign_xml(EVIL, nonce=nonce)


def _other(persons: Persons, nonce: str) -> UserSignature:
    return persons.bo.sign_xml(TEXT, nonce=nonce)


def _certificate_of_another(persons: Persons, nonce: str) -> UserSignature:
    return replace(good(persons, nonce), certificate=persons.bo.certificate_text)


def _key_of_another(persons: Persons, nonce: str) -> UserSignature:
    made, theirs = good(persons, nonce), persons.anna.certificate_text
    text = made.signature.decode().replace(theirs, persons.bo.certificate_text)
    return replace(made, signature=text.encode(), certificate=persons.bo.certificate_text)


def _by(**fault: bool) -> Sign:
    return lambda persons, nonce: persons.issuer.person(ANNA, "Anna Andersson", **fault).sign_xml(TEXT, nonce=nonce)  # type: ignore[arg-type]


def _stranger(persons: Persons, nonce: str) -> UserSignature:
    from mm_soap.testing import FrozenClock, TestPki

    clock = FrozenClock(world.NOW)
    return (
        EIdentificationIssuer(clock, TestPki(clock, new_keys=True))
        .person(ANNA, "Anna Andersson")
        .sign_xml(TEXT, nonce=nonce)
    )


def _raw(content: bytes) -> Sign:
    return lambda persons, nonce: replace(good(persons, nonce), signature=content)


_RSA: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_METHODS: Final = (
    f"{DSIG}rsa-sha1",
    f"{DSIG}hmac-sha1",
    f"{DSIG}dsa-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "urn:unknown",
    "",
)
_FORBIDDEN: Final = (
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/2002/06/xmldsig-filter2",
    f"{DSIG}base64",
    f"{DSIG}enveloped-signature",
    f"{EXCLUSIVE_C14N}WithComments",
)
_TRANSFORM: Final = '<Transform Algorithm="{}"'
_HMAC: Final = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
_URIS: Final = ("", "#x", "#xpointer(/)", "http://127.0.0.1:9/x", "file:///etc/hostname", "#bidKeyInfo")
_MANY: Final = "".join(f' xmlns:p{n}="urn:p{n}"' for n in range(4000))

USER_ATTACKS: Final[dict[str, Sign]] = {
    **{
        f"other data {where}, with {name}": _wrapped(place, identifier)
        for where, place in _PLACES.items()
        for name, identifier in _NAMED.items()
    },
    **{f"SignatureMethod {uri or 'none'}": _before(swap(_RSA, uri)) for uri in _METHODS},
    **{
        f"Transform {uri}": _before(swap(f'<Transform Algorithm="{C14N}"', f'<Transform Algorithm="{uri}"'))
        for uri in _FORBIDDEN
    },
    **{f"a Reference to {uri or 'the whole'}": _before(swap('URI="#bidSignedData"', f'URI="{uri}"')) for uri in _URIS},
    "SHA-1 as digest": _before(swap("#rsa-sha1", "#rsa-sha256"), digest="sha1"),
    "HMAC cut short": _before(
        swap(f'"{_RSA}"/>', f'"{_HMAC}"><HMACOutputLength>0</HMACOutputLength></SignatureMethod>')
    ),
    "no signature value": _after(
        lambda text: text[: text.index("<SignatureValue>") + 16] + text[text.index("</SignatureValue>") :]
    ),
    "a signature value with what is no base64": _after(swap("<SignatureValue>", "<SignatureValue>%%")),
    "a changed signature value": _after(lambda text: text.replace("<SignatureValue>", "<SignatureValue>AAAA")),
    "two SignedInfo": _after(lambda text: text.replace("</SignedInfo>", "</SignedInfo><SignedInfo/>")),
    "no SignedInfo": _after(lambda text: text[: text.index("<SignedInfo>")] + text[text.index("</SignedInfo>") + 13 :]),
    "KeyValue beside the certificate": _before(swap("<X509Data>", "<KeyValue/><X509Data>")),
    "no certificate in KeyInfo": _before(lambda text: text.replace("X509Certificate", "X509CRL")),
    "a processing instruction in DigestValue": _after(swap("</DigestValue>", "<?p i?></DigestValue>")),
    "a comment in SignatureValue": _after(swap("<SignatureValue>", "<SignatureValue><!-- -->")),
    "another text": _another_text,
    "a comment and another text": _after(swap("</usrVisibleData>", "<!-- -->AAAA</usrVisibleData>")),
    "another purpose": _before(purpose="Identification"),
    "a text that was not shown": _before(visible='charset="UTF-8" visible="no"'),
    "another person": _other,
    "the certificate of another person beside it": _certificate_of_another,
    "the certificate of another person": _key_of_another,
    "an expired certificate": _by(expired=True),
    "a certificate that is not valid yet": _by(not_yet_valid=True),
    "a certificate for encryption": _by(wrong_usage=True),
    "a certificate by another issuer of the same name": _by(other_issuer=True),
    "a key of 1024 bits": _by(weak_key=True),
    "an issuer that nobody knows": _stranger,
    "a DOCTYPE": _after(lambda text: "<!DOCTYPE x>" + text),
    "entities": _after(lambda text: '<!DOCTYPE x [<!ENTITY a "b">]>' + text.replace("<srvInfo>", "&a;<srvInfo>")),
    "4000 namespaces": _after(swap("<Object", f"<Object{_MANY}")),
    "UTF-7": _after(lambda text: f'<?xml version="1.0" encoding="UTF-7"?>{text}'),
    "nothing": _raw(b"\0"),
    "no XML": _raw(b"<Signature"),
    "XML that is no signature": _raw(b"<x/>"),
}
"""What becomes of each: the request is refused, and no account is changed."""

USER_OPERATIONS: Final = ("register", "deregister", "changeServiceSupplier", "storeAccountPreferences")
