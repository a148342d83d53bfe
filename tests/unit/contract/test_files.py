"""The files of the contract as they lie in a checkout: whoever points a program at the folder finds all of it there."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

ROOT = Path(__file__).parents[3]
WSDLS = sorted((ROOT / "wsdl").rglob("*.wsdl"))
SCHEMAS = sorted((ROOT / "xsd").rglob("*.xsd"))
SIGNATURES = "xmldsig-core-schema.xsd"

XS = "{http://www.w3.org/2001/XMLSchema}"
LEFT_OUT = {
    ("minOccurs", "1"),
    ("maxOccurs", "1"),
    ("use", "optional"),
    ("namespace", "##any"),
    ("processContents", "strict"),
    ("mixed", "false"),
}
"""Attributes that say what holds without them."""


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def parsed(raw: bytes) -> etree._Element:
    return etree.fromstring(raw, etree.XMLParser(no_network=True, remove_comments=True))


def canonical(node: etree._Element) -> tuple[object, ...]:
    """Return what a part of a schema says, however it is written: prefixes, defaults, order of attributes."""
    said = set(node.attrib.items()) - LEFT_OUT
    for key, value in node.attrib.items():
        if key in ("type", "ref", "base"):
            prefix, _, local = value.rpartition(":")
            said ^= {(key, value), (key, f"{{{node.nsmap[prefix or None]}}}{local}")}
    children = [canonical(child) for child in node if child.tag != f"{XS}annotation"]
    attributes = sorted((child for child in children if child[0] == f"{XS}attribute"), key=str)
    return node.tag, tuple(sorted(said)), *(child for child in children if child not in attributes), *attributes


def components(raw: bytes) -> dict[tuple[str, str], object]:
    """Return what a schema says of itself, and each of its global components by kind and name."""
    root = parsed(raw)
    found: dict[tuple[str, str], object] = {
        ("schema", key): value for key, value in root.attrib.items() if key not in ("version", "id")
    }
    for node in root:
        if node.tag != f"{XS}annotation":
            key = (node.tag, node.get("name", ""))
            assert key not in found
            found[key] = canonical(node)
    return found


def test_the_schema_of_signatures_is_the_standard():
    ours = components((ROOT / "xsd" / SIGNATURES).read_bytes())
    theirs = components((files("signxml") / "schemas" / SIGNATURES).read_bytes())
    assert ours.keys() == theirs.keys()
    assert [key for key, component in ours.items() if component != theirs[key]] == []


@pytest.mark.parametrize("file", [*WSDLS, *SCHEMAS], ids=name_of)
def test_what_a_file_imports_is_in_the_folder(file: Path):
    for node in parsed(file.read_bytes()).iter("{*}import", "{*}include", "{*}redefine"):
        location = node.get("schemaLocation") or node.get("location") or ""
        assert location
        target = (file.parent / location).resolve()
        assert target.is_file(), location
        assert target.is_relative_to(ROOT), location
        declared = parsed(target.read_bytes()).get("targetNamespace")
        assert declared == node.get("namespace", declared), location


@pytest.mark.parametrize("file", SCHEMAS, ids=name_of)
def test_validators_load_a_schema_from_the_folder(file: Path):
    names = {node.get("name") for node in parsed(file.read_bytes()).findall(f"{XS}element")}
    etree.XMLSchema(file=str(file))
    assert names <= {name.rpartition("}")[2] for name in xmlschema.XMLSchema(str(file), allow="local").elements}


@pytest.mark.slow
@pytest.mark.needs_program("wsimport")
@pytest.mark.parametrize("file", WSDLS, ids=name_of)
def test_wsimport_builds_a_client_from_the_folder(file: Path, tmp_path: Path):
    command = ["wsimport", "-quiet", "-keep", "-Xnocompile", "-d", str(tmp_path), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*.java"))
