"""Small files of the types that a message may have attached."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Final

CALENDAR: Final = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//mm-soap//SV\r\nBEGIN:VEVENT\r\nUID:prov@example.invalid\r\n"
    b"DTSTAMP:20260101T120000Z\r\nDTSTART:20260102T120000Z\r\nSUMMARY:Prov\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)

_MAIN_PART: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_RELATIONS: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_WORDS: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_BEGINNING: Final = (1980, 1, 1, 0, 0, 0)


def one_page_pdf(title: str, line: str) -> bytes:
    """Return a small PDF of one page, with a title and a line of ASCII text."""
    content = f"BT /F1 20 Tf 72 760 Td ({title}) Tj 0 -36 Td /F1 12 Tf ({line}) Tj ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def word_document(text: str, *, template: bool = False) -> bytes:
    """Return a small Word file of one paragraph: a document, or a template. The text is ASCII without markup."""
    kind = "template" if template else "document"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{_MAIN_PART}.{kind}.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_OFFICE}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{_WORDS}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p>'
        "</w:body></w:document>",
    }
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _BEGINNING), content)
    return out.getvalue()
