"""The canonical text of a document with long texts is the one that libxml2 makes of the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mm_soap.dsig.long_texts import canonical_text
from mm_soap.dsig.signature import take_out
from mm_soap.dsig.structure import EXCLUSIVE, INCLUSIVE, Canonicalization, signature_of
from mm_soap.errors import Refused
from mm_soap.xml import DSIG, parse_untrusted

LONG = "QUJD" * 10_000
SIGNATURE = f'<Signature xmlns="{DSIG}"><SignedInfo/><KeyInfo>{{}}</KeyInfo></Signature>'
PIECES = [
    *("a" * 5, "QUJD", "å€𝄞", " ", "\n", "\t", "\r", "\r\n", ">", "&amp;", "&lt;", "&gt;", "&#13;", "&#x41;", "]]"),
    *("(a-long-text)", "(a-long-", "text)", '"', "'", "=", "<!-- a > b -->", "<![CDATA[<a>]]>", "<?p >?>"),
    *("\u2028", "\u0085", "\ufeff", "\ufffd", "\x7f", "&#xD;", "&#10;", "&#x2028;", "&quot;", "e\u0301", "<a/>"),
    "a" * 40,
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
ATTRIBUTES = [
    *("", ' b="x>y>z"', " b='>'", ' xmlns:p="urn:p" p:c="1"', ' xmlns="urn:other"', " \n ", " b='(a-long-text)'"),
    *(
        ' b="&#10;&#13;&#9;  "',
        ' b="\n\t"',
        ' xmlns=""',
        ' xml:space="preserve"',
        ' xml:lang="sv"',
        ' xml:base="urn:b"',
    ),
    *(' xmlns:p="urn:q" p:Id="1"', ' xmlns:p="urn:p"', f" b='{'> ' * 20}'"),
]
ATTRIBUTE = st.sampled_from(ATTRIBUTES)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    name, attribute = draw(st.sampled_from(["a", "b", "body"])), draw(ATTRIBUTE)
    if draw(st.integers(0, 5)) == 0:
        return f"<{name}{attribute}/>"
    inside = draw(TEXT)
    if depth:
        for child in draw(st.lists(elements(depth - 1), max_size=2)):
            inside += child + draw(TEXT)
    return f"<{name}{attribute}>{inside}</{name}>"


@given(st.lists(elements(), max_size=3), TEXT, TEXT, TEXT, st.integers(1, 12), st.sampled_from([EXCLUSIVE, INCLUSIVE]))
def test_the_same_as_the_whole_way(
    children: list[str], first: str, within: str, last: str, long: int, canonicalization: Canonicalization
) -> None:
    document = f'<root xmlns="urn:one">{first}{"".join(children)}{SIGNATURE.format(within)}{last}</root>'.encode()
    try:
        root = parse_untrusted(document)
        signature = signature_of(root)
    except Refused:
        return  # not well-formed: nobody asks for its canonical text
    etree.strip_tags(root, etree.Comment)
    take_out(signature)
    assert canonical_text(document, root, canonicalization, long) == canonicalization.text(root)


def test_a_long_text_is_put_aside() -> None:
    document = f'<root xmlns="urn:one"><body>{LONG}</body>{SIGNATURE.format("")}</root>'.encode()
    root = parse_untrusted(document)
    take_out(signature_of(root))
    whole = EXCLUSIVE.text(root)
    root.clear()  # looking at it would show
    assert canonical_text(document, root, EXCLUSIVE) == whole


@pytest.mark.parametrize(
    "body", ["a", "(a-long-text)", "QUJD" * 10_000, "(a-long-text)</body><body>" + "QUJD" * 10_000]
)
@pytest.mark.parametrize("within", ["", "(a-long-text)", "MIIC" * 10_000])
@pytest.mark.parametrize("mark", ["(a-long-text)", "&#40;a-long-text)", ""])
def test_no_text_is_put_where_another_was(body: str, within: str, mark: str) -> None:
    parts = f"<body>{body}</body><body>{mark}</body>"
    document = f'<root xmlns="urn:one">{parts}{SIGNATURE.format(within)}</root>'.encode()
    root = parse_untrusted(document)
    take_out(signature_of(root))
    assert canonical_text(document, root, EXCLUSIVE) == EXCLUSIVE.text(root)


@pytest.mark.parametrize(
    "body",
    [
        f"{LONG}\r{LONG}",
        f"{LONG}\r\n",
        f"{LONG}&amp;{LONG}",
        f"&#13;{LONG}",
        f"{LONG}>{LONG}",
        f"{LONG}]]",
        f"<!-- > {LONG} < -->",
        f"<![CDATA[<a> {LONG} <]]>",
        f"<?p > {LONG} < ?>",
        f"<a b='> {LONG}'/>",
        f"<a b='>{LONG}'></a>{LONG}",
        f"\ufeffå\n\t{LONG}",
    ],
)
@pytest.mark.parametrize("canonicalization", [EXCLUSIVE, INCLUSIVE])
def test_what_is_not_plain_goes_the_whole_way(body: str, canonicalization: Canonicalization) -> None:
    document = f'<root xmlns="urn:one"><body>{body}</body>{SIGNATURE.format("")}{LONG}</root>'.encode()
    root = parse_untrusted(document)
    etree.strip_tags(root, etree.Comment)
    take_out(signature_of(root))
    assert canonical_text(document, root, canonicalization) == canonicalization.text(root)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("within", ["", "QUJD" * 20_000])
def test_another_encoding_goes_the_whole_way(encoding: str, declared: bool, within: str) -> None:
    # The bytes of a text in one encoding are another text in the other: put back, they would be hashed and not read.
    body, mark = "QUJD" * 20_000, "<b>(a-long-text)</b>"
    declaration = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>' if declared else ""
    text = f'{declaration}<root xmlns="urn:one"><b>{body}</b>{mark}{SIGNATURE.format(within)}</root>'
    try:
        document = text.encode(encoding)
        root = parse_untrusted(document)
    except Refused:
        return  # it is not known as what it is
    take_out(signature_of(root))
    assert canonical_text(document, root, EXCLUSIVE) == EXCLUSIVE.text(root)
