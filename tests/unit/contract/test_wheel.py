"""An installed wheel serves the contract without the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from lxml import etree
from mm_soap import contract
assert "unpacked" in contract.__file__, contract.__file__
assert len(contract.ports()) == 5
assert len(contract.published("http://h")) == int(sys.argv[1])
contract.validate(etree.fromstring('<a:getSenders xmlns:a="http://minameddelanden.gov.se/Authority"/>'))
"""


@pytest.mark.slow
def test_the_wheel_holds_the_contract(tmp_path: Path):
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 builds the wheel")
    source = tmp_path / "source"
    # A copy, so that nothing is built inside the repository.
    names = [name for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md") if (ROOT / name).is_file()]
    source.mkdir()
    for name in names:
        shutil.copy(ROOT / name, source / name)
    for name in ("src", "wsdl", "xsd"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    found = {path.relative_to(unpacked / "mm_soap/contract").as_posix() for path in unpacked.rglob("*.[wx]s*")}
    ours = {path.relative_to(ROOT).as_posix() for kind in ("wsdl", "xsd") for path in (ROOT / kind).rglob("*.*")}
    assert found == ours
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    program = [sys.executable, "-P", "-c", PROGRAM, str(len(ours))]
    done = subprocess.run(program, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
