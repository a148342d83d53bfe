"""Every sentence of the inbox, in Swedish and English."""

from __future__ import annotations

from typing import Final

from mm_soap.web.inbox.texts_messages import MESSAGES
from mm_soap.web.inbox.texts_settings import SETTINGS

LANGUAGES: Final = {"sv": "Svenska", "en": "English"}

TEXTS: Final = MESSAGES | SETTINGS
"""A sentence by its key: Swedish, English. What stands in braces is filled in by whoever shows it."""


def told(language: str, key: str, **values: object) -> str:
    """Return a sentence.

    Args:
        language: ``sv`` or ``en``.
        key: of `TEXTS`.
        values: what stands for the words in braces.
    """
    swedish, english = TEXTS[key]
    return (english if language == "en" else swedish).format(**values)
