"""The table [revocation]: whether certificates are revoked, how that is found out, and how long it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.config_types import AskedHost, File, Table, Url

_LISTS_FILES = "PEM or DER files with the issuer's revocation list. Read again when they change."
_UNKNOWN = "What happens to a certificate of which nothing is known that counts"


class RevocationIssuerSettings(Table):
    """[[revocation.issuer]]: what tells of the certificates of one authority; their own addresses are then not used."""

    certificate: File = Field(description="PEM file: the authority's certificate, the first in the file.")
    crl_files: tuple[File, ...] = Field(default=(), description=_LISTS_FILES)
    crl_urls: tuple[Url, ...] = Field(default=(), description="Addresses of the issuer's revocation list.")
    ocsp_url: Url = Field(default="", description="Address of the issuer's OCSP responder; empty for none.")
    when_unknown: Literal["", "refuse", "accept"] = Field(
        default="", description=f"{_UNKNOWN}; empty for what [revocation] says."
    )


class RevocationSettings(Table):
    """[revocation]: whether certificates are revoked. Without this table, nobody looks."""

    hosts: tuple[AskedHost, ...] = Field(
        default=(),
        description="Hosts, or host:port, of the addresses in certificates that may be asked. No others are.",
    )
    refresh: float = Field(default=300, gt=0, description="How often a status in use is asked for, in seconds.")
    max_age: float = Field(
        default=3600,
        gt=0,
        description="How long a fetched status is fresh since it was confirmed, in seconds, whatever its nextUpdate.",
    )
    grace: float = Field(
        default=86_400,
        ge=0,
        description="How much longer the last known status counts while no newer one can be had, in seconds.",
    )
    when_unknown: Literal["refuse", "accept"] = Field(
        default="refuse", description=f"{_UNKNOWN}: fault 4000, or nothing."
    )
    first_wait: float = Field(
        default=3, ge=0, description="How long a call waits for the first status of a certificate, in seconds."
    )
    clock_skew: float = Field(
        default=60, ge=0, description="By how much the clocks of issuers may differ from this one, in seconds."
    )
    prefer: Literal["crl", "ocsp"] = Field(
        default="crl", description="Which addresses of a certificate are used where it has both."
    )
    nonce: Literal["optional", "required", "none"] = Field(
        default="optional", description="Whether OCSP requests have a nonce, and whether answers must have it too."
    )
    timeout: float = Field(default=10, gt=0, description="How long one answer may take, in seconds.")
    max_crl_bytes: int = Field(default=20_971_520, gt=0, description="The longest revocation list, in bytes.")
    cache: File = Field(
        default=Path("data/revocation"),
        description="Folder for what was fetched: for the next start, and for all processes on this machine.",
    )
    issuer: tuple[RevocationIssuerSettings, ...] = ()

    @model_validator(mode="after")
    def _something_tells(self) -> Self:
        named = any(each.crl_files or each.crl_urls or each.ocsp_url for each in self.issuer)
        if not self.hosts and not named and self.when_unknown == "refuse":
            raise PydanticCustomError("sources", "must have hosts, or an issuer with lists or a responder")
        return self
