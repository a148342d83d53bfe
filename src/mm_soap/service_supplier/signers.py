"""Who may sign and seal a delivery for its sender."""

from __future__ import annotations

from mm_soap.directory import Directory
from mm_soap.dsig import VerifiedSeal
from mm_soap.errors import Refusal, Refused


def check_signers(verified: VerifiedSeal, sender: str, directory: Directory) -> None:
    """Check that those who signed and sealed a delivery may do so for its sender.

    Source: contract, signing, "Who signs what".

    Raises:
        Refused: ``RULE_BROKEN``, ``SENDER_UNKNOWN``, ``SIGNER_NOT_LISTED``, ``SEALER_NOT_DISPATCHER``, ``UNAVAILABLE``.
    """
    signer, sealer = verified.delivery.signer.organisation, verified.signer.organisation
    if not verified.signatures_ok:
        raise Refused(Refusal.RULE_BROKEN, "SealedDelivery/Seal/SignaturesOK must be true")
    if not directory.sender_connected(sender):
        raise Refused(Refusal.SENDER_UNKNOWN)
    if signer != sender and not directory.may_dispatch(signer, sender):
        raise Refused(Refusal.SIGNER_NOT_LISTED)
    if not directory.may_dispatch(sealer, sender):
        raise Refused(Refusal.SEALER_NOT_DISPATCHER)
