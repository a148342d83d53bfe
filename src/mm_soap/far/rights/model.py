"""Rights, what they rest on, and what each lets a person do. The values are the contract's words (schema Authority)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class AccountAction(StrEnum):
    """What signatures are meant for. A company's signatory rule is the same for both."""

    OWNERSHIP = "Ownership"
    CANCEL_CONSENT = "CancelConsent"


class GrantType(StrEnum):
    """What a right rests on."""

    SIGNATORY = "AuthorizedSignatory"
    ROLE = "AuthorizedRole"
    CONSENT_READ = "ConsentRead"
    CONSENT_READ_UNREAD = "ConsentReadExtendUnread"
    CONSENT_MANAGE = "ConsentManage"


class ConsentKind(StrEnum):
    """What a consent lets somebody do: read, read also what nobody has read yet, or manage."""

    READ = "ConsentRead"
    READ_UNREAD = "ConsentReadExtendUnread"
    MANAGE = "ConsentManage"


class Activity(StrEnum):
    """One thing that a person may do with a mailbox."""

    VIEW = "View"
    FORWARD_MESSAGE = "ForwardMessage"
    EDIT_SETTINGS = "EditSettings"
    EDIT_ADDRESS_BOOK = "EditSettingsAddressbook"
    EDIT_CONSENT = "EditSettingsConsent"
    EDIT_CONTACT = "EditSettingsContact"
    EDIT_FORWARD = "EditSettingsForward"
    EDIT_FROM = "EditSettingsFrom"
    EDIT_INACTIVATE = "EditSettingsInactivate"
    INITIATE_ACCOUNT = "InitiateAccountAction"
    INITIATE_CONSENT = "InitiateConsentAction"
    INITIATE_CONSENT_READ = "InitiateConsentReadAction"
    INITIATE_CONSENT_MANAGE = "InitiateConsentManageAction"


_INITIATE: Final = (
    Activity.INITIATE_ACCOUNT,
    Activity.INITIATE_CONSENT,
    Activity.INITIATE_CONSENT_READ,
    Activity.INITIATE_CONSENT_MANAGE,
)
_RUN: Final = (
    Activity.VIEW,
    Activity.FORWARD_MESSAGE,
    Activity.EDIT_SETTINGS,
    Activity.EDIT_ADDRESS_BOOK,
    Activity.EDIT_CONTACT,
    Activity.EDIT_FORWARD,
)

SIGNS_ALONE: Final = tuple(Activity)
"""What a signatory may do who signs alone for the company: everything."""

SIGNS_WITH_OTHERS: Final = _INITIATE
"""What a signatory may do who signs with others: begin what they complete together, such as a consent to read."""

WITHOUT_ACCOUNT: Final = (Activity.INITIATE_ACCOUNT,)
"""What any signatory may do for a company that has no active account: begin one."""

BY_ROLE: Final[Mapping[str, tuple[Activity, ...]]] = {
    "managing_director": _RUN,
    "deputy_managing_director": _RUN,
    "procurist": _RUN,
}
"""What a role alone lets a person do, by the role's key: the company's daily business, so its post. No other role lets
a person do anything; a member of the board does what the signatory rule says."""

BY_CONSENT: Final[Mapping[ConsentKind, tuple[Activity, ...]]] = {
    ConsentKind.READ: (Activity.VIEW,),
    ConsentKind.READ_UNREAD: (Activity.VIEW,),
    ConsentKind.MANAGE: (*_RUN, Activity.EDIT_FROM),
}
"""What each kind of consent lets a person do. Who manages changes settings, but neither closes the mailbox nor gives
consents to others. Whether unread messages may be read, the operator takes from the GrantType."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent that a recipient gave.

    Args:
        recipient: whose mailbox it is.
        user: the personal number, or the foreign identity, of the person who may use it.
        kind: what that person may do.
        given: when.
        cancelled: when it ended; None while it is in force.
    """

    recipient: str = field(repr=False)
    user: str = field(repr=False)
    kind: ConsentKind
    given: datetime
    cancelled: datetime | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """What one person may do with one mailbox, and why: the contract's UserAccessRights.

    Args:
        recipient: whose mailbox it is.
        user: the person, as it was asked.
        grant: what the right rests on.
        access: what the person may do.
        organisation_name: the name of the organisation whose mailbox it is, where it is known.
        role: the name of the role, for a right that rests on one.
    """

    recipient: str = field(repr=False)
    user: str = field(repr=False)
    grant: GrantType
    access: tuple[Activity, ...]
    organisation_name: str | None = None
    role: str | None = None


class ProblemType(StrEnum):
    """What was wrong with the data of a source."""

    INACCESSIBLE = "SourceInaccessible"
    MISSING = "DataMissing"
    UNEXPECTED = "DataUnexpected"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that kept the register from a full answer. Its source is always the company register.

    Args:
        kind: what was wrong.
        description: for people.
        company: the organisation number that it concerns, where it concerns one.
    """

    kind: ProblemType
    description: str
    company: str | None = None


@dataclass(frozen=True, slots=True)
class AccessRights:
    """The rights of a person; with problems, the list may be incomplete."""

    rights: tuple[Right, ...] = ()
    problems: tuple[Problem, ...] = ()
