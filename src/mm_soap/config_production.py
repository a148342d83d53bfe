"""What a production installation must not have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mm_soap.config_signing import SigningSettings
from mm_soap.config_tables import DispatcherSettings, OperatorSettings, Settings
from mm_soap.errors import ConfigurationError
from mm_soap.pki import is_test_certificate, read_certificates
from mm_soap.pki.identity import is_token_key
from mm_soap.pki.key_uri import KeyUri


def check_production(settings: Settings) -> None:
    """Refuse what only a demonstration may have: plain HTTP, the test CA, private keys that others can read.

    Addresses that the register gives are looked at when they are called.

    Raises:
        ConfigurationError: one sentence that names the setting and says what to do.
    """
    _check_transport(settings)
    _check_anchors("trust.anchors", settings.trust.anchors)
    if (settings.dispatcher or settings.operator) and not settings.trust.anchors:
        raise ConfigurationError("Set trust.anchors: without it, nobody's signature is believed.")
    if settings.far:
        _check_anchors("far.e_identification_anchors", settings.far.e_identification_anchors)
        if not settings.far.signatures_once:
            raise ConfigurationError(
                "Remove far.signatures_once: with it, what a user once signed could be used again."
            )
    if settings.revocation is None and (settings.far or settings.dispatcher or settings.operator):
        raise ConfigurationError(
            "The production profile needs a table [revocation]: without it, a revoked certificate is accepted until it "
            "expires."
        )
    if settings.tls:
        _check_anchors("tls.client_anchors", settings.tls.client_anchors)
        _check_anchors("tls.server_anchors", settings.tls.server_anchors)
    for key, certificate, private in _identities(settings):
        _check_anchors(key, [certificate])
        if private is not None:
            _check_private(key.replace("certificate", "key"), private)
    parties = [("dispatcher", settings.dispatcher), *(("operator", operator) for operator in settings.operator)]
    for name, party in parties:
        for key, file in _passwords(name, party) if party else ():
            _check_private(key, file)
    _check_sign_in(settings)


def _check_sign_in(settings: Settings) -> None:
    if settings.test_idp:
        raise ConfigurationError("Remove the table [test_idp]: it lets anybody sign in as anybody.")
    for operator in settings.operator:
        if operator.web and not operator.web.issuer.startswith("https://"):
            raise ConfigurationError(
                "operator.web.issuer must begin with https:// in the production profile: name a real provider."
            )
        if operator.web and operator.web.client_secret:
            _check_private("operator.web.client_secret", Path(operator.web.client_secret))


def _check_transport(settings: Settings) -> None:
    urls: list[tuple[str, str]] = []
    if settings.far or settings.dispatcher or settings.operator:
        _check_server(settings)
        urls.append(("public_url", settings.base_url))
    if settings.dispatcher:
        urls.append(("dispatcher.register_url", settings.register_url(settings.dispatcher)))
    urls += [("operator.register_url", settings.register_url(operator)) for operator in settings.operator]
    urls += [("sender.register_url", settings.register_url(sender)) for sender in settings.sender]
    urls += [("sender.dispatcher_url", sender.dispatcher_url or settings.base_url) for sender in settings.sender]
    if settings.far and settings.far.companies and settings.far.companies.url:
        urls.append(("far.companies.url", settings.far.companies.url))
    if settings.dispatcher and settings.dispatcher.sms:
        urls.append(("dispatcher.sms.url", settings.dispatcher.sms.url))
    urls += [("operator.sms.url", operator.sms.url) for operator in settings.operator if operator.sms]
    for key, party in (("dispatcher", settings.dispatcher), *(("operator", each) for each in settings.operator)):
        if party and party.email and party.email.security == "none":
            raise ConfigurationError(f'Set {key}.email.security to "starttls" or "tls": others could read the e-mail.')
    if settings.dispatcher and settings.dispatcher.engine.broker_url.startswith("amqp://"):
        raise ConfigurationError("dispatcher.engine.broker_url must begin with amqps:// in the production profile.")
    for key, url in urls:
        if not url.startswith("https://"):
            raise ConfigurationError(f"{key} must begin with https:// in the production profile.")


def _check_server(settings: Settings) -> None:
    if settings.tls is None or not (settings.tls.certificate or settings.tls.proxies):
        raise ConfigurationError(
            "The production profile needs a table [tls] with client_anchors, and certificate and key, or proxies."
        )
    if not settings.tls.client_anchors:
        raise ConfigurationError("Set tls.client_anchors: in production, a caller is known by its client certificate.")
    if settings.tls.proxies and not settings.public_url:
        raise ConfigurationError("Set public_url: behind a proxy, only you know by which address others reach it.")


def _check_anchors(key: str, files: Iterable[Path]) -> None:
    for file in files:
        if any(is_test_certificate(certificate) for certificate in read_certificates(file)):
            raise ConfigurationError(f"{key} names {file}, which is of the test CA: it proves nothing.")


def _identities(settings: Settings) -> Iterable[tuple[str, Path, Path | None]]:
    """Yield each certificate by its setting, and the file that is to be private: of its key, or of its token's PIN."""
    if settings.tls and settings.tls.certificate:
        yield "tls.certificate", Path(settings.tls.certificate), Path(settings.tls.key)
    signing: list[tuple[str, SigningSettings]] = [("dispatcher", settings.dispatcher)] if settings.dispatcher else []
    signing += [("operator", each) for each in settings.operator]
    signing += [("sender", each) for each in settings.sender]
    for name, own in signing:
        private = KeyUri.parse(own.key).pin_file if is_token_key(own.key) else Path(own.key)
        yield f"{name}.certificate", own.certificate, private
        if own.tls_certificate:
            yield f"{name}.tls_certificate", Path(own.tls_certificate), Path(own.tls_key)


def _passwords(key: str, party: DispatcherSettings | OperatorSettings) -> Iterable[tuple[str, Path]]:
    if party.email and party.email.password_file:
        yield f"{key}.email.password_file", Path(party.email.password_file)
    if party.sms:
        yield f"{key}.sms.password_file", party.sms.password_file


def _check_private(key: str, file: Path) -> None:
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"{key} names {file}, which cannot be read: {error.strerror}.") from None
    if mode & 0o077:
        raise ConfigurationError(f"{key} names {file}, which others may read: run `chmod 600 {file}`.")
