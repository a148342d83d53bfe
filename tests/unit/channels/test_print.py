"""Paper: the job folder, what the supplier says, and the PDF."""

from __future__ import annotations

import base64
import io
import json
import logging
import stat
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from mm_soap.channels import (
    Acknowledgement,
    ChannelError,
    Contact,
    PrintFolder,
    Typesetter,
    Window,
    acknowledgement_schema,
    contacts_schema,
    manifest_schema,
)
from mm_soap.message import SupportInfo, new_message
from tests.unit.channels.letters import CONTACT, a_letter
from tests.unit.channels.servers import Supplier

DOCS = Path(__file__).parents[3] / "docs/reference"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress((b"\0" + bytes((200, 30, 60)) * 2) * 2))
    + _chunk(b"IEND", b"")
)
PIXELS = base64.b64encode(PNG).decode()


@pytest.fixture
def folder(tmp_path: Path) -> PrintFolder:
    return PrintFolder(tmp_path / "print", Typesetter())


@pytest.fixture
def supplier(folder: PrintFolder) -> Supplier:
    return Supplier(folder.folder)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


class TestFolder:
    def test_a_job_is_whole_from_the_moment_it_is_there(self, folder: PrintFolder, supplier: Supplier) -> None:
        message = replace(
            new_message(
                "Beslut", html="<p>Hej</p>", attachments=[("../../etc/passwd.pdf", "application/pdf", b"%PDF-1")]
            ),
            id="m-1",
        )
        letter = a_letter(message, new_message("Brev", text="Två"), attention="Enheten för ö")
        assert folder.send(letter).reference == letter.id
        (job,) = supplier.jobs()
        manifest = supplier.manifest(job)
        assert (job.name, manifest["job"]) == (letter.id, letter.id)
        assert manifest["address"] == ["Šejla Nguyễn", "Enheten för ö", "c/o Ærø", "Storgatan 1", "123 45 Ö-vik"]
        assert [(each["path"], each["role"], each["message_id"]) for each in manifest["files"][:3]] == [
            ("letter.pdf", "letter", None),
            ("messages/1.html", "body", "m-1"),
            ("attachments/1-1-_.._etc_passwd.pdf", "attachment", "m-1"),
        ]
        assert (job / "messages/2.txt").read_text(encoding="utf-8") == "Två"

    def test_the_same_job_is_not_made_twice(self, folder: PrintFolder, supplier: Supplier) -> None:
        folder.send(a_letter())
        (job,) = supplier.jobs()
        before = (job / "letter.pdf").stat().st_ino
        folder.send(a_letter())
        assert [each.stat().st_ino for each in (supplier.jobs()[0] / "letter.pdf",)] == [before]

    def test_what_was_left_of_an_attempt_is_in_nobodys_way(self, folder: PrintFolder, supplier: Supplier) -> None:
        half = folder.folder / ".making" / a_letter().id
        half.mkdir(parents=True)
        (half / "letter.pdf").write_bytes(b"half of it")
        folder.send(a_letter())
        (job,) = supplier.jobs()
        supplier.manifest(job)
        assert not half.exists()

    def test_an_acknowledged_job_that_is_gone_is_not_made_again(self, folder: PrintFolder, supplier: Supplier) -> None:
        folder.send(a_letter())
        (job,) = supplier.jobs()
        supplier.acknowledge(job.name)
        job.rename(folder.folder / "taken by the supplier")
        assert folder.send(a_letter()).reference == a_letter().id
        assert supplier.jobs() == []

    def test_acknowledgements(self, folder: PrintFolder, supplier: Supplier) -> None:
        folder.send(a_letter())
        (job,) = supplier.jobs()
        supplier.acknowledge(job.name, reference="T-1")
        assert list(folder.acknowledgements()) == [Acknowledgement(job.name, True, "it did not say why", "T-1")]
        supplier.acknowledge(job.name, "refused", reason="address")
        (said,) = folder.acknowledgements()
        assert (said.printed, said.reason) == (False, "it cannot deliver to the address")
        folder.settle(job.name)
        assert supplier.jobs() == []
        assert list(folder.acknowledgements()) == []
        folder.settle(job.name)  # after a crash in between

    @pytest.mark.parametrize(
        "content",
        ['{"version": 1, "jo', '{"version": 1, "job": "another", "result": "printed", "at": "2026-11-02T10:00:00Z"}'],
    )
    def test_what_is_no_acknowledgement_is_left_there_and_told_once(
        self, folder: PrintFolder, supplier: Supplier, content: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder.send(a_letter())
        (job,) = supplier.jobs()
        file = folder.folder / "acknowledgements" / f"{job.name}.json"
        file.write_text(content)
        with caplog.at_level(logging.ERROR):
            assert [list(folder.acknowledgements()) for _ in range(3)] == [[], [], []]
        assert len(caplog.records) == 1
        supplier.acknowledge(job.name)
        assert [each.printed for each in folder.acknowledgements()] == [True]

    def test_a_folder_that_cannot_be_written_is_technical(self, tmp_path: Path) -> None:
        (tmp_path / "print").write_text("a file")
        with pytest.raises(ChannelError) as caught:
            PrintFolder(tmp_path / "print", Typesetter()).send(a_letter())
        assert caught.value.technical

    def test_others_may_not_read_it(self, folder: PrintFolder, supplier: Supplier) -> None:
        folder.send(a_letter())
        for path in (supplier.jobs()[0], folder.folder / "jobs", folder.folder / ".making"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0

    @pytest.mark.parametrize("contact", [Contact(), Contact(name="A"), Contact(address=("A",))])
    def test_without_an_address_nothing_is_printed(self, folder: PrintFolder, contact: Contact) -> None:
        assert folder.obstacle(a_letter(contact=contact)) == "no postal address is known"


def _image_objects(resources: Any) -> list[Any]:
    """The images below a page, also those in forms."""
    found = []
    for each in resources.get("/XObject", {}).values():
        one = each.get_object()
        found += [one] if one["/Subtype"] == "/Image" else _image_objects(one.get("/Resources", {}))
    return found


class TestLetter:
    def test_all_of_it_is_on_paper(self) -> None:
        message = new_message(
            "Beslut om bygglov",
            html="<h2>Skäl</h2><ul><li>Ett<li>Två</ul><table><tr><th>År<th>Kronor<tr><td>2026<td>12</table>"
            f'<img alt="Logga" src="data:image/png;base64,{PIXELS}"><p>Slut</p>',
            attachments=[("Karta.pdf", "application/pdf", b"%PDF-1")],
            support=SupportInfo("Frågor?", phone_number="08-123"),
        )
        pdf = Typesetter().pdf(a_letter(message, new_message("Brev två", text="Rad ett\n  #rad *två*")))
        found = text_of(pdf)
        for wanted in ("Kommun Å", "Box 1", "Šejla Nguyễn", "123 45 Ö-vik", "2026-11-02", "Beslut om bygglov", "Skäl"):
            assert wanted in found
        for wanted in ("Två", "Kronor", "Slut", "Bilagor:", "Karta.pdf", "08-123", "#rad *två*", "1 (2)", "2 (2)"):
            assert wanted in found
        pages = PdfReader(io.BytesIO(pdf)).pages
        assert len(pages) == 2
        assert len(_image_objects(pages[0]["/Resources"])) == 1

    @settings(max_examples=15)
    @given(
        st.text(
            st.characters(min_codepoint=0xC0, max_codepoint=0x24F, exclude_categories=["Cn", "Cc", "Sm"]),
            min_size=3,
            max_size=20,
        )
    )
    def test_any_latin_letter_in_a_name(self, name: str) -> None:
        pdf = Typesetter().pdf(a_letter(contact=replace(CONTACT, name=name)))
        assert name in text_of(pdf).replace("\n", "")

    @pytest.mark.parametrize(
        "name", ["Žofia Łódź", "Nguyễn Thị Hương", "Ґанна Щербань", "Ελένη Γεωργίου", "Ýmir Þórðarson"]
    )
    def test_names_from_elsewhere(self, name: str) -> None:
        assert name in text_of(Typesetter().pdf(a_letter(contact=replace(CONTACT, name=name))))

    def test_the_address_stands_in_the_window(self) -> None:
        where: dict[str, tuple[float, float]] = {}

        def look(text: str, page: Any, line: Any, _font: Any, _size: Any) -> None:
            left = line[4] * page[0] + line[5] * page[2] + page[4]
            up = line[4] * page[1] + line[5] * page[3] + page[5]
            where[text.strip()] = (left / 72 * 25.4, 297 - up / 72 * 25.4)

        pdf = Typesetter(Window(left=100, top=50)).pdf(a_letter())
        PdfReader(io.BytesIO(pdf)).pages[0].extract_text(visitor_text=look)
        lines = [at for text, at in where.items() if "Storgatan 1" in text]
        assert lines
        for left, top in lines:
            assert 99 < left < 101
            assert 50 < top < 82

    def test_the_same_letter_gives_the_same_bytes(self) -> None:
        assert Typesetter().pdf(a_letter()) == Typesetter().pdf(a_letter())

    def test_a_name_that_no_font_has_waits_for_one(self) -> None:
        with pytest.raises(ChannelError) as caught:
            Typesetter().pdf(a_letter(contact=replace(CONTACT, name="李明")))
        assert caught.value.technical
        assert "dispatcher.print.fonts" in str(caught.value)
        assert "李" not in str(caught.value)

    def test_a_character_of_the_text_that_no_font_has_is_named(self) -> None:
        assert "Hej [U+1F600]!" in text_of(Typesetter().pdf(a_letter(new_message("A", text="Hej 😀!"))))

    @pytest.mark.parametrize("kind", ["png", "svg+xml", "webp"])
    def test_a_broken_picture_stops_no_letter(self, kind: str) -> None:
        html = f'<p>Före</p><img alt="Logga" src="data:image/{kind};base64,AAAA"><p>Efter</p>'
        found = text_of(Typesetter().pdf(a_letter(new_message("A", html=html))))
        for wanted in ("Före", "[Logga]", "Efter"):
            assert wanted in found

    def test_a_picture_of_svg_reads_no_file(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret.png"
        secret.write_bytes(PNG)

        def images(source: str) -> int:
            inner = f"<image href='{source}' width='9' height='9'/>"
            svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{inner}</svg>".encode()
            html = f'<img alt="x" src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}">'
            pdf = Typesetter().pdf(a_letter(new_message("A", html=html)))
            return len(_image_objects(PdfReader(io.BytesIO(pdf)).pages[0]["/Resources"]))

        assert images(f"data:image/png;base64,{PIXELS}") == 1
        assert (images(str(secret)), images(f"file://{secret}")) == (0, 0)

    def test_a_text_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(ChannelError) as caught:
            Typesetter().pdf(a_letter(new_message("A", text="b" * 400_001)))
        assert not caught.value.technical


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("contacts", contacts_schema()),
        ("print-manifest", manifest_schema()),
        ("print-acknowledgement", acknowledgement_schema()),
    ],
)
def test_the_schemas_are_written_out(name: str, schema: dict[str, Any]) -> None:
    assert json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8")) == schema
