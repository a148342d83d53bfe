"""mm-soap mailbox contact and bounce: how recipients are reached, and what came back."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mm_soap.bootstrap import mailbox_services
from mm_soap.channels import MOST_OF_A_REPORT, failed_deliveries
from mm_soap.cli.mailboxes import service_of
from mm_soap.cli.output import console, fail, plain, print_json, print_table
from mm_soap.config import load
from mm_soap.errors import ConfigurationError, MmSoapError
from mm_soap.service_supplier import DAILY, EACH, EMAIL, SMS, Contact, Return, take_back
from mm_soap.storage import writing

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MOBILE: Final = re.compile(r"\+?[0-9]{5,15}")
_KINDS: Final = frozenset({EMAIL, SMS})
_TRY_AGAIN: Final = 75
"""With which a mail server keeps an e-mail, to pipe it once more: EX_TEMPFAIL of sysexits.h."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is changed in contact settings; None for what stays."""

    email: str | None = field(repr=False)
    mobile: str | None = field(repr=False)
    language: str | None
    wanted: list[str] | None
    frequency: str | None
    try_again: list[str] | None


def contact(config: Path, recipient: str, changes: Changes, as_json: bool) -> None:
    """Change a recipient's contact settings, and print them."""
    service = service_of(config, recipient)
    before = service.contact_of(recipient)
    after = _changed(before, changes)
    if after != before:
        service.set_contact(recipient, after)
    if changes.try_again:
        service.try_again(recipient, changes.try_again)
    shown = _document(service.contact_of(recipient))
    if as_json:
        print_json(shown)
        return
    failed = ", ".join(f"{channel} since {since}" for channel, since in shown["not_working"].items())
    lists = {"wanted": ", ".join(shown["wanted"]), "not_working": failed}
    rows = [(key.replace("_", " "), value or "none") for key, value in {**shown, **lists}.items()]
    print_table("Contact", ("", ""), rows)


def bounce(config: Path, as_json: bool) -> None:
    """Read a report of a failed delivery from standard input, and print what it meant."""
    try:
        settings = load(config)
        failures = failed_deliveries(sys.stdin.buffer.read(MOST_OF_A_REPORT + 1))
        found = Return.UNKNOWN
        for own, service in zip(settings.operator, mailbox_services(settings), strict=True):
            for one in failures:
                with writing(service.database) as connection:
                    told = take_back(connection, one.id, one.reason, own.notices.refusals, service.clock())
                found = told if told is not Return.UNKNOWN else found
    except MmSoapError as error:
        # Also what is wrong in the settings: the e-mail is to wait until that is mended.
        fail(str(error), _TRY_AGAIN)
    if as_json:
        print_json({"result": found.name.lower()})
    else:
        console().print(plain(f"{found.value[:1].upper()}{found.value[1:]}."))


def _document(found: Contact) -> dict[str, Any]:
    return {
        "email": found.email,
        "mobile": found.mobile,
        "language": found.language,
        "wanted": sorted(found.wanted),
        "frequency": found.frequency,
        "not_working": {channel: since.isoformat() for channel, since in sorted(found.failed.items())},
    }


def _changed(before: Contact, changes: Changes) -> Contact:
    email, mobile = changes.email, changes.mobile
    if email and (len(email) > 256 or not _EMAIL.fullmatch(email)):
        raise ConfigurationError("--email must be an e-mail address of at most 256 characters.")
    digits = re.sub(r"[ -]", "", mobile) if mobile else mobile
    if digits and not _MOBILE.fullmatch(digits):
        raise ConfigurationError("--mobile must be a number of 5 to 15 digits; a plus may stand before it.")
    if changes.language not in (None, "sv", "en"):
        raise ConfigurationError("--language must be sv or en.")
    if changes.frequency not in (None, EACH, DAILY):
        raise ConfigurationError("--frequency must be each or daily.")
    kinds = None if changes.wanted is None else frozenset(changes.wanted) - {"none"}
    if kinds is not None and not kinds <= _KINDS:
        raise ConfigurationError("--want must be EMail, SMS or none.")
    if not frozenset(changes.try_again or ()) <= _KINDS:
        raise ConfigurationError("--try-again must be EMail or SMS.")
    return replace(
        before,
        email=before.email if email is None else email or None,
        mobile=before.mobile if digits is None else digits or None,
        language=changes.language or before.language,
        wanted=before.wanted if kinds is None else kinds,
        frequency=changes.frequency or before.frequency,
    )
