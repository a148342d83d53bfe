"""The use cases testNewSigner and verifyAuthorizedSignatures: are these signatures enough?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mm_soap.companies import Status
from mm_soap.errors import Refusal, Refused
from mm_soap.far.accounts.answers import Authorization
from mm_soap.far.accounts.model import GivenSignature, Kind, Signatory
from mm_soap.far.accounts.signing import Signatories, Signing
from mm_soap.far.rights.model import AccountAction
from mm_soap.message.identifiers import is_coordination, is_organisation, is_person
from mm_soap.user_signatures import UserSignature, UserSignatureError
from mm_soap.user_signatures.text import codec_of

_TEXTS: Final = {
    Status.COMPLETE: "The signatures are enough.",
    Status.INCOMPLETE: "The signatures are too few.",
    Status.RULES_NOT_SUPPORTED: "The signatory rule of the company cannot be evaluated.",
}


class SignatureQuestions:
    """Answers questions about signatures. Nothing is stored.

    Args:
        signing: verifies signatures and knows who signs for whom.

    Both actions are judged alike: for a person the person's own signature, for a company its signatory rule. For
    ``OWNERSHIP`` a person must be one who may have an account, as in register.
    """

    def __init__(self, signing: Signing) -> None:
        self._signing = signing

    def test_new_signer(
        self, recipient: str, signed: Sequence[str], new: str | None, action: AccountAction
    ) -> Authorization:
        """Return how far signatures would have come if one more person signed. Source: contract, services, Authority.

        Args:
            recipient: a person or a company, with an account or without.
            signed: the personal numbers of those who have signed.
            new: the personal number of the one who would sign next; None for nobody.
            action: what the signatures are meant for.

        Raises:
            Refused: ``BAD_IDENTIFIER``; for a company ``COMPANY_REGISTER_AWAY``, ``NOT_FOUND`` or ``COMPANY_FORM``; for
                a person ``PERSON_UNKNOWN``, ``PERSON_DEAD`` or ``PERSON_UNDER_AGE``; ``NOT_SIGNATORY`` when one of
                the signers is none; ``IDENTITY_PROTECTED`` when one of them may not be shown; ``UNAVAILABLE`` when
                the population register is away.
        """
        self._signing.check_identifier(recipient, "arg0")
        signatories = self._signatories(recipient, action)
        numbers = list(dict.fromkeys((*signed, *(() if new is None else (new,)))))
        if not all(_has_form(number) and signatories.may_sign(number) for number in numbers):
            raise Refused(Refusal.NOT_SIGNATORY)
        return self._answer(recipient, signatories, [Signatory(number, "") for number in numbers])

    def verify(
        self, recipient: str, signatures: Sequence[UserSignature], data: bytes, action: AccountAction
    ) -> Authorization:
        """Verify signatures over data, and return how far they have come. Source: contract, services, Authority.

        Args:
            recipient: a person or a company, with an account or without.
            signatures: the users' signatures; one who signed twice counts once.
            data: the text that was signed, in the encoding that each signature names.
            action: what was signed.

        Raises:
            Refused: as `test_new_signer`, and ``USER_SIGNATURE`` for a signature that is not valid for the data,
                ``TOO_MANY_SIGNATURES`` or ``AGREEMENT_EMPTY``.
        """
        self._signing.check_identifier(recipient, "arg0")
        given: list[GivenSignature] = []
        for text, group in _by_text(signatures, data).items():
            given += self._signing.verify(Kind.DEREGISTER, text, group)
        signatories = self._signatories(recipient, action)
        self._signing.check_signers(signatories, given)
        once = {one.signer: Signatory(one.signer, one.name) for one in given}
        return self._answer(recipient, signatories, list(once.values()))

    def _signatories(self, recipient: str, action: AccountAction) -> Signatories:
        if action is AccountAction.OWNERSHIP and not is_organisation(recipient):
            self._signing.check_registration(recipient, ())
        return self._signing.signatories(recipient)

    def _answer(self, recipient: str, signatories: Signatories, signed: Sequence[Signatory]) -> Authorization:
        outcome = signatories.outcome(signed)
        # An answer without one who signed would be wrong; without one who could sign, it is only shorter.
        if len(self._signing.shown(signed)) < len(signed):
            raise Refused(Refusal.IDENTITY_PROTECTED)
        return self._signing.authorization(recipient, outcome, _TEXTS[outcome.status])


def _has_form(number: str) -> bool:
    return is_person(number) or is_coordination(number)


def _by_text(signatures: Sequence[UserSignature], data: bytes) -> dict[str, list[UserSignature]]:
    """Return the signatures by the text that the data are in the encoding of each: one, but for odd callers."""
    found: dict[str, list[UserSignature]] = {}
    for number, one in enumerate(signatures, start=1):
        try:
            text = data.decode(codec_of(one.encoding))
        except UserSignatureError as error:
            raise Refused(Refusal.USER_SIGNATURE, f"signature {number}: {error.description}") from None
        except UnicodeDecodeError:
            raise Refused(Refusal.USER_SIGNATURE, f"signature {number}: arg2 is not in its encoding") from None
        found.setdefault(text, []).append(one)
    return found
