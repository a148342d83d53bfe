"""A letter as PDF, for the window of an envelope.

The PDF is PDF/A-2u: fonts are in it, and each letter of its text can be read out of it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import typst

from mm_soap.channels.model import ChannelError, Letter
from mm_soap.message import (
    Block,
    Grid,
    Message,
    Paragraph,
    Picture,
    Run,
    blocks_of,
    language_tag,
    safe_filename,
    support_lines,
    with_addresses,
)

MOST_CHARACTERS: Final = 400_000
"""The longest text that is put on paper: some two hundred pages."""

_FONTS: Final = ("Libertinus Serif", "New Computer Modern", "DejaVu Sans Mono")
"""Fonts that the library brings. Others, of the settings, fill in for letters that these do not have."""
_ATTACHMENTS: Final = {"sv": "Bilagor:", "en": "Attachments:"}
_INVISIBLE: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0e\ufe0f")


@dataclass(frozen=True)
class Window:
    """Where the address stands on the first page, in millimetres from the left and upper edges of the paper."""

    left: float = 110.0
    top: float = 47.0
    width: float = 85.0
    height: float = 32.0


@dataclass(frozen=True)
class Typesetter:
    """Makes PDF files of letters.

    Args:
        window: where the address stands.
        fonts: a folder with more fonts, for letters that the library's fonts do not have.
    """

    window: Window = field(default_factory=Window)
    fonts: Path | None = None

    def pdf(self, letter: Letter) -> bytes:
        """Return the PDF of a letter; the same letter gives the same bytes.

        A character of the text that no font has is printed as its code point, such as ``[U+1F600]``. In a name or an
        address that would be wrong, and is an error.

        Raises:
            ChannelError: it cannot be printed as it is, or not before a font was added; then the error is technical.
        """
        document, pictures = _document(letter, self.window)
        document["fonts"] = [*_FONTS, *self._families()]
        if len(_texts(document)) > MOST_CHARACTERS:
            raise ChannelError("it is too long to be printed", technical=False)
        made = self._compile(letter, document, pictures)
        if made is None and (missing := self._missing(_texts(document))):
            if missing & set(_texts([document["address"], document["sender"]])):
                raise ChannelError(
                    "no font has all letters of the address: add one in dispatcher.print.fonts", technical=True
                )
            document = _replaced(document, {each: f"[U+{ord(each):04X}]" for each in missing})
            made = self._compile(letter, document, pictures)
        if made is None:
            # What else there is of foreign make is pictures. Their texts stand in for them.
            for message in document["messages"]:
                message["blocks"] = [_without_picture(block) for block in message["blocks"]]
            made = self._compile(letter, document, {})
        if made is None:
            raise ChannelError("it cannot be set for print", technical=False)
        return made

    def _compile(self, letter: Letter, document: dict[str, Any], pictures: dict[str, bytes]) -> bytes | None:
        with TemporaryDirectory(prefix="mm-soap-letter-") as folder:
            template = Path(folder, "letter.typ")
            template.write_bytes(resources.files(__package__).joinpath("templates/letter.typ").read_bytes())
            Path(folder, "letter.json").write_text(json.dumps(document), encoding="utf-8")
            for name, content in pictures.items():
                Path(folder, name).write_bytes(content)
            return self._set(template, timestamp=letter.begun.replace(microsecond=0))

    def _missing(self, text: str) -> set[str]:
        """Return the characters that no font has, by trying each."""
        families = json.dumps([*_FONTS, *self._families()])
        with TemporaryDirectory(prefix="mm-soap-letter-") as folder:
            trial = Path(folder, "trial.typ")
            trial.write_text("#set text(font: json(bytes(sys.inputs.fonts)))\n#text(sys.inputs.text)")
            return {
                one
                for one in set(text)
                if not one.isascii() and self._set(trial, sys_inputs={"text": f"a{one}", "fonts": families}) is None
            }

    def _set(self, template: Path, **more: Any) -> bytes | None:
        """Return the PDF of a template; None for an error, whose text would quote the letter."""
        fonts = self._fonts()
        try:
            made = typst.compile(
                template, root=template.parent, font_paths=fonts, format="pdf", pdf_standards=["a-2u"], **more
            )
        except typst.TypstError:
            return None
        assert isinstance(made, bytes)
        return made

    def _fonts(self) -> typst.Fonts:
        return typst.Fonts(include_system_fonts=False, font_paths=[str(self.fonts)] if self.fonts else [])

    def _families(self) -> list[str]:
        return [family for family in self._fonts().families() if family not in _FONTS] if self.fonts else []


def _document(letter: Letter, window: Window) -> tuple[dict[str, Any], dict[str, bytes]]:
    pictures: dict[str, bytes] = {}
    language = language_tag(letter.messages[0].language).partition("-")[0]
    contact = letter.contact
    attention = [letter.attention] if letter.attention else []
    document: dict[str, Any] = {
        "title": letter.messages[0].subject,
        "mark": letter.id,
        "language": language,
        "date": letter.begun.date().isoformat(),
        "sender": {"name": letter.origin.name, "address": list(letter.origin.address)},
        "address": [contact.name, *attention, *contact.address],
        "window": {"left": window.left, "top": window.top, "width": window.width, "height": window.height},
        "words": {"attachments": _ATTACHMENTS.get(language, _ATTACHMENTS["en"])},
        "messages": [_message(message, pictures) for message in letter.messages],
    }
    return document, pictures


def _message(message: Message, pictures: dict[str, bytes]) -> dict[str, Any]:
    return {
        "subject": message.subject,
        "blocks": [_block(block, pictures) for block in blocks_of(message)],
        "attachments": [safe_filename(attachment.filename) for attachment in message.attachments],
        "support": support_lines(message.support),
    }


def _block(block: Block, pictures: dict[str, bytes]) -> dict[str, Any]:
    if isinstance(block, Picture):
        name = f"picture-{len(pictures) + 1}.{block.format}"
        pictures[name] = block.content
        return {"kind": "picture", "file": name, "text": block.text}
    if isinstance(block, Grid):
        return {"kind": "grid", "rows": [[_runs(cell) for cell in row] for row in block.rows]}
    assert isinstance(block, Paragraph)
    return {
        "kind": "paragraph",
        "runs": _runs(block.runs),
        "heading": block.heading,
        "indent": min(block.indent, 8),
        "marker": block.marker,
    }


def _runs(runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [_run(run) for run in with_addresses(runs)]


def _run(run: Run) -> dict[str, Any]:
    shown = "".join(each for each in run.text if each not in _INVISIBLE and (each >= " " or each in "\n\t"))
    return {"text": shown.replace("\t", "    "), "bold": run.bold, "italic": run.italic, "link": run.link}


def _without_picture(block: dict[str, Any]) -> dict[str, Any]:
    if block["kind"] != "picture":
        return block
    stand_in = {"text": f"[{block['text'] or '…'}]", "bold": False, "italic": False, "link": None}
    return {"kind": "paragraph", "runs": [stand_in], "heading": 0, "indent": 0, "marker": ""}


def _texts(value: object) -> str:
    return "".join(_strings(value))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _replaced(value: Any, by: dict[str, str]) -> Any:
    if isinstance(value, str):
        return "".join(by.get(each, each) for each in value)
    if isinstance(value, dict):
        return {key: _replaced(each, by) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, by) for each in value]
    return value
