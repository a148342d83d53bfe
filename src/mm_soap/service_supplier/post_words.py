"""What a notice of secure post says: that there is some, and where to read it. Nothing of what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mm_soap.service_supplier.contacts import SMS
from mm_soap.service_supplier.notices import NoticeRules

_SUBJECTS: Final = {"sv": "Ny post i din digitala brevlåda", "en": "New post in your digital mailbox"}
_MOST_NAMES: Final = 5
_LONGEST_NAME: Final = 100

_templates = Environment(
    loader=PackageLoader("mm_soap.service_supplier"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Words:
    """What is sent: the subject, and the text in its forms. A text message has its text alone."""

    subject: str | None
    text: str = field(repr=False)
    html: str = field(default="", repr=False)


def words_for(channel: str, language: str, senders: Sequence[str], rules: NoticeRules) -> Words:
    """Return the words of a notice.

    Args:
        channel: ``EMail`` or ``SMS``.
        language: ``sv`` or ``en``.
        senders: the names of those who sent the post. They stay out unless the rules name senders.
        rules: the operator's.
    """
    known = language if language in _SUBJECTS else "sv"
    names = dict.fromkeys(_one_line(name) for name in senders) if rules.name_senders else {}
    values = {
        "operator": rules.operator,
        "inbox": rules.inbox,
        "settings": rules.settings,
        "senders": list(names)[:_MOST_NAMES],
        "more": len(names) > _MOST_NAMES,
    }

    def written(name: str) -> str:
        return _templates.get_template(f"notice-{known}{name}").render(values)

    if channel == SMS:
        return Words(None, " ".join(written("-sms.txt").split()))
    return Words(_SUBJECTS[known], written(".txt"), written(".html"))


def _one_line(name: str) -> str:
    visible = " ".join("".join(each if each.isprintable() else " " for each in name).split())
    return visible if len(visible) <= _LONGEST_NAME else visible[: _LONGEST_NAME - 1] + "…"
