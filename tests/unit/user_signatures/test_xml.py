"""XML signatures: the accepted shape, what is refused of others, wrapping."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from mm_soap.testing.user_signatures import EXCLUSIVE_C14N, XmlOptions
from mm_soap.user_signatures import UserSignature, UserSignatureError
from mm_soap.user_signatures import UserSignatureProblem as Problem
from mm_soap.user_signatures.xml_signature import BANKID
from mm_soap.xml import DSIG, parse_untrusted
from tests.unit.user_signatures.samples import ANNA, ISSUER, OSKAR, TEXT, VERIFIER, problem, verify

DS = f"{{{DSIG}}}"
EVIL = "Jag ger bort min brevlåda."


def xml(text: str = TEXT, **options: object) -> UserSignature:
    return ISSUER.sign_xml(ANNA, text, options=XmlOptions(**options))  # type: ignore[arg-type]


def swap(old: str, new: str) -> Callable[[str], str]:
    def edit(document: str) -> str:
        assert old in document
        return document.replace(old, new, 1)

    return edit


def tampered(change: Callable[[etree._Element], object], signature: UserSignature | None = None) -> UserSignature:
    signature = signature or xml()
    root = parse_untrusted(signature.signature)
    root = found if isinstance(found := change(root), etree._Element) else root
    return replace(signature, signature=etree.tostring(root))


def find(root: etree._Element, name: str, namespace: str = DSIG) -> etree._Element:
    found = root.find(f".//{{{namespace}}}{name}")
    assert found is not None
    return found


class TestAccepted:
    @pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
    @pytest.mark.parametrize("c14n", [EXCLUSIVE_C14N, "http://www.w3.org/2006/12/xml-c14n11"])
    def test_algorithms(self, digest: str, c14n: str) -> None:
        assert verify(xml(digest=digest, canonicalization=c14n))

    @pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
    def test_curves(self, curve: ec.EllipticCurve) -> None:
        person = ISSUER.person("189002619808", "Elsa Ek", elliptic=curve)
        assert verify(ISSUER.sign_xml(person, TEXT, options=XmlOptions(digest="sha512")))

    def test_without_transforms(self) -> None:
        assert verify(xml(transforms=False))

    def test_without_a_reference_to_key_info(self) -> None:
        assert verify(xml(refer_to_key_info=False))

    def test_a_reference_to_the_object(self) -> None:
        def edit(document: str) -> str:
            return document.replace('Id="bidSignedData"', "").replace("<Object>", '<Object Id="bidSignedData">')

        assert verify(xml(edit=edit))
        assert problem(xml(edit=edit), EVIL) is Problem.WRONG_TEXT

    def test_the_references_in_the_other_order(self) -> None:
        def edit(document: str) -> str:
            start, one, two = document.partition("</SignedInfo>")[0].split("<Reference ")
            rest = document.partition("</SignedInfo>")[2]
            return f"{start}<Reference {two}<Reference {one}</SignedInfo>{rest}"

        assert verify(xml(edit=edit))

    def test_with_prefixes_comments_and_lines(self) -> None:
        def edit(document: str) -> str:
            document = document.replace("<", "<ds:").replace("<ds:/", "</ds:").replace("xmlns=", "xmlns:ds=", 1)
            before, start, after = document.partition("<ds:bankIdSignedData")
            inside, end, rest = after.partition("</ds:Object>")
            data = (start + inside).replace("ds:", "b:").replace("xmlns=", "xmlns:b=")
            return f"<?xml version='1.0'?>\n<!-- c -->{before}\n{data}\n<!-- c -->{end}{rest}"

        assert verify(xml(edit=edit))

    def test_a_byte_order_mark(self) -> None:
        signature = xml()
        assert verify(replace(signature, signature=b"\xef\xbb\xbf" + signature.signature))

    def test_data_that_the_user_did_not_see_does_not_count(self) -> None:
        hidden = f"<usrNonVisibleData>{b64encode(EVIL.encode()).decode()}</usrNonVisibleData><srvInfo>"
        signature = xml(edit=swap("<srvInfo>", hidden))
        assert verify(signature)
        assert problem(signature, EVIL) is Problem.WRONG_TEXT

    def test_the_text_is_taken_whole(self) -> None:
        encoded = b64encode(TEXT.encode()).decode()
        signature = xml(edit=swap(encoded, f"{encoded[:8]}\n<!-- c --><?p i?>{encoded[8:]}"))
        assert verify(signature)

    @pytest.mark.parametrize("visible", ["", 'visible="wysiwys"', 'charset="utf-8"'])
    def test_attributes_that_are_not_there(self, visible: str) -> None:
        assert verify(xml(visible=visible, purpose=None))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('URI="#bidSignedData"', 'URI=""', Problem.SHAPE),
        ('URI="#bidSignedData"', "", Problem.SHAPE),
        ('URI="#bidSignedData"', 'URI="http://localhost/x"', Problem.SHAPE),
        ('URI="#bidSignedData"', 'URI="file:///etc/passwd"', Problem.SHAPE),
        ('URI="#bidSignedData"', 'URI="#xpointer(/)"', Problem.SHAPE),
        ('URI="#bidSignedData"', 'URI="##bidSignedData"', Problem.SHAPE),
        ('URI="#bidSignedData"', 'URI="#bidKeyInfo"', Problem.SHAPE),
        ('URI="#bidKeyInfo"', 'URI="#bidSignedData"', Problem.SHAPE),
        ('Id="bidSignedData"', 'ID="bidSignedData"', Problem.SHAPE),
        ('<KeyInfo Id="bidKeyInfo">', '<KeyInfo Id="bidSignedData">', Problem.SHAPE),
        ("<srvInfo>", '<srvInfo id="bidSignedData">', Problem.SHAPE),
        ("<srvInfo>", '<srvInfo xml:id="bidKeyInfo">', Problem.SHAPE),
        ("<SignedInfo>", '<SignedInfo xml:lang="sv">', Problem.SHAPE),
        ("<Object>", '<Object xml:space="preserve">', Problem.SHAPE),
        ("<Object>", "<Object><x/>", Problem.SHAPE),
        ("<Object>", "<Object/><Object>", Problem.SHAPE),
        ("</SignedInfo>", "</SignedInfo><SignedInfo/>", Problem.SHAPE),
        ("<SignatureValue/>", "<SignatureValue/><SignatureValue/>", Problem.SHAPE),
        ("<X509Data>", "<KeyValue/><X509Data>", Problem.SHAPE),
        ("<X509Data>", "<KeyName>Anna</KeyName><X509Data>", Problem.SHAPE),
        ("<X509Data>", "<X509Data/><X509Data>", Problem.SHAPE),
        ("<X509Certificate>", "<X509Certificate>!</X509Certificate><X509Certificate>", Problem.CERTIFICATE_UNREADABLE),
        ("</Transforms>", f'<Transform Algorithm="{EXCLUSIVE_C14N}"/></Transforms>', Problem.SHAPE),
        ("</Transforms>", "</Transforms><Transforms/>", Problem.SHAPE),
        ("<usrVisibleData ", "<usrVisibleData>AAAA</usrVisibleData><usrVisibleData ", Problem.SHAPE),
        ("</usrVisibleData>", "<b/></usrVisibleData>", Problem.SHAPE),
        ("<clientInfo>", "<clientInfo><funcId>Signing</funcId></clientInfo><clientInfo>", Problem.SHAPE),
        ("<funcId>", "<funcId><x/>", Problem.SHAPE),
        ("<srvInfo>", "<srvInfo/><srvInfo>", Problem.SHAPE),
        (BANKID, f"{BANKID}/other", Problem.SHAPE),
        ("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2000/09/xmldsig#base64", None),
    ],
)
def test_another_shape(old: str, new: str, expected: Problem | None) -> None:
    found = problem(xml(edit=lambda document: document.replace(old, new, 1)))
    assert found is (expected or Problem.ALGORITHM)


def test_data_of_another_name() -> None:
    assert problem(xml(edit=lambda document: document.replace("bankIdSigned", "bankIdOther"))) is Problem.SHAPE


@pytest.mark.parametrize(
    "algorithm",
    [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "",
    ],
)
def test_transforms(algorithm: str) -> None:
    old = '<Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"'
    assert problem(xml(edit=swap(old, f'<Transform Algorithm="{algorithm}"'))) is Problem.ALGORITHM
    inside = f'{old}><XPath xmlns="urn:x"/></Transform></Transforms>'
    assert problem(xml(edit=swap(f"{old}/></Transforms>", inside))) is Problem.ALGORITHM


@pytest.mark.parametrize(
    "method",
    [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "none",
    ],
)
def test_signature_methods(method: str) -> None:
    old = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    assert problem(xml(edit=swap(old, method))) is Problem.ALGORITHM


def test_the_method_of_another_key() -> None:
    edit = swap("xmldsig-more#rsa-sha256", "xmldsig-more#ecdsa-sha256")
    assert problem(xml(edit=edit)) is Problem.DOES_NOT_VERIFY
    assert problem(xml(edit=swap("rsa-sha256", "rsa-sha512"))) is Problem.DOES_NOT_VERIFY


def test_a_weak_digest() -> None:
    assert problem(xml(digest="sha1", edit=swap("#rsa-sha1", "#rsa-sha256"))) is Problem.ALGORITHM


def test_another_purpose() -> None:
    assert problem(xml(purpose="Identification")) is Problem.PURPOSE
    assert problem(xml(visible='charset="UTF-8" visible="no"')) is Problem.PURPOSE


def test_the_charset_that_was_signed_counts() -> None:
    assert problem(xml(visible='charset="ISO-8859-1"')) is Problem.ENCODING
    assert problem(xml(visible='charset="nonsense"')) is Problem.ENCODING


def test_the_key_alone_is_no_person() -> None:
    def key_alone(root: etree._Element) -> None:
        data = find(root, "X509Data")
        data.clear()
        data.tag = f"{DS}KeyValue"
        value = etree.SubElement(data, f"{DS}RSAKeyValue")
        etree.SubElement(value, f"{DS}Modulus").text = "AQAB"

    assert problem(tampered(key_alone)) is Problem.SHAPE


class TestTampered:
    def test_the_text(self) -> None:
        def change(root: etree._Element) -> None:
            find(root, "usrVisibleData", BANKID).text = b64encode(EVIL.encode()).decode()

        assert problem(tampered(change), EVIL) is Problem.DOES_NOT_VERIFY

    def test_the_text_and_its_digest(self) -> None:
        evil = parse_untrusted(ISSUER.sign_xml(OSKAR, EVIL).signature)

        def change(root: etree._Element) -> None:
            for name, namespace in (("usrVisibleData", BANKID), ("DigestValue", DSIG)):
                find(root, name, namespace).text = find(evil, name, namespace).text

        assert problem(tampered(change), EVIL) is Problem.DOES_NOT_VERIFY

    def test_the_certificate_is_replaced_by_another_of_the_same_key(self) -> None:
        twin = ISSUER.person("192705178354", "Anna Andersson", serial_numbers=["189001619809"])

        def change(root: etree._Element) -> None:
            find(root, "X509Certificate").text = twin.certificate_text

        signature = replace(tampered(change), certificate=twin.certificate_text)
        assert problem(signature) is Problem.DOES_NOT_VERIFY

    def test_the_signer_is_replaced(self) -> None:
        def change(root: etree._Element) -> None:
            find(root, "X509Certificate").text = OSKAR.certificate_text

        signature = replace(tampered(change), certificate=OSKAR.certificate_text)
        assert problem(signature) is Problem.DOES_NOT_VERIFY

    def test_two_signatures_do_not_mix(self) -> None:
        one, two = (parse_untrusted(ISSUER.sign_xml(ANNA, text).signature) for text in (TEXT, EVIL))
        one.replace(one[3], deepcopy(two[3]))
        signature = UserSignature(etree.tostring(one), ANNA.certificate_text)
        assert problem(signature, EVIL) is Problem.DOES_NOT_VERIFY
        assert problem(signature) is Problem.DOES_NOT_VERIFY


class TestWrapping:
    """The signed data is moved to where its reference still finds it, and other data takes its place."""

    @staticmethod
    def evil(root: etree._Element, **attributes: str) -> etree._Element:
        made = deepcopy(find(root, "bankIdSignedData", BANKID))
        made.attrib.clear()
        for name, value in attributes.items():
            made.set(name, value)
        find(made, "usrVisibleData", BANKID).text = b64encode(EVIL.encode()).decode()
        return made

    @pytest.mark.parametrize("attributes", [{}, {"Id": "bidSignedData"}, {"Id": "other"}, {"id": "bidSignedData"}])
    @pytest.mark.parametrize("place", ["before", "around", "second object", "in key info", "in value"])
    def test_is_refused(self, attributes: dict[str, str], place: str) -> None:
        def change(root: etree._Element) -> None:
            evil, holder = self.evil(root, **attributes), find(root, "Object")
            original = holder[0]
            if place == "before":
                holder.insert(0, evil)
            elif place == "around":
                holder.replace(original, evil)
                evil.append(original)
            elif place == "second object":
                etree.SubElement(root, f"{DS}Object").append(evil)
            else:
                find(root, "KeyInfo" if place == "in key info" else "SignatureValue").append(original)
                holder.append(evil)

        for text in (TEXT, EVIL):
            with pytest.raises(UserSignatureError):
                verify(tampered(change), text)

    def test_a_signature_around_the_signature(self) -> None:
        def change(root: etree._Element) -> etree._Element:
            outer = deepcopy(root)
            holder = find(outer, "Object")
            holder.replace(holder[0], self.evil(root))
            holder.append(root)
            return outer

        assert problem(tampered(change), EVIL) is Problem.SHAPE

    def test_a_comment_does_not_cut_the_text(self) -> None:
        longer = TEXT + EVIL
        encoded = b64encode(longer.encode()).decode()
        cut = len(b64encode(TEXT.encode()[: len(TEXT.encode()) // 3 * 3]))

        def change(root: etree._Element) -> None:
            text = find(root, "usrVisibleData", BANKID)
            text.text = encoded[:cut]
            text.append(etree.Comment("c"))
            text[0].tail = encoded[cut:]

        signature = tampered(change, xml(longer))
        assert problem(signature) is Problem.WRONG_TEXT
        assert verify(signature, longer)


SIGNED = ISSUER.sign_xml(ANNA, TEXT, nonce="4711")


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(SIGNED.signature) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_means_the_same(place: int, change: int) -> None:
    raw = bytearray(SIGNED.signature)
    raw[place] ^= change
    try:
        signer = VERIFIER.verify(replace(SIGNED, signature=bytes(raw)), TEXT)
    except UserSignatureError:
        return
    assert (signer.personal_number, signer.name) == (ANNA.personal_number, ANNA.name)
    with pytest.raises(UserSignatureError):
        VERIFIER.verify(replace(SIGNED, signature=bytes(raw)), TEXT + " ")


@settings(max_examples=150)
@given(st.binary(max_size=200), st.sampled_from([b"", b"<", b"\x30\x82", b"\x30\x80\x06\x09", b"<Signature "]))
def test_any_bytes_are_refused_with_a_reason(raw: bytes, start: bytes) -> None:
    with pytest.raises(UserSignatureError):
        VERIFIER.verify(replace(SIGNED, signature=start + raw), TEXT)
