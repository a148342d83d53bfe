"""What a person may do with which mailboxes: as signatory, by role, by consent; and whose signatures are enough."""

from mm_soap.far.rights.model import (
    AccessRights,
    AccountAction,
    Activity,
    Consent,
    ConsentKind,
    GrantType,
    Problem,
    ProblemType,
    Right,
)
from mm_soap.far.rights.service import ConsentChanged, Consents, Rights
from mm_soap.far.rights.signatures import SignatureQuestions
from mm_soap.far.rights.store import cancel_consents_of

__all__ = [
    "AccessRights",
    "AccountAction",
    "Activity",
    "Consent",
    "ConsentChanged",
    "ConsentKind",
    "Consents",
    "GrantType",
    "Problem",
    "ProblemType",
    "Right",
    "Rights",
    "SignatureQuestions",
    "cancel_consents_of",
]
