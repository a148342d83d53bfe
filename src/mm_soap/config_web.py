"""The settings of the web inbox, and of the provider that stands in for e-identification in a demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from mm_soap.config_types import File, OptionalFile, Table, Url

TEST_PROVIDER: Final = "/test-idp"
"""The path of the test identity provider, after the server's own URL."""


class WebSettings(Table):
    """[operator.web]: the inbox that recipients use in a browser. Without this table, the operator has no pages."""

    issuer: Url = Field(
        default="",
        description="The OpenID Connect provider that recipients sign in with: its issuer. Empty in a demonstration "
        "for the one in [test_idp].",
    )
    client_id: str = Field(default="mm-soap", min_length=1, description="The operator's client_id at the provider.")
    client_secret: OptionalFile = Field(
        default="", description="File with the client secret; empty for a client that proves itself with PKCE alone."
    )
    scope: str = Field(default="openid profile", pattern=r"(^|\s)openid(\s|$)", description="What is asked for.")
    number_claim: str = Field(
        default="https://id.oidc.se/claim/personalIdentityNumber",
        min_length=1,
        description="The claim of the ID token that holds the personal number, 12 digits.",
    )
    levels: tuple[str, ...] = Field(
        default=("https://id.oidc.se/loa/loa3", "http://id.elegnamnden.se/loa/1.0/loa3"),
        min_length=1,
        description="The assurance levels (acr of the ID token) with which messages of class 3 may be read. The first "
        "is asked for.",
    )
    session_key: File = Field(
        default=Path("data/session.key"),
        description="File with the secret that signs sessions, made when it is not there. Processes share it.",
    )
    idle_timeout: float = Field(
        default=900, ge=60, le=3600, description="After how long without a request a session ends, in seconds."
    )
    session_timeout: float = Field(
        default=28_800, ge=60, le=86_400, description="After how long a session ends in any case, in seconds."
    )


class TestIdpSettings(Table):
    """[test_idp]: lets anybody sign in as anybody, for trials. Production refuses it; empty, none is served."""

    __test__ = False  # not a test class, whatever its name says to pytest

    key: File = Field(
        default=Path("data/test-idp.key"), description="PEM file: the key that signs tokens, made when it is not there."
    )
    persons: File = Field(
        default=Path("pki"), description="The folder with person-NUMBER.pem and person-NUMBER.key of those to choose."
    )
