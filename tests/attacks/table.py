"""All attacks: every variant at every site where it makes sense."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import Final

from tests.attacks.floods import floods
from tests.attacks.model import Attack, Expected, Variant
from tests.attacks.signatures import signatures
from tests.attacks.sites import SITES
from tests.attacks.structure import structures
from tests.attacks.texts import texts
from tests.attacks.wrapping import decoys, wrappings


@cache
def variants() -> tuple[Variant, ...]:
    """Every variant, by family."""
    return (*texts(), *signatures(), *structures(), *wrappings(), *decoys(), *floods())


@cache
def attacks() -> tuple[Attack, ...]:
    """Every variant at every site."""
    return tuple(Attack(site, variant) for site in SITES for variant in variants() if site.name in variant.only)


ALL: Final = os.environ.get("MM_SOAP_TEST_ATTACKS") == "all"
"""Whether all of them are tried, at every site; otherwise the large families are thinned where they say little new."""

_LARGE: Final = frozenset({"wrapping", "manner", "transform"})
_STEP: Final = 7  # of no common measure with the numbers of places, names and manners that are combined


def most() -> list[Attack]:
    """Return them all, but for parts of the large families where they were tried already."""
    return [
        attack
        for number, attack in enumerate(attacks())
        if ALL or attack.variant.family not in _LARGE or attack.site.name in ("delivery", "seal") or number % _STEP == 0
    ]


def some() -> list[Attack]:
    """Return each variant once, the sites in turn; of the large families a part."""
    if ALL:
        return list(attacks())
    found = []
    for number, variant in enumerate(variants()):
        sites = [site for site in SITES if site.name in variant.only]
        if variant.family not in _LARGE or number % _STEP == 0:
            found.append(Attack(sites[number % len(sites)], variant))
    return found


def expecting(expected: Expected, of: Iterable[Attack]) -> list[Attack]:
    """Return those of some attacks of which this is expected."""
    return [attack for attack in of if attack.variant.expected is expected]
