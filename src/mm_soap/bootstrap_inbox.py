"""Building the web inboxes of operators, and the test identity provider, from settings."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mm_soap.bootstrap_transport import account_client, register_port, soap_client
from mm_soap.config import OperatorSettings, Settings
from mm_soap.config_web import TEST_PROVIDER, TestIdpSettings, WebSettings
from mm_soap.dsig import Trust, VerifiedSeal, verify_sealed
from mm_soap.errors import ConfigurationError
from mm_soap.service_supplier import Inbox, MailboxService, SignIns
from mm_soap.soap import SoapClient, Wsgi
from mm_soap.user_signatures import UserSignatureError
from mm_soap.waiting_requests import WaitingRequests

if TYPE_CHECKING:
    from lxml import etree

    from mm_soap.testing.e_identification import EIdentity
    from mm_soap.web.inbox.provider import Client


_FORWARD_SECONDS: Final = 30.0
"""How long another operator may take to answer when a recipient forwards something."""


def inbox_pages(settings: Settings, own: OperatorSettings, service: MailboxService, trust: Trust) -> Mapping[str, Wsgi]:
    """Return the web inbox of an operator by the paths above its pages; nothing if it has none.

    Raises:
        ConfigurationError: there is no identity provider, or a file cannot be read or made.
    """
    if own.web is None:
        return {}
    # Here, since they take long to load, and most commands have no pages.
    from mm_soap.web.inbox.application import PATHS, Behind, Ends, Place, create_inbox

    web = own.web
    demonstration, days = settings.profile == "demonstration", own.retention.closed_days
    place = Place(own.name, own.organisation, settings.base_url, own.path, demonstration, days, settings.threads)
    secret = hmac.digest(kept_secret(web.session_key, _new_secret), own.organisation.encode(), "sha256")
    ends = Ends(timedelta(seconds=web.idle_timeout), timedelta(seconds=web.session_timeout))
    accounts, waiting = account_client(settings, own), WaitingRequests(register_port(settings, own, "recipient"))

    def call(address: str) -> SoapClient:
        return soap_client(settings, own, address, _FORWARD_SECONDS, pool=1)

    inbox = Inbox(service.database, service.contents, service.clock)
    sign_ins = SignIns(service.database)

    def verify(raw: bytes, element: etree._Element) -> VerifiedSeal:
        return verify_sealed(raw, element, trust)

    behind = Behind(service, inbox, sign_ins, accounts, waiting, verify, call)
    app = create_inbox(place, behind, _client(settings, web), secret, ends, service.clock)
    return dict.fromkeys((own.path + path for path in PATHS), app)


def test_idp_pages(settings: Settings) -> Mapping[str, Wsgi]:
    """Return the test identity provider by its path; nothing without the table [test_idp].

    Raises:
        ConfigurationError: it is not a demonstration, or a file cannot be read or made.
    """
    own = settings.test_idp
    if own is None:
        return {}
    if settings.profile != "demonstration":
        raise ConfigurationError("Remove the table [test_idp]: it lets anybody sign in as anybody.")
    from mm_soap.web.test_idp import create_test_idp

    return {TEST_PROVIDER: create_test_idp(settings.base_url, kept_secret(own.key, _new_key), _people(own))}


def kept_secret(file: Path, make: Callable[[], bytes]) -> bytes:
    """Return what is in a file; made, for its owner alone, where there is none.

    Raises:
        ConfigurationError: it cannot be read or made.
    """
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            # Written whole before it has its name: another process may be about to read it.
            made = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(make())
            try:
                os.link(made, file)
            except FileExistsError:
                pass  # another process was first: its secret counts
            finally:
                made.unlink()
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The file {file} cannot be read or made: {error.strerror}.") from None


def _client(settings: Settings, web: WebSettings) -> Client:
    from mm_soap.web.inbox.provider import Client

    issuer, ca = web.issuer, None
    if not issuer:
        if settings.test_idp is None:
            raise ConfigurationError("Set operator.web.issuer: recipients need a provider to sign in with.")
        issuer = settings.base_url + TEST_PROVIDER
        if settings.tls and settings.tls.server_anchors:
            ca = str(settings.tls.server_anchors[0])
    secret = None
    if web.client_secret:
        try:
            secret = Path(web.client_secret).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError("operator.web.client_secret names a file that cannot be read.") from None
    return Client(issuer, web.client_id, secret, web.scope, web.number_claim, web.levels, ca)


def _people(own: TestIdpSettings) -> dict[str, EIdentity]:
    from mm_soap.testing.e_identification import EIdentity

    try:
        found = [EIdentity.load(file) for file in sorted(own.persons.glob("person-*.pem"))]
    except UserSignatureError:
        raise ConfigurationError("test_idp.persons holds a certificate that names no person.") from None
    return {one.personal_number: one for one in sorted(found, key=lambda one: one.name)}


def _new_secret() -> bytes:
    return secrets.token_hex(32).encode()


def _new_key() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
