"""Signing in, and signing, by OpenID Connect."""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from flask import Flask
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from mm_soap.message.identifiers import is_identifier
from mm_soap.user_signatures import UserSignature
from mm_soap.web.claims import CERTIFICATE_CLAIM, NAME_CLAIM, SIGN_REQUEST, SIGNATURE_CLAIM

_log = logging.getLogger(__name__)

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""What tokens may be signed with; never ``none``, and never a shared secret."""
_SECONDS: Final = 10.0
_LONGEST_NAME: Final = 200


class NotSignedIn(Exception):
    """The provider did not say who somebody is. ``key`` names the sentence that says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class Client:
    """What an operator is to its provider; see `mm_soap.config_web.WebSettings`.

    ``ca`` names a file with the authorities that the provider's TLS is trusted by; None for the system's.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scope: str
    number_claim: str
    levels: tuple[str, ...]
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in, and what they signed, if that was asked for."""

    number: str = field(repr=False)
    name: str = field(repr=False)
    signature: UserSignature | None = None


class Provider:
    """An OpenID Connect provider, asked with code, PKCE, state and nonce.

    Args:
        app: the application, whose session holds what belongs to an answer.
        client: what the operator is to the provider.
        redirect_uri: where the provider sends the browser back to.
    """

    def __init__(self, app: Flask, client: Client, redirect_uri: str) -> None:
        self._client = client
        self._redirect_uri = redirect_uri
        method = "client_secret_basic" if client.client_secret else "none"
        self._remote: Any = OAuth(app).register(
            "provider",
            client_id=client.client_id,
            client_secret=client.client_secret,
            server_metadata_url=f"{client.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": client.scope,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": method,
                "default_timeout": _SECONDS,
                "verify": client.ca or True,
            },
        )

    def sign_in(self, language: str) -> Response:
        """Send the browser to the provider.

        Raises:
            NotSignedIn: the provider cannot be asked.
        """
        return self._redirect({"ui_locales": language})

    def sign(self, text: str, person: str, language: str) -> Response:
        """Send the browser to the provider to have a text signed.

        Args:
            text: the agreement text.
            person: who must sign it.
            language: of the provider's pages.

        Raises:
            NotSignedIn: the provider cannot be asked.
        """
        wanted = b64encode(text.encode()).decode()
        asked = {"tbs_data": wanted, "sign_message": {"message": wanted, "mime_type": "text/plain"}}
        return self._redirect({"ui_locales": language, "prompt": "login", SIGN_REQUEST: json.dumps(asked)})

    def answered(self) -> Person:
        """Return who came back, from an ID token that is for us, fresh, and of a high enough level.

        Raises:
            NotSignedIn: there is no such token.
        """
        try:
            self._prepare()
            claims = self._remote.authorize_access_token(
                claims_options={
                    "iss": {"essential": True, "value": self._client.issuer},
                    "aud": {"essential": True, "value": self._client.client_id},
                },
                leeway=60,
            ).get("userinfo")
        except (AuthlibBaseError, JoseError, requests.RequestException, ValueError, KeyError, TypeError) as error:
            # Their texts may hold what is in a token.
            _log.warning("nobody was signed in: %s", type(error).__name__)
            given_up = getattr(error, "error", "") == "access_denied"
            raise NotSignedIn("sign_in.given_up" if given_up else "sign_in.failed") from None
        if claims is None:
            raise NotSignedIn("sign_in.failed")
        return self._person(claims)

    def _person(self, claims: dict[str, Any]) -> Person:
        if claims.get("acr") not in self._client.levels:
            raise NotSignedIn("sign_in.level")
        number = str(claims.get(self._client.number_claim, ""))
        if not is_identifier(number) or number.startswith("16"):
            raise NotSignedIn("sign_in.no_number")
        name = str(claims.get(NAME_CLAIM) or "")[:_LONGEST_NAME]
        return Person(number, name, _signature(claims))

    def _redirect(self, parameters: dict[str, str]) -> Response:
        try:
            self._prepare()
            answer = self._remote.authorize_redirect(
                self._redirect_uri, acr_values=self._client.levels[0], **parameters
            )
        except (AuthlibBaseError, requests.RequestException, ValueError, KeyError, RuntimeError) as error:
            _log.warning("the identity provider cannot be asked: %s", type(error).__name__)
            raise NotSignedIn("sign_in.away") from None
        assert isinstance(answer, Response)
        return answer

    def _prepare(self) -> None:
        metadata = self._remote.load_server_metadata()
        if metadata.get("issuer") != self._client.issuer:
            raise ValueError("the provider calls itself otherwise")
        offered = metadata.get("id_token_signing_alg_values_supported") or _ALGORITHMS
        metadata["id_token_signing_alg_values_supported"] = [each for each in offered if each in _ALGORITHMS]


def _signature(claims: dict[str, Any]) -> UserSignature | None:
    made = claims.get(SIGNATURE_CLAIM)
    if not isinstance(made, str):
        return None
    try:
        return UserSignature(b64decode(made, validate=True), str(claims.get(CERTIFICATE_CLAIM, "")))
    except Base64Error:
        raise NotSignedIn("sign_in.failed") from None
