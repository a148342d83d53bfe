"""mm-soap certificates: when the certificates that the settings name expire, and whether they are revoked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mm_soap.bootstrap_revocation import standings
from mm_soap.cli.output import REFUSED, fail, print_json, print_table
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.expiry import of_settings
from mm_soap.revocation.model import Answer, Revoked


def certificates(config: Path, as_json: bool) -> None:
    """Print the certificates, the first to expire first; end with status 1 if one expires soon or is revoked."""
    settings = load(config)
    now, warning = system_clock(), timedelta(days=settings.trust.expiry_warning_days)
    found = sorted(of_settings(settings), key=lambda each: each.expires)
    known = standings(settings, [each.certificate for each in found], system_clock)
    documents = [{**each.document(now), "revocation": _words(one)} for each, one in zip(found, known, strict=True)]
    if as_json:
        print_json(documents)
    else:
        columns = {
            "Party": "party",
            "Use": "use",
            "Subject": "subject",
            "Expires": "expires",
            "Days left": "days_left",
            **({} if settings.revocation is None else {"Revocation": "revocation"}),
        }
        rows = [[document[field] for field in columns.values()] for document in documents]
        print_table(f"{len(rows)} certificates", tuple(columns), rows)
    soon = [each.sentence(now) for each in found if each.left(now) <= warning]
    revoked = [
        f"{each.name} is revoked: replace it."
        for each, one in zip(found, known, strict=True)
        if isinstance(one, Revoked)
    ]
    told = [*revoked, *soon]
    if told and not as_json:
        why = "are revoked, or expire soon" if revoked else "expire soon, or have"
        fail(told[0] if len(told) == 1 else f"{len(told)} certificates {why}: replace them.")
    if told:
        raise SystemExit(REFUSED)


def _words(answer: Answer | None) -> str:
    if answer is None:
        return "not checked"
    return f"revoked since {answer.since:%Y-%m-%d %H:%M} UTC" if isinstance(answer, Revoked) else answer.value
