"""The rows of a batch file, as people and spreadsheets write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mm_soap.batch.model import Row
from mm_soap.batch.rows import BatchFile
from mm_soap.errors import ConfigurationError


def rows_of(path: Path) -> list[tuple[int, Row | None, str]]:
    return list(BatchFile(path).rows())


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(("separator", "end"), [(",", "\n"), (";", "\r\n")])
def test_csv(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    table = [
        ["Recipient", "subject", "body", "attachments", "sensitive", "message_id"],
        ["1", "Å", "text", "a.pdf|b c.pdf", "no", "id"],
        ["2", "", "", "", "", ""],
    ]
    text = end.join(separator.join(row) for row in table)
    first, second = rows_of(written(tmp_path / "b.csv", text, encoding))
    assert first == (2, Row(2, "1", "Å", "text", "", ("a.pdf", "b c.pdf"), "id", False), "")
    assert second == (3, Row(3, "2"), "")


@pytest.mark.parametrize("lines", [True, False])
def test_json(tmp_path: Path, lines: bool) -> None:
    values: list[dict[str, Any]] = [
        {"recipient": "1", "attachments": ["a|b.pdf"], "sensitive": False},
        {"recipient": "2", "attachments": "a.pdf|b.pdf", "body": None},
    ]
    text = "\n".join(map(json.dumps, values)) if lines else json.dumps(values)
    assert [row for _, row, _ in rows_of(written(tmp_path / "b.json", text))] == [
        Row(1, "1", attachments=("a|b.pdf",), sensitive=False),
        Row(2, "2", attachments=("a.pdf", "b.pdf")),
    ]


def test_the_letter_of_a_print_supplier_comes_first(tmp_path: Path) -> None:
    written(tmp_path / "index.csv", "recipient,file,attachments\n1,letter.pdf,more.pdf\n")
    ((_, row, _),) = rows_of(tmp_path)
    assert row is not None
    assert row.attachments == ("letter.pdf", "more.pdf")


@pytest.mark.parametrize(
    "value",
    [
        [[]],
        "text",
        {},
        {"recipient": ""},
        {"recipient": 1},
        {"recipient": "1", "receiver": "2"},
        {"recipient": "1", "attachments": [1]},
        {"recipient": "1", "attachments": {"a": 1}},
        {"recipient": "1", "sensitive": "perhaps"},
        {"recipient": "1", "sensitive": None},
        {"recipient": "1", "body": "a", "body_file": "b"},
    ],
)
def test_what_is_no_row_is_told_and_never_repeated(tmp_path: Path, value: Any) -> None:
    ((line, row, why),) = rows_of(written(tmp_path / "b.jsonl", json.dumps(value)))
    assert (line, row) == (1, None)
    assert why.endswith(".")
    assert "perhaps" not in why
    assert "receiver" not in why


def test_a_folder_needs_an_index(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="index"):
        BatchFile(tmp_path)


@pytest.mark.parametrize("text", ["name,subject\na,b\n", "recipient,recipient\na,b\n", ""])
def test_a_wrong_first_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="first line"):
        rows_of(written(tmp_path / "b.csv", text))
