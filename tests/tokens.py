"""Tokens of SoftHSM, for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
LABEL = "mm-soap"
PIN = "4711"


def make_token(folder: Path, keys: Mapping[str, tuple[str, Path]]) -> dict[str, str]:
    """Make a token in a folder and put keys into it; return the environment in which it is there.

    Args:
        folder: made if it is not there.
        keys: the CKA_ID and the PEM file of each key, by its label.
    """
    (folder / "tokens").mkdir(parents=True)
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    (folder / "pin").touch(mode=0o600)
    (folder / "pin").write_text(f"{PIN}\n")
    environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    add_token(environment, LABEL)
    for label, (number, file) in keys.items():
        said = ("--import", file, "--token", LABEL, "--pin", PIN, "--label", label, "--id", number)
        _softhsm(environment, *said)
    return environment


def add_token(environment: Mapping[str, str], label: str) -> None:
    """Make another token where one was made."""
    _softhsm(environment, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "123456")


def uri_of(folder: Path, path: str, query: str | None = None) -> str:
    """Return the URI of a key in the token of a folder."""
    asked = f"pin-source={quote(f'file:{folder}/pin')}" if query is None else query
    return f"pkcs11:{path}?module-path={MODULE}&{asked}".rstrip("&")


def _softhsm(environment: Mapping[str, str], *arguments: object) -> None:
    command = ["softhsm2-util", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
