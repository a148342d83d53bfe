"""What is pinned for deployment fits what the package asks for, and is used."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "requirements/deploy.txt"
EXTRAS = ("celery", "pkcs11", "postgresql", "s3")


def blocks() -> list[str]:
    """Each pinned requirement with its hashes."""
    text = re.sub(r"^\s*#.*\n", "", PINNED.read_text(), flags=re.MULTILINE)
    return [block for block in re.split(r"\n(?=\S)", text.strip()) if block]


def pinned() -> list[Requirement]:
    return [Requirement(re.sub(r"\\?\s*--hash=\S+", "", block).replace("\\\n", " ").strip()) for block in blocks()]


def asked() -> list[Requirement]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [setup["options"]["install_requires"], *(setup["options.extras_require"][extra] for extra in EXTRAS)]
    return [Requirement(line) for text in texts for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize("requirement", asked(), ids=str)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_requirement_is_pinned_to_a_version_that_fits(requirement: Requirement, python: str) -> None:
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    if requirement.marker is not None and not requirement.marker.evaluate(here):
        return
    found = [
        one
        for one in pinned()
        if canonicalize_name(one.name) == canonicalize_name(requirement.name)
        and (one.marker is None or one.marker.evaluate(here))
    ]
    assert len(found) == 1, "run `make requirements`"
    (version,) = found[0].specifier
    assert Version(version.version) in requirement.specifier, "run `make requirements`"


def test_each_is_pinned_exactly_and_has_hashes() -> None:
    for block, requirement in zip(blocks(), pinned(), strict=True):
        (version,) = requirement.specifier
        assert version.operator == "=="
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), requirement.name


def test_the_image_installs_what_is_pinned_and_nothing_else() -> None:
    text = (ROOT / "deploy/Dockerfile").read_text()
    assert "--require-hashes --requirement requirements/deploy.txt" in text
    assert "--no-deps ." in text


def test_without_a_network_the_audit_says_that_it_did_not_run() -> None:
    nowhere = {**os.environ, "https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": ""}
    command = [sys.executable, str(ROOT / "requirements/audit.py")]
    ran = subprocess.run(command, env=nowhere, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("pip-audit did not run: pypi.org cannot be reached")
    assert "NOT looked at" in ran.stdout
