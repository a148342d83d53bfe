"""What an attack is: a variant of a valid request, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from tests.attacks.sites import SITES, Cast, Site, Target

Make = Callable[[Target], bytes]
"""Makes the whole request."""

SECURITY_CODES: Final = frozenset({5001, 5002, 5005, 5006})


class Expected(Enum):
    """What becomes of a variant."""

    REFUSED = "refused"
    SAME = "accepted, with what was signed"


@dataclass(frozen=True)
class Variant:
    """A variant of a valid request.

    Args:
        family: what it belongs to, for ids and the page.
        name: unique within its family.
        make: makes the request from a new document.
        expected: what must become of it.
        only: names of the sites where it makes sense; all of them unless said.
    """

    family: str
    name: str
    make: Make = field(repr=False, compare=False)
    expected: Expected = Expected.REFUSED
    only: frozenset[str] = frozenset(site.name for site in SITES)

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"


@dataclass(frozen=True)
class Attack:
    """A variant at a site."""

    site: Site
    variant: Variant

    @property
    def id(self) -> str:
        return f"{self.site.name}: {self.variant.id}"

    def request(self, cast: Cast) -> bytes:
        """A new request."""
        return self.variant.make(Target(self.site, cast))
