"""Writes the page of attacks: ``python -m tests.attacks.page``. A test compares it with what this would write."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.attacks.model import Expected, Variant
from tests.attacks.sites import SITES
from tests.attacks.table import attacks, variants
from tests.attacks.users import USER_ATTACKS, USER_OPERATIONS

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "attacks.md"

_FAMILIES: Final = {
    "baseline": "The request as it is meant: it shows that what is refused below is refused for the change.",
    "same": "Written otherwise, with the same meaning. These stay accepted, and what is read is what was signed.",
    "decoy": "The signed document in its place, and another one where nobody looks.",
    "manner": "Right signatures in each manner that the contract allows.",
    "changed": "The signed document, changed after it was signed.",
    "request": "The request around it, changed.",
    "seal": "What a dispatcher adds, changed or left out.",
    "exclusion": "The signature left out, moved, doubled, or of something else.",
    "several SignedInfo": "Two SignedInfo, one of them for another document.",
    "doubled": "Parts of the signature that stand there twice, and parts that do not belong there.",
    "value": "The values of signature and digest, damaged.",
    "key": "What KeyInfo says.",
    "signer": "Right signatures by those who may not, or with certificates that do not count.",
    "algorithm": "Right by the algorithm that they name, which is not accepted.",
    "transform": "Right signatures with transforms that are not accepted.",
    "reference": "Right signatures over something else than the whole document.",
    "wrapping": "The signed document stands somewhere, and another one where it is read.",
    "flood": "Right or wrong, of a size or shape that takes time or memory out of proportion.",
}
_COMBINED: Final = {"wrapping": ";", "manner": ",", "transform": ","}

_HEAD: Final = """# Attacks

What is tried against the suite by `tests/attacks`, of signatures and of what they protect. The list is made by
combining: each variant is tried at each place where something is signed. This page is written by
`python -m tests.attacks.page`, and a test holds it up to date.

- `tests/attacks/test_verifier.py` asks the verifier alone, without schema and rules: what verifies was signed so.
- `tests/attacks/test_parties.py` asks dispatcher and operator with their databases: a refusal with a security code,
  one event and the request as evidence, and not a row more anywhere else. What means the same is stored as it was
  signed.
- `tests/attacks/test_users.py` does the same with the signatures of users, at the register.
- `tests/e2e/test_attacks.py` sends them over HTTP to a demonstration. A listener, whose address stands in References,
  transforms and KeyInfo, must see nobody.

By default the largest families are thinned where a place repeats another one. `MM_SOAP_TEST_ATTACKS=all` tries all.
"""


def page() -> str:
    """Return the page."""
    found: dict[str, list[Variant]] = defaultdict(list)
    for variant in variants():
        found[variant.family].append(variant)
    parts = [_HEAD, "## Where\n", *(f"- **{site.name}**: {site.title}" for site in SITES)]
    parts.append(f"\n{len(variants())} variants, {len(attacks())} attacks.\n")
    parts += ["| family | variants | accepted | what |", "| --- | --- | --- | --- |"]
    for family, what in _FAMILIES.items():
        accepted = sum(one.expected is Expected.SAME for one in found[family])
        parts.append(f"| {family} | {len(found[family])} | {accepted} | {what} |")
    for family in _FAMILIES:
        parts.append(f"\n## Family: {family}\n")
        parts += _lines(family, found[family])
    parts.append("\n## Signatures of users\n")
    parts.append(f"Tried with {', '.join(USER_OPERATIONS)}; the operation's own error code must come, 5010 or 5012.\n")
    parts += [f"- {_plain(name)}" for name in USER_ATTACKS]
    assert set(found) == set(_FAMILIES)
    return "\n".join(parts) + "\n"


def _lines(family: str, of: list[Variant]) -> list[str]:
    if family not in _COMBINED:
        return [f"- {_plain(one.name)}{_only(one)}" for one in of]
    parts: dict[int, dict[str, None]] = defaultdict(dict)
    for one in of:
        for number, part in enumerate(one.name.split(_COMBINED[family])):
            parts[number][part.strip()] = None
    return ["Each of these with each of the next:\n"] + [
        f"{number}. {' · '.join(_plain(part) for part in values)}" for number, values in enumerate(parts.values(), 1)
    ]


def _plain(name: str) -> str:
    return name.replace("<", "&lt;").replace("*", "\\*").replace("{listener}", "a listener").replace("|", "\\|")


def _only(variant: Variant) -> str:
    return "" if len(variant.only) == len(SITES) else f" ({', '.join(sorted(variant.only))})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
