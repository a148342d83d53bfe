"""What of a message's header those need who show it outside a mailbox, and the mark that says whether they may."""

from __future__ import annotations

import re
from typing import Final

from mm_soap.message.model import Message, Metadata, SupportInfo

NOT_SENSITIVE: Final = Metadata("Sensitive", "false")
"""The Metadata by which a sender says, under its signature, that a message may go by e-mail and SMS."""

_LANGUAGE: Final = re.compile(r"([a-z]{2,3})-?([A-Z]{2})?(?:-.*)?", re.ASCII)


def is_marked_sensitive(message: Message) -> bool | None:
    """Return what the sender says of a message; None if it says nothing.

    The mark is a Metadata with the tag ``Sensitive`` and the value ``true`` or ``false``. Any other value, and marks
    that contradict each other, count as sensitive.
    """
    tag = NOT_SENSITIVE.tag.lower()
    values = {one.value.strip().lower() for one in message.metadata if one.tag.strip().lower() == tag}
    return None if not values else values != {NOT_SENSITIVE.value}


def language_tag(language: str) -> str:
    """Return the language of a message as others write it: ``svSE`` becomes ``sv-SE``."""
    found = _LANGUAGE.fullmatch(language)
    if found is None:
        return "sv"
    return f"{found[1]}-{found[2]}" if found[2] else found[1]


def support_lines(support: SupportInfo) -> list[str]:
    """Return where the recipient turns with questions, line by line."""
    lines = [support.text, support.url, support.phone_number, support.email_address]
    return [line for line in lines if line and line.strip()]
