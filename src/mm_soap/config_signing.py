"""With what a party, or a sender, signs, and what it shows when it calls."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.config_types import File, KeyName, OptionalFile, Organisation, Table

_KEY: Final = (
    "The certificate's private key: a PEM file, unencrypted, readable by its owner alone, or the PKCS #11 URI of a "
    "key in a token."
)


class SigningSettings(Table):
    """What each table of a party and of a sender begins with."""

    organisation: Organisation = Field(
        description="The organisation number, 12 digits beginning with 16; the certificate must name the same."
    )
    certificate: File = Field(
        description="PEM file: the certificate that the party signs with, then those of its issuers."
    )
    key: KeyName = Field(description=_KEY)
    tls_certificate: OptionalFile = Field(
        default="", description="PEM file: what is shown in calls over TLS. Empty for the certificate that signs."
    )
    tls_key: OptionalFile = Field(
        default="", description="PEM file: its private key. A file also where the key that signs is in a token."
    )

    @model_validator(mode="after")
    def _a_pair(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise PydanticCustomError("pair", "must have tls_certificate and tls_key, or neither")
        return self
