"""Active content in HTML: what passes, what is found, and that looking takes a bounded time."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_soap.message.html import Finding, find_active_content
from tests.unit.message.strategies import html_pieces

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><rect width='1' height='1' fill='url(#a)'/></svg>"
ACTIVE_SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
ENTITY_SVG = "<!DOCTYPE a [<!ENTITY b SYSTEM 'c'>]><svg/>"
REMOTE_SVG = "<svg xmlns='http://www.w3.org/2000/svg'><image href='https://t.example/x.png'/></svg>"


def data(svg: str, *, base64: bool = False) -> str:
    if base64:
        return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()
    return "data:image/svg+xml," + svg.replace("<", "%3C").replace(">", "%3E").replace("#", "%23")


ACTIVE = {
    "script": "<script>alert(1)</script>",
    "script in capitals": "<ScRiPt src=//t.example/x></sCrIpT >",
    "script with a slash": "<script/x>1</script>",
    "iframe": "<iframe></iframe>",
    "object": "<object></object>",
    "embed": "<embed>",
    "applet": "<applet></applet>",
    "form": "<form></form>",
    "base": "<base href='https://t.example/'>",
    "link": "<link rel=stylesheet href=x.css>",
    "refresh": '<meta http-equiv="REFRESH" content="0;url=https://t.example/">',
    "cookie": "<meta http-equiv=set-cookie content=a=b>",
    "charset that hides tags": "<meta charset=iso-2022-jp>",
    "charset in content": "<meta http-equiv=Content-Type content='text/html; charset=utf-7'>",
    "plaintext": "<div><plaintext></div>",
    "svg script": "<svg><script>alert(1)</script></svg>",
    "svg script with a prefix": "<svg><svg:script>alert(1)</svg:script></svg>",
    "svg animation": "<svg><a><set attributeName=href to='javascript:alert(1)'></set></a></svg>",
    "svg animate": "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
    "svg foreign object": "<svg><foreignObject><iframe src=x></iframe></foreignObject></svg>",
    "svg style": "<svg><style>@import 'https://t.example/x.css';</style></svg>",
    "svg style with an entity": "<svg><style>&#64;import 'https://t.example/x.css';</style></svg>",
    "svg filter": "<svg><rect filter='url(https://t.example/f#a)'/></svg>",
    "event": "<p onclick=alert(1)>x</p>",
    "event without a space": '<img title="x"onerror=alert(1)>',
    "event with slashes": "<svg/onload=alert(1)></svg>",
    "event in capitals": "<p ONMOUSEOVER='x'></p>",
    "event in a namespace": "<math><mi onclick=x></mi></math>",
    "javascript": "<a href='javascript:alert(1)'>x</a>",
    "javascript in capitals": "<a href=' JaVaScRiPt:alert(1)'>x</a>",
    "javascript with a tab": "<a href='java&#9;script:alert(1)'>x</a>",
    "javascript with entities": "<a href='&#x6a;avascript&colon;alert(1)'>x</a>",
    "javascript after a control": "<a href='&#1;javascript:alert(1)'>x</a>",
    "javascript with line ends": "<a href='j\na\r\nvascript\t:alert(1)'>x</a>",
    "javascript with invisible characters": "<a href='java\u200bscript\xad:alert(1)'>x</a>",
    "javascript in svg": "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "javascript in math": "<math href='javascript:alert(1)'>x</math>",
    "javascript elsewhere": "<p align='javascript:alert(1)'>x</p>",
    "javascript elsewhere with a tab": "<p align='java&#9;script:alert(1)'>x</p>",
    "vbscript": "<a href=VBScript:x>x</a>",
    "data link": "<a href='data:text/html,<script>1</script>'>x</a>",
    "file link": "<a href=file:///etc/passwd>x</a>",
    "ping": "<a href=https://a.example ping=https://t.example>x</a>",
    "form action": "<button formaction=https://t.example>x</button>",
    "remote image": "<img src=https://t.example/x.gif>",
    "image without a scheme": "<img src=//t.example/x.gif>",
    "relative image": "<img src=x.gif>",
    "image element": "<image src=https://t.example/x.gif>",
    "image source set": f"<img src='{PIXEL}' srcset='{PIXEL} 1x, https://t.example/x.gif 2x'>",
    "image source set without spaces": f"<img srcset='{PIXEL} 1x,https://t.example/x.gif'>",
    "picture": f"<picture><source srcset=https://t.example/x><img src='{PIXEL}'></picture>",
    "low source": f"<img src='{PIXEL}' lowsrc=https://t.example/x>",
    "data of another type": "<img src='data:text/html,x'>",
    "background": "<table background=https://t.example/x><tr><td>x</td></tr></table>",
    "poster": "<video poster=https://t.example/x></video>",
    "video": "<video src=https://t.example/x></video>",
    "audio": "<audio><source src=https://t.example/x></audio>",
    "track": "<video><track src=https://t.example/x></video>",
    "input": "<input type=image src=https://t.example/x>",
    "svg image": "<svg><image xlink:href=https://t.example/x /></svg>",
    "svg image by href": "<svg><image href=https://t.example/x /></svg>",
    "svg use": "<svg><use href='https://t.example/x#a'/></svg>",
    "svg use of data": f'<svg><use href="{data(SVG)}#a"/></svg>',
    "vml": "<v:imagedata src=https://t.example/x></v:imagedata>",
    "active svg image": f'<img src="{data(ACTIVE_SVG)}">',
    "active svg image in base64": f'<img src="{data(ACTIVE_SVG, base64=True)}">',
    "remote svg image": f'<img src="{data(REMOTE_SVG, base64=True)}">',
    "svg image with entities": f'<img src="{data(ENTITY_SVG)}">',
    "style url": "<p style='background:url(https://t.example/x)'>x</p>",
    "style url in quotes": "<p style='background:URL( \"//t.example/x\" )'>x</p>",
    "style url with an escape": r"<p style='background:\75 rl(https://t.example/x)'>x</p>",
    "style url with an escaped letter": r"<p style='background:u\rl(https://t.example/x)'>x</p>",
    "style url in entities": "<p style='background:&#117;rl(https://t.example/x)'>x</p>",
    "style image set": "<p style='background:image-set(\"https://t.example/x\" 1x)'>x</p>",
    "style expression": "<p style='width:exp/**/ression(alert(1))'>x</p>",
    "style behaviour": "<p style='behavior:x'>x</p>",
    "style sheet": "<style>p{background:url(https://t.example/x)}</style>",
    "style import": "<style>@import 'https://t.example/x.css';</style>",
    "style import with an escape": r"<style>@\69mport 'https://t.example/x.css';</style>",
    "style between false comments": "<style>a{content:'/*'} b{background:url(//t.example)} c{content:'*/'}</style>",
    "style font": "<style>@font-face{font-family:a;src:url(https://t.example/x.woff)}</style>",
    "template": "<template><p><script>1</script></template>",
    "nested templates": "<template><div><template><img src=//t.example></template></div></template>",
    "noscript": "<noscript><img src=https://t.example/x></noscript>",
    "noscript with two readings": '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
    "noscript with a tag that never ends": '<noscript><p title="</noscript><img src=x onerror=alert(1)>',
    "noscript with a comment": "<noscript><!--</noscript><img src=x onerror=alert(1)>--></noscript>",
    "noscript with a style": "<noscript><style></noscript><img src=x onerror=alert(1)></style></noscript>",
    "conditional comment": "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "conditional comment revealed": "<![if !IE]><img src=https://t.example/x><![endif]>",
    "comment that ends early": "<!--><script>alert(1)</script>-->",
    "comment that ends with an exclamation": "<!-- --!><script>alert(1)</script>",
    "character data": "<svg><desc><![CDATA[</desc><script>alert(1)</script>]]></desc></svg><script>1</script>",
    "mutation": "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;' src=x onerror=alert(1)>",
    "select": "<select><option><img src=https://t.example/x></option></select>",
    "image element in a table": "<table><image src=https://t.example/x.gif></table>",
    "frames that are left out": "<br><frameset onload=alert(1)></frameset>",
    "select with two readings": "<select><title><script>alert(1)</script></select>",
    "text with two readings": "<svg></p><style><img src=x onerror=alert(1)></style></svg>",
    "attribute with two readings": "<p title='</style><img src=x onerror=alert(1)>'>x</p>",
    "attribute after a comment": "<p title='--><img src=x onerror=alert(1)>'>x</p>",
    "comment with two readings": "<!-- </style><img src=x onerror=alert(1)> -->",
    "manifest": "<html manifest=https://t.example/x>",
    "body event": "<body onload=alert(1)>",
    "shadow": "<div><template shadowrootmode=open></template></div>",
}


@pytest.mark.parametrize("name", ACTIVE)
def test_active_content_is_found(name: str) -> None:
    assert find_active_content(ACTIVE[name]) not in (None, Finding.TOO_COMPLEX)
    assert find_active_content(f"<!DOCTYPE html><title>x</title><p>a<b>b {ACTIVE[name]} c</b>") is not None


@settings(max_examples=150)
@given(html_pieces())
def test_harmless_html_passes(pieces: list[str]) -> None:
    assert find_active_content("".join(pieces)) is None


# What belongs to the root elements alone, or ends by closing elements that it did not open, is left out.
INSERTABLE = sorted(ACTIVE.keys() - {"manifest", "body event", "character data"})


@settings(max_examples=400)
@given(html_pieces(), st.sampled_from(INSERTABLE), st.data())
def test_an_active_element_is_found_wherever_it_stands(pieces: list[str], name: str, draw: st.DataObject) -> None:
    position = draw.draw(st.integers(0, len(pieces)))
    assert find_active_content("".join([*pieces[:position], ACTIVE[name], *pieces[position:]])) is not None


@pytest.mark.parametrize(
    "html",
    [
        "",
        "bara text & tecken < 5",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:o="urn:x"><head><meta http-equiv="Content-Type" '
        'content="text/html; charset=iso-8859-1"/><meta name="viewport" content="width=device-width"/></head></html>',
        '<?xml version="1.0" encoding="utf-8"?><html><body><p>x</p></body></html>',
        f'<img src="{data(SVG)}">',
        f'<img src="{data(SVG, base64=True)}">',
        f'<div style="background:url(&quot;{data(SVG)}&quot;)">x</div>',
        f"<style>p{{background:url( '{PIXEL}' ) no-repeat; scroll-behavior:smooth}}</style>",
        f"<img src='data:image/jpeg;base64,{'A' * 1_000_000}'>",
        f"<img src=' {PIXEL[:30]}\n{PIXEL[30:]}'>",
        "<a href='https://a.example/?u=javascript:alert(1)'>x</a><a href=''>y</a><a href=/kontakt>z</a>",
        "<p title='see url(https://a.example) and @import'>on</p>",
        "<textarea><p>text</p></textarea><title>5 < 6 </title><style><!-- p{} --></style>",
        "<p title='a --> b <c'>x</p><p title='</style>'>y</p>",
        "<table><tr><td>x</table>",
        "<!-- <script>alert(1)</script> -->",
        "<blockquote cite=https://a.example>x</blockquote>",
        "<map name=m><area href=https://a.example></map><img usemap=#m>",
    ],
)
def test_harmless_documents(html: str) -> None:
    assert find_active_content(html) is None


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 201,
        "<div>" * 15_000 + "<p>" * 4_000,
        "<a><div>" * 9_000,
        "<p>" * 20_001,
        "<p " + " ".join(f"a{number}" for number in range(200_000)) + ">",
        "".join(f"<body a{number}>" for number in range(10_000)),
        "<p>" + "".join(f"<font a{number}>" for number in range(190)) + "</p>" + "<p>x" * 15_000,
        "<table><td>" * 3_000 + "<a>" * 3_000,
        "<template>" * 300,
    ],
    ids=lambda html: html[:12],
)
def test_html_made_to_take_long_is_given_up(html: str) -> None:
    began = time.process_time()
    assert find_active_content(html) is Finding.TOO_COMPLEX
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "html",
    [
        "<style>" + "url(data:image/png;base64," * 60_000 + "</style>",
        "<style>" + "url(data:image/svg+xml,%3Csvg%3E" * 1_500 + "</style>",
        "<style>" + "/*" * 800_000 + "</style>",
        '<a b="' * 90 + "x" * 1_500_000,
        "<p title='" + "a\t" * 800_000 + "'>",
        "<p>rad</p>" * 9_900,
    ],
    ids=lambda html: html[:12],
)
def test_long_documents_are_decided_in_time(html: str) -> None:
    began = time.process_time()
    find_active_content(html)
    assert time.process_time() - began < 3


def test_nested_images_have_a_last_level() -> None:
    image = "<svg></svg>"
    for _ in range(6):
        image = f'<svg><image href="{data(image, base64=True)}"/></svg>'
    assert find_active_content(image) is Finding.REMOTE_REFERENCE


@settings(max_examples=200)
@given(st.text(st.sampled_from(list("<>/!-=\"' abpsx&;#:()\\@*{}\x00\n")) | st.characters(codec="utf-8"), max_size=80))
def test_any_text_is_decided(text: str) -> None:
    assert find_active_content(text) is None or isinstance(find_active_content(text), Finding)
