"""A test identity provider: OpenID Connect for trials, where anybody signs in as anybody.

It signs texts too, with the keys of the demonstration's persons, as the signature extension of OpenID Connect in Sweden
says it (https://www.oidc.se/specifications/oidc-signature-extension.html). Its codes carry what they stand for, signed:
any process answers for any other, and nothing is kept.
"""

from __future__ import annotations

import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Response, jsonify, render_template, request
from flask_wtf import CSRFProtect
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc.jwk import ECKey, KeySet

from mm_soap.config_web import TEST_PROVIDER
from mm_soap.soap import Wsgi
from mm_soap.testing.e_identification import EIdentity
from mm_soap.web.claims import CERTIFICATE_CLAIM, NAME_CLAIM, SIGN_REQUEST, SIGNATURE_CLAIM
from mm_soap.web.shell import add_headers, content_policy, new_app

LEVELS: Final = ("https://id.oidc.se/loa/loa3", "https://id.oidc.se/loa/loa2")
_NUMBER_CLAIM: Final = "https://id.oidc.se/claim/personalIdentityNumber"
_CODE_SECONDS: Final = 60
_MOST_BYTES: Final = 200_000
_LONGEST_TEXT: Final = 50_000


def create_test_idp(base_url: str, key: bytes, people: Mapping[str, EIdentity]) -> Wsgi:
    """Return the provider as one WSGI application, for ``/test-idp``.

    Args:
        base_url: the URL by which others reach this server.
        key: PEM, an elliptic key that signs tokens and codes.
        people: whom one may choose, by number.
    """
    if base_url.startswith("http://"):
        os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")  # a trial on one machine
    issuer = base_url + TEST_PROVIDER
    signing = ECKey.import_key(key, {"use": "sig", "alg": "ES256"})
    signing.ensure_kid()
    app = new_app(
        "test_idp",
        static=f"{TEST_PROVIDER}/static",
        secret=key,
        cookie="mm_soap_test_idp",
        path=TEST_PROVIDER,
        base_url=base_url,
        most_bytes=_MOST_BYTES,
    )
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    csrf = CSRFProtect(app)
    server = AuthorizationServer(
        app, query_client=lambda number: _Client(number, base_url), save_token=lambda token, asked: None
    )
    server.register_grant(_grant(URLSafeTimedSerializer(key, salt="code"), people), [_PKCE, _tokens(issuer, signing)])
    policy = content_policy(form_action=f"'self' {base_url}")
    app.after_request(lambda response: add_headers(response, policy))

    @app.get(f"{TEST_PROVIDER}/.well-known/openid-configuration")
    def metadata() -> Response:
        return jsonify(_metadata(issuer))

    @app.get(f"{TEST_PROVIDER}/jwks")
    def keys() -> Response:
        return jsonify(KeySet([signing]).as_dict(private=False))

    @app.route(f"{TEST_PROVIDER}/authorize", methods=["GET", "POST"])
    def authorize() -> Any:
        try:
            grant = server.get_consent_grant(end_user=None)
        except OAuth2Error as error:
            return render_template("test_idp/refused.html", told=error.description or error.error), 400
        person = people.get(request.form.get("person", ""))
        if request.method == "POST" and request.form.get("level") in LEVELS:
            # Without a person: whoever gave up.
            return server.create_authorization_response(grant=grant, grant_user=person)
        text = _text_to_sign(request.args)
        chosen = request.args.get("login_hint", "")
        return render_template("test_idp/choose.html", people=people.values(), levels=LEVELS, text=text, chosen=chosen)

    @app.post(f"{TEST_PROVIDER}/token")
    @csrf.exempt  # type: ignore[untyped-decorator]
    def token() -> Any:
        return server.create_token_response()

    return app


def _metadata(issuer: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": list(LEVELS),
    }


_PKCE: Final = CodeChallenge(required=True)


class _Client(ClientMixin):  # type: ignore[misc]
    """Any operator of this installation: a client without a secret."""

    def __init__(self, number: str, base_url: str) -> None:
        self._number = number
        self._base_url = base_url

    def get_client_id(self) -> str:
        return self._number

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(each for each in (scope or "").split() if each in ("openid", "profile"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.startswith(f"{self._base_url}/") and redirect_uri.endswith("/Inbox/signed-in")

    def check_client_secret(self, client_secret: str) -> bool:
        return False

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class _Code(AuthorizationCodeMixin):  # type: ignore[misc]
    """What a code stands for."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.code_challenge = content["challenge"]
        self.code_challenge_method = "S256"

    def get_redirect_uri(self) -> str:
        return str(self.content["redirect"])

    def get_scope(self) -> str:
        return str(self.content["scope"])

    def get_nonce(self) -> str:
        return str(self.content["nonce"])

    def get_auth_time(self) -> int:
        return int(self.content["at"])

    def get_acr(self) -> str:
        return str(self.content["level"])

    def get_amr(self) -> None:
        return None


def _grant(codes: URLSafeTimedSerializer, people: Mapping[str, EIdentity]) -> type:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

        def generate_authorization_code(self) -> str:
            asked = self.request.payload
            return str(
                codes.dumps(
                    {
                        "client": asked.client_id,
                        "redirect": asked.redirect_uri,
                        "scope": "openid profile",
                        "nonce": asked.data.get("nonce", ""),
                        "challenge": asked.data.get("code_challenge", ""),
                        "person": self.request.user.personal_number,
                        "level": request.form["level"],
                        "text": _text_to_sign(request.args),
                        "at": int(time.time()),
                    }
                )
            )

        def save_authorization_code(self, code: str, asked: Any) -> None:
            pass

        def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
            try:
                content = codes.loads(code, max_age=_CODE_SECONDS)
            except BadSignature:
                return None
            return _Code(content) if content["client"] == client.get_client_id() else None

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            pass

        def authenticate_user(self, authorization_code: _Code) -> tuple[EIdentity, str]:
            content = authorization_code.content
            return people[content["person"]], content["text"]

    return Grant


def _tokens(issuer: str, key: ECKey) -> OpenIDCode:
    class Tokens(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, asked: Any) -> bool:
            return False

        def get_client_algorithm(self, client: _Client) -> str:
            return "ES256"

        def resolve_client_private_key(self, client: _Client) -> ECKey:
            return key

        def get_encode_header(self, client: _Client) -> dict[str, str]:
            return {"alg": "ES256", "kid": str(key.kid)}

        def get_client_claims(self, client: _Client) -> dict[str, Any]:
            now = int(time.time())
            return {"iss": issuer, "aud": [client.get_client_id()], "iat": now, "exp": now + 300}

        def generate_user_info(self, user: tuple[EIdentity, str], scope: str) -> UserInfo:
            person, text = user
            told = UserInfo(sub=person.personal_number)
            told[_NUMBER_CLAIM] = person.personal_number
            told[NAME_CLAIM] = person.name
            if text:
                signature = person.sign_xml(text)
                told[SIGNATURE_CLAIM] = b64encode(signature.signature).decode()
                told[CERTIFICATE_CLAIM] = signature.certificate
            return told

    return Tokens(require_nonce=True)


def _text_to_sign(asked: Mapping[str, str]) -> str:
    """Return the text that is to be signed; empty where one only signs in."""
    try:
        text = b64decode(json.loads(asked[SIGN_REQUEST])["tbs_data"], validate=True).decode()
    except (KeyError, TypeError, ValueError):
        return ""
    return text if len(text) <= _LONGEST_TEXT else ""
