"""The table [tls]: certificates of connections."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.config_types import Address, File, OptionalFile, Table


class TlsSettings(Table):
    """[tls]: how this server identifies itself, whom it lets in, and whom it believes when it calls."""

    certificate: OptionalFile = Field(
        default="",
        description="PEM file: the server's certificate, then those of its issuers. Empty behind a proxy.",
    )
    key: OptionalFile = Field(
        default="", description="PEM file: the server's private key, readable by its owner alone. Empty behind a proxy."
    )
    client_anchors: tuple[File, ...] = Field(
        default=(),
        description="PEM files: the authorities whose client certificates are let in: those that issue, and the roots.",
    )
    server_anchors: tuple[File, ...] = Field(
        default=(),
        description="PEM files: the authorities of the servers that are called. Empty for those of the system.",
    )
    proxies: tuple[Address, ...] = Field(
        default=(),
        description="Addresses of the proxies that terminate TLS before this server and hand over the client "
        "certificate in the header X-Client-Certificate. Nobody else is answered.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise PydanticCustomError("pair", "must have certificate and key, or neither")
        if self.certificate and self.proxies:
            raise PydanticCustomError("one_way", "must have certificate and key, or proxies, and not both")
        return self
