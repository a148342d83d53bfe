"""An operator's system on zeep: its client comes from the WSDLs that are served."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from zeep import Client
from zeep.exceptions import Fault

TEXT = "Jag vill ha digital post å."
"""What each user signs."""

PATHS = {"Recipient": "Recipient/v3", "Authority": "Authority"}


class ZeepClient:
    """Calls operations by the words of a step, all of them numbers and names as they are on the wire.

    Args:
        url: of the server.
        signatures: the folder with a file for each signature: base64, certificate, nonce, encoding.
    """

    def __init__(self, url: str, signatures: Path) -> None:
        self._clients = {name: Client(f"{url}/{path}?wsdl") for name, path in PATHS.items()}
        self._recipient, self._authority = (client.service for client in self._clients.values())
        self._signatures = signatures

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.transport.session.close()

    def do(self, operation: str, *arguments: str) -> str:
        """Make one call; return its answer, or the ErrorCode of its fault, in the words of the table."""
        try:
            answer: str = getattr(self, operation)(*arguments)
        except Fault as fault:
            detail = fault.detail[0]
            types = self._clients["Authority" if "Authority" in detail.tag else "Recipient"].wsdl.types
            return str(types.get_element(detail.tag).parse(detail, types).ErrorCode)
        return answer

    def signed(self, signers: str) -> list[dict[str, Any]]:
        given = []
        for name in signers.split(","):
            signature, certificate, nonce, encoding = (self._signatures / name).read_text().split("\n")
            given.append(
                {
                    "Signature": b64decode(signature),
                    "Certificate": certificate,
                    "Nonce": nonce or None,
                    "EncodingOfSignedText": encoding,
                }
            )
        return given

    def request(self, kind: str, recipient: str, operator: str) -> dict[str, Any]:
        return {
            "Id": recipient,
            "Type": kind,
            "AgreementText": TEXT,
            "Timestamp": date.today().isoformat(),
            "ServiceSupplier": operator,
        }

    # Recipient

    def isRegistered(self, *recipients: str) -> str:  # noqa: N802
        return "; ".join(_account(one) for one in self._recipient.isRegistered(recipientId=list(recipients)))

    def isReachable(self, sender: str, *recipients: str) -> str:  # noqa: N802
        found = self._recipient.isReachable(senderOrgNr=sender, recipientId=list(recipients))
        return "; ".join(f"{_account(one.AccountStatus)} {str(one.SenderAccepted).lower()}" for one in found)

    def register(self, recipient: str, operator: str, signers: str) -> str:
        request = self.request("Create", recipient, operator)
        return _signed(
            self._recipient.register(accountRequest=request, accountType="Secure", signature=self.signed(signers))
        )

    def deregister(self, recipient: str, operator: str, signers: str) -> str:
        request = self.request("Delete", recipient, operator)
        return _signed(self._recipient.deregister(deregisterAccount=request, signature=self.signed(signers)))

    def changeServiceSupplier(self, recipient: str, operator: str, signers: str) -> str:  # noqa: N802
        return _signed(
            self._recipient.changeServiceSupplier(
                Id=recipient,
                UserIdentity=_first(signers),
                ServiceSupplier=operator,
                AgreementText=TEXT,
                SignatureData=self.signed(signers),
            )
        )

    def storeAccountPreferences(self, recipient: str, accepted: str, signers: str) -> str:  # noqa: N802
        senders = [{"Id": one, "Name": "Namn"} for one in accepted.split(",") if one != "-"]
        return _signed(
            self._recipient.storeAccountPreferences(
                Id=recipient,
                UserIdentity=_first(signers),
                preferences={"Id": recipient, "AcceptedSenders": senders},
                AgreementText=TEXT,
                SignatureData=self.signed(signers),
            )
        )

    def getAccountPreferences(self, recipient: str, user: str) -> str:  # noqa: N802
        return _accepted(self._recipient.getAccountPreferences(RecipientId=recipient, UserIdentity=user))

    def isAuthorizedSigner(self, company: str, user: str) -> str:  # noqa: N802
        found = self._recipient.isAuthorizedSigner(CompanyId=company, UserIdentity=user)
        said = f"{str(found.isAccountAuthorizedSigner).lower()} {_ids(found.PossibleSigners)}"
        if (account := found.AccountInformation) is not None:
            signed = _ids(account.SignedBy)
            said += f" {account.AccountStatus} {account.SignatureStatus} {account.serviceSupplier} {signed}"
        return said

    def getPendingAccountRequest(self, user: str, *recipients: str) -> str:  # noqa: N802
        found = self._recipient.getPendingAccountRequest(recipientId=list(recipients), userIdentity=user)
        return "; ".join(map(_pending, found or [])) or "-"

    def deletePendingAccountRequest(self, recipient: str, user: str) -> str:  # noqa: N802
        self._recipient.deletePendingAccountRequest(recipientId=recipient, userIdentity=user)
        return "done"

    def getPendingChangeServiceSupplier(self, recipient: str, user: str) -> str:  # noqa: N802
        found = self._recipient.getPendingChangeServiceSupplier(Id=recipient, UserIdentity=user)
        return f"{found.serviceSupplier.Name} {_signers(found.pendingSignatures)}"

    def deletePendingChangeServiceSupplier(self, recipient: str, user: str) -> str:  # noqa: N802
        found = self._recipient.deletePendingChangeServiceSupplier({"Id": recipient, "UserIdentity": user})
        return str(found.Name)

    def getPendingAccountPreferences(self, recipient: str, user: str) -> str:  # noqa: N802
        found = self._recipient.getPendingAccountPreferences(Id=recipient, UserIdentity=user)
        return f"{_accepted(found.AccountPreferences)} {_signers(found.PendingSignatures)}"

    def deletePendingAccountPreferences(self, recipient: str, user: str) -> str:  # noqa: N802
        found = self._recipient.deletePendingAccountPreferences({"Id": recipient, "UserIdentity": user})
        return f"{found.Id} {found.UserIdentity}"

    # Authority

    def getSenders(self) -> str:  # noqa: N802
        return _ids(self._authority.getSenders())

    def getDispatchers(self) -> str:  # noqa: N802
        return "; ".join(f"{one.Id}:{','.join(one.Senders)}" for one in self._authority.getDispatchers())

    def isSenderAccepted(self, number: str) -> str:  # noqa: N802
        return str(self._authority.isSenderAccepted(number)).lower()

    def testNewSigner(self, recipient: str, signed: str, new: str) -> str:  # noqa: N802
        persons = [{"Id": one, "Name": "Namn"} for one in signed.split(",") if one != "-"]
        return _signed(self._authority.testNewSigner(recipient, persons, None if new == "-" else new, "Ownership"))

    def verifyAuthorizedSignatures(self, recipient: str, signers: str) -> str:  # noqa: N802
        return _signed(
            self._authority.verifyAuthorizedSignatures(recipient, self.signed(signers), TEXT.encode(), "Ownership")
        )

    def getUserAccessRights(self, user: str) -> str:  # noqa: N802
        return _rights(self._authority.getUserAccessRights(user))

    def getUserAccessRightsNoConcent(self, user: str) -> str:  # noqa: N802
        return _rights(self._authority.getUserAccessRightsNoConcent(user))


def _first(signers: str) -> str:
    return signers.partition(",")[0].rstrip("!")


def _ids(rows: Iterable[Any] | None) -> str:
    return ",".join(str(row.Id) for row in rows or [])


def _account(status: Any) -> str:
    if status.ServiceSupplier is None:
        return str(status.Type)
    return f"{status.Type} {'pending' if status.Pending else 'active'} {status.ServiceSupplier.Name}"


def _accepted(preferences: Any) -> str:
    return _ids(preferences.AcceptedSenders) or "-"


def _signers(result: Any) -> str:
    possible = _ids(result.PossibleSigners)
    return " ".join(part for part in (_ids(result.SignedBy), possible and f"/ {possible}") if part)


def _signed(result: Any) -> str:
    return f"{result.Status} {_signers(result)}"


def _pending(row: Any) -> str:
    return f"{row.AccountRequest.Type} {row.AccountRequest.ServiceSupplier} {_signers(row.SignatureStatus)}"


def _rights(result: Any) -> str:
    # zeep gives None for an element without children.
    return "; ".join(f"{row.Id} {row.GrantType}" for row in (result.Rights if result else ())) or "-"
