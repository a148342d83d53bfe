"""Each folder of clients/ is to be copied alone. What several of them hold is the same in each."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.stacks import CLIENTS

JAXWS = CLIENTS / "java-jaxws" / "src" / "se" / "example" / "post"
CXF = CLIENTS / "java-cxf" / "src" / "main" / "java" / "se" / "example" / "post"
OPERATOR = CLIENTS / "java-operator" / "src" / "se" / "example" / "post"
PYTHON, SUDS = CLIENTS / "python", CLIENTS / "python-suds"

VERIFYING = {"Organisation", "Refused", "SealedDelivery", "SignedForms", "Trust", "VerifiedDocument"}
CLIENT = VERIFYING | {"ApplicationFault", "MmClient", "SignedDelivery", "Signer"}
"""All but the two classes that speak with a service, whose code depends on the stack, and its connection."""
APART = {"Connection", "Dispatcher", "Register"}


def same(first: Path, second: Path, names: set[str]) -> set[str]:
    return {name for name in names if (first / name).read_bytes() == (second / name).read_bytes()}


@pytest.mark.parametrize(("other", "names"), [(CXF, CLIENT), (OPERATOR, VERIFYING)])
def test_java_classes(other: Path, names: set[str]) -> None:
    files = {f"{name}.java" for name in names}
    assert same(JAXWS, other, files) == files


def test_no_class_of_the_java_clients_is_forgotten() -> None:
    assert {file.stem for file in JAXWS.glob("*.java")} == {file.stem for file in CXF.glob("*.java")} == CLIENT | APART
    assert {file.stem for file in OPERATOR.glob("*.java")} & CLIENT == VERIFYING


def test_the_python_clients_verify_by_the_same_module() -> None:
    assert same(PYTHON, SUDS, {"verification.py"})
