"""mm-soap certificates: when the certificates that the settings name expire."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mm_soap.cli.output import REFUSED, fail, print_json, print_table
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.expiry import of_settings


def certificates(config: Path, as_json: bool) -> None:
    """Print the certificates, the first to expire first; end with status 1 if one has expired or soon will."""
    settings = load(config)
    now, warning = system_clock(), timedelta(days=settings.trust.expiry_warning_days)
    found = sorted(of_settings(settings), key=lambda each: each.expires)
    documents = [each.document(now) for each in found]
    if as_json:
        print_json(documents)
    else:
        columns = {
            "Party": "party",
            "Use": "use",
            "Subject": "subject",
            "Expires": "expires",
            "Days left": "days_left",
        }
        rows = [[document[field] for field in columns.values()] for document in documents]
        print_table(f"{len(rows)} certificates", tuple(columns), rows)
    soon = [each for each in found if each.left(now) <= warning]
    if soon and not as_json:
        fail(
            soon[0].sentence(now) if len(soon) == 1 else f"{len(soon)} certificates expire soon, or have: replace them."
        )
    if soon:
        raise SystemExit(REFUSED)
