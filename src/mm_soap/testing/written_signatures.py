"""User signatures that are believed for what is written in them, where only who signed matters."""

from __future__ import annotations

from uuid import uuid4

from mm_soap.user_signatures import Signer, UserSignature, UserSignatureError, UserSignatureProblem


class WrittenSignatures:
    """Stands in for a `mm_soap.user_signatures.UserSignatureVerifier`."""

    @staticmethod
    def sign(number: str, name: str, text: str) -> UserSignature:
        """Return a signature of a person under a text: another one each time, as clients with a nonce make them."""
        return UserSignature(f"{number}\n{name}\n{uuid4()}\n{text}".encode(), "certificate")

    def verify(self, signature: UserSignature, text: str) -> Signer:
        """Return who signed.

        Raises:
            UserSignatureError: another text is written in it.
        """
        written = signature.signature.decode(errors="replace").split("\n", 3)
        if len(written) < 4 or written[3] != text:
            raise UserSignatureError(UserSignatureProblem.WRONG_TEXT)
        return Signer(written[0], written[1])
