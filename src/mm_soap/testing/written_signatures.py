"""User signatures that are believed for what is written in them, where only who signed matters."""

from __future__ import annotations

from mm_soap.user_signatures import Signer, UserSignature, UserSignatureError, UserSignatureProblem


class WrittenSignatures:
    """Stands in for a `mm_soap.user_signatures.UserSignatureVerifier`."""

    @staticmethod
    def sign(number: str, name: str, text: str) -> UserSignature:
        """Return the signature of a person under a text."""
        return UserSignature(f"{number}\n{name}\n{text}".encode(), "certificate")

    def verify(self, signature: UserSignature, text: str) -> Signer:
        """Return who signed.

        Raises:
            UserSignatureError: another text is written in it.
        """
        number, _, rest = signature.signature.decode(errors="replace").partition("\n")
        name, _, signed = rest.partition("\n")
        if signed != text:
            raise UserSignatureError(UserSignatureProblem.WRONG_TEXT)
        return Signer(number, name)
