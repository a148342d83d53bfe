"""One request as it came, and what the kit notes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lxml import etree

from mm_soap.conformance.model import Case
from mm_soap.contract import OperationContract, Port
from mm_soap.errors import Refused
from mm_soap.message import SecureDelivery
from mm_soap.soap.request import HttpError

_MOST_OF_ONE_CASE: Final = 5
"""So many places are told of one broken rule in one request."""


@dataclass(frozen=True)
class Heard(Case[None]):
    """A rule that senders must keep.

    ``attempt`` says what the sender does so that the rule can be judged.
    """

    attempt: str = ""


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    number: int
    """From 1 on, in the order of arrival."""
    at: datetime
    url: str
    port: Port | None
    """The service at the path; None where there is none."""
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    broken_off: bool = False
    """Whether the body ended before its length, or never began."""
    caller: str | None = None
    """The organisation of the client certificate."""

    def header(self, name: str) -> str | None:
        """Return the value of a header, whatever the case of its name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Mark:
    """That a rule was kept, or in what way it was broken; ``what`` and ``place`` say nothing that was sent."""

    kept: bool
    what: str = ""
    place: str = ""


@dataclass
class Sheet:
    """What was noted of one request, by the name of the case."""

    marks: dict[str, list[Mark]] = field(default_factory=dict)
    refused: Refused | None = None
    """The first reason for which a party would refuse the request."""
    operation: OperationContract | None = None
    payload: etree._Element | None = None
    """The operation's element."""
    raw: bytes = b""
    """The request in UTF-8, which the payload's tree was parsed from."""
    http: HttpError | None = None
    """How HTTP alone would refuse it."""
    notes: list[str] = field(default_factory=list)
    """What is worth knowing and breaks no rule."""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    delivery: SecureDelivery | None = None
    """What was sent, verified or not; for what is judged between calls."""
    digest: str = ""
    """Names what was signed and by which signature; without a signature, the element. Empty if it cannot be known."""

    def keeps(self, *names: str) -> None:
        """Note that rules were kept, unless they are known to be broken."""
        for name in names:
            self.marks.setdefault(name, [Mark(True)])

    def breaks(self, name: str, what: str, place: str = "", refused: Refused | None = None) -> None:
        """Note that a rule was broken."""
        found = [mark for mark in self.marks.get(name, ()) if not mark.kept]
        if len(found) < _MOST_OF_ONE_CASE:
            found.append(Mark(False, what, place))
        self.marks[name] = found
        if self.refused is None:
            self.refused = refused

    def judges(self, name: str, kept: bool, what: str, place: str = "", refused: Refused | None = None) -> None:
        """Note whether a rule was kept; the rest says how it was not."""
        if kept:
            self.keeps(name)
        else:
            self.breaks(name, what, place, refused)

    def broken(self, *names: str) -> bool:
        """Whether one of these rules is known to be broken."""
        return any(not mark.kept for name in names for mark in self.marks.get(name, ()))

    @property
    def wrong(self) -> Mapping[str, list[Mark]]:
        """The broken rules."""
        return {name: marks for name, marks in self.marks.items() if not marks[0].kept}


Hide = Callable[[str], str]
"""Takes what was sent out of a sentence, or leaves it there."""
