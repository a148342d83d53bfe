"""Hypothesis strategies for deliveries and for harmless HTML."""

from __future__ import annotations

from hypothesis import strategies as st

from mm_soap.message import Attachment, Message, Metadata, OfficialMatter, Party, SecureDelivery, SupportInfo
from mm_soap.message.build import new_attachment
from tests.unit.message.samples import FILES, KOMMUN_A, KOMMUN_B, RECIPIENT

# What XML 1.0 can hold.
_characters = st.characters(
    codec="utf-8", exclude_categories=["Cs"], exclude_characters=[chr(c) for c in range(32) if c not in (9, 10, 13)]
).filter(lambda character: character not in "\ufffe\uffff")


def texts(longest: int, shortest: int = 0) -> st.SearchStrategy[str]:
    return st.text(_characters, min_size=shortest, max_size=longest)


def _maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | strategy


_visible = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=30)

supports = st.builds(
    SupportInfo,
    text=texts(1024),
    url=_maybe(st.just("https://kommun-a.example/kontakt")),
    phone_number=_maybe(texts(255)),
    email_address=_maybe(st.just("a@kommun-a.example")),
)
matters = st.builds(
    OfficialMatter,
    timestamp=st.dates(),
    event_id=_maybe(texts(255)),
    official_matter_id=_maybe(texts(255)),
    preceding_event_id=_maybe(texts(255)),
    matter_subject=_maybe(texts(2000)),
    event_type=_maybe(texts(2000)),
    matter_status=_maybe(st.sampled_from(["senderinitiative", "recipientinitiative", "closed"])),
)


@st.composite
def attachments(draw: st.DrawFn) -> Attachment:
    kind = draw(st.sampled_from(sorted(FILES)))
    tail = draw(st.binary(max_size=64)) if kind == "application/pdf" else b""
    return new_attachment(draw(_visible), kind, FILES[kind] + tail)


messages = st.builds(
    Message,
    id=st.uuids().map(str),
    subject=texts(255),
    support=supports,
    language=st.sampled_from(["svSE", "sv", "sv-SE", "enGB"]),
    content_type=st.just("text/plain"),
    body=texts(300).map(lambda text: text.encode()),
    attachments=st.lists(attachments(), max_size=2).map(tuple),
    metadata=st.lists(st.builds(Metadata, texts(20), texts(20)), max_size=2).map(tuple),
    official_matter=st.none() | matters,
    reply=_maybe(st.sampled_from(["ACCEPTED", "NOT_ALLOWED", "REQUESTED"])),
    receipt_request=_maybe(st.sampled_from(["NOT", "SIGNED", "SIMPLE"])),
)
deliveries = st.builds(
    SecureDelivery,
    sender=st.builds(Party, st.sampled_from([KOMMUN_A, KOMMUN_B]), texts(256, 2), _maybe(texts(40))),
    recipient=st.just(RECIPIENT),
    messages=st.lists(messages, min_size=1, max_size=3, unique_by=lambda message: message.id).map(tuple),
    reference=_maybe(texts(50)),
    correlation_id=_maybe(texts(50)),
    attention=_maybe(texts(50)),
)

# Harmless HTML is kept as a list of pieces; between any two of them an element may be inserted.
_PIXEL = "data:image/png;base64,iVBORw0KGgo="
_ATTRIBUTES = [
    "",
    ' class="lead"',
    " style='color:#036; background-image: url(data:image/gif;base64,R0lGODlh)'",
    ' title="javascript för nybörjare (url)"',
    " lang=sv dir='ltr'",
    ' data-id="7"',
    ' aria-label="5 < 6 & onclick=no"',
]
_BLOCKS = ["p", "div", "h1", "ul", "blockquote", "section", "span", "b", "em", "font", "center", "table"]
_LEAVES = [
    "<br>",
    "<hr/>",
    f'<img alt="vapen" src="{_PIXEL}">',
    f"<img src='{_PIXEL}' srcset='{_PIXEL} 1x, {_PIXEL} 2x'>",
    '<a href="https://kommun-a.example/?a=1&amp;b=2">läs mer</a>',
    "<a href='mailto:a@kommun-a.example'>skriv</a>",
    '<a href="tel:+4680000000">ring</a>',
    "<a href=#avsnitt>hoppa</a>",
    '<svg width="9" height="9"><circle r="4" fill="url(#g)"/><use xlink:href="#c"/></svg>',
    "<style>@media print{p{color:red}} a:hover{background:url(#x)}</style>",
    "<!-- en kommentar om script -->",
    "<!--[if mso]><p>för ett visst program</p><![endif]-->",
    "<td>cell<tr><td>rad",
    "<noscript><p>utan</p></noscript>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
_plain = st.text(st.characters(codec="utf-8", exclude_characters="<&\x00"), max_size=20)


@st.composite
def _element(draw: st.DrawFn, inner: st.SearchStrategy[list[str]]) -> list[str]:
    tag = draw(st.sampled_from(_BLOCKS))
    opened = f"<{tag}{draw(st.sampled_from(_ATTRIBUTES))}>"
    closed = draw(st.sampled_from([f"</{tag}>", f"</{tag.upper()} >", ""]))
    return [opened, *draw(inner), closed]


_content = st.recursive(
    st.sampled_from(_LEAVES).map(lambda leaf: [leaf]) | _plain.map(lambda text: [text]),
    lambda inner: _element(inner) | st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
    max_leaves=8,
)


@st.composite
def html_pieces(draw: st.DrawFn) -> list[str]:
    pieces = draw(_content)
    if draw(st.booleans()):
        head = "<!DOCTYPE html><html lang=sv><head><meta charset=utf-8><title>Beslut</title></head><body>"
        return [head, *pieces, "</body></html>"]
    return pieces
