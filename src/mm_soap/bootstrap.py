"""The one place that builds parties from settings.

A party is a set of WSGI applications by path, and perhaps work in the background. Parties know each other by addresses
alone: though several may run in one process, what they say to each other goes over HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from lxml import etree
from sqlalchemy import Engine, make_url

from mm_soap.bootstrap_sources import company_register, population_register
from mm_soap.clock import Clock, system_clock
from mm_soap.config import DispatcherSettings, OperatorSettings, Settings
from mm_soap.contract import ports, wsdl
from mm_soap.demonstration import DemoWorld
from mm_soap.dispatcher import PRECHECKS as MESSAGE_PRECHECKS
from mm_soap.dispatcher import (
    Addressing,
    EmbeddedEngine,
    Handover,
    MessageService,
    RetryPolicy,
    message_handlers,
)
from mm_soap.dsig import Trust, VerifiedSeal, seal_policy, sender_policy, verify_sealed
from mm_soap.errors import ConfigurationError
from mm_soap.far import Account, Dispatcher, Operator, Register, Sender, authority_handlers
from mm_soap.far.accounts.service import Accounts
from mm_soap.far.accounts.signing import Signing
from mm_soap.far.callers import Callers
from mm_soap.far.rights import Rights, SignatureQuestions
from mm_soap.message import Limits
from mm_soap.pki import Identity, TrustStore
from mm_soap.recipient import PRECHECKS as RECIPIENT_PRECHECKS
from mm_soap.recipient import recipient_handlers
from mm_soap.refusals import keep_refusals
from mm_soap.register_client import RegisterClient
from mm_soap.service_supplier import PRECHECKS as SERVICE_PRECHECKS
from mm_soap.service_supplier import MailboxService, service_handlers
from mm_soap.soap import Call, Handler, Metrics, Precheck, RefusedHook, SoapClient, Wsgi, soap_application
from mm_soap.storage import migrate, open_database
from mm_soap.user_signatures import UserSignatureVerifier


@dataclass(frozen=True)
class Party:
    """One party, ready to be served.

    Args:
        name: ``far``, ``dispatcher`` or ``operator:NUMBER``.
        applications: WSGI applications by path.
        prefix: what stands before the paths of its ports.
        start: begins its work in the background.
        stop: ends that work, after what is under way.
    """

    name: str
    applications: Mapping[str, Wsgi]
    prefix: str = ""
    start: Callable[[], None] = field(default=lambda: None)
    stop: Callable[[], None] = field(default=lambda: None)


def build_parties(
    settings: Settings, only: Sequence[str], metrics: Metrics, clock: Clock = system_clock
) -> list[Party]:
    """Build the parties of an installation.

    Args:
        settings: which parties there are.
        only: ``far``, ``dispatcher``, ``operator`` or ``operator:NUMBER``; all parties if it is empty.
        metrics: counts the calls.
        clock: the time.

    Raises:
        ConfigurationError: a name in ``only`` is not a party of these settings, or a file cannot be read.
    """
    builders: dict[str, Callable[[], Party]] = {}
    if settings.far is not None:
        builders["far"] = partial(_far, settings, metrics, clock)
    if settings.dispatcher is not None:
        builders["dispatcher"] = partial(_dispatcher, settings, settings.dispatcher, metrics, clock)
    for operator in settings.operator:
        builders[f"operator:{operator.organisation}"] = partial(_operator, settings, operator, metrics, clock)
    chosen = [name for name in builders if not only or name in only or name.partition(":")[0] in only]
    for wanted in only:
        if not any(wanted in (name, name.partition(":")[0]) for name in builders):
            raise ConfigurationError(f"The settings have no party {wanted}: there are {', '.join(builders)}.")
    return [builders[name]() for name in chosen]


def seed(settings: Settings, world: DemoWorld) -> None:
    """Fill the databases of a demonstration."""
    assert settings.far is not None
    register = Register(_database(settings.far.database, "far"))
    register_operators(settings, world, register)
    for sender in world.senders:
        register.add_sender(Sender(sender.number, sender.name))
    for dispatcher in world.dispatchers:
        register.add_dispatcher(Dispatcher(dispatcher.number, dispatcher.name, dispatcher.signs_for))
    accounts = [
        Account(each.recipient, each.operator, pending=each.state == "pending", last_registration=system_clock())
        for each in world.accounts
    ]
    register.add_accounts(accounts)
    services = dict(zip((each.organisation for each in settings.operator), mailbox_services(settings), strict=True))
    for account in world.accounts:
        if account.state == "active":
            services[account.operator].open_mailbox(account.recipient)
        for sender_number in account.deselected:
            register.deselect(account.recipient, sender_number)
            services[account.operator].deselect(account.recipient, sender_number)


def register_operators(settings: Settings, world: DemoWorld, register: Register) -> None:
    """Write into the register of a demonstration where its operators are served now."""
    for operator in world.operators:
        address = f"{settings.base_url}{operator.path}{ports()['service'].path}"
        register.add_operator(Operator(operator.number, operator.name, address, address))


def mailbox_services(settings: Settings, clock: Clock = system_clock) -> list[MailboxService]:
    """Return the use cases of each operator in the settings, for commands that look into mailboxes."""
    return [_mailbox_service(settings, operator, clock) for operator in settings.operator]


def databases(settings: Settings) -> dict[str, Engine]:
    """Return the database of each party in the settings, by the party's name."""
    found: dict[str, Engine] = {}
    if settings.far is not None:
        found["far"] = _database(settings.far.database, "far")
    if settings.dispatcher is not None:
        found["dispatcher"] = _database(settings.dispatcher.database, "dispatcher")
    for operator in settings.operator:
        found[f"operator:{operator.organisation}"] = _database(operator.database, "service_supplier")
    return found


def _far(settings: Settings, metrics: Metrics, clock: Clock) -> Party:
    assert settings.far is not None
    database = _database(settings.far.database, "far")
    register = Register(database, clock)
    refused = keep_refusals(database, clock, _retention(settings))
    persons = population_register(settings.far)
    companies = company_register(settings.far, persons)
    verifier = UserSignatureVerifier.load(settings.far.e_identification_anchors, clock)
    signing = Signing(verifier, companies, persons, clock, check_digits=settings.rules.check_digits)
    callers = Callers(database, unknown_allowed=settings.profile == "demonstration")
    rights = Rights(database, companies, persons)
    authority = authority_handlers(register, callers, SignatureQuestions(signing), rights)
    recipient = recipient_handlers(register, Accounts(database, signing, callers, clock), callers)
    applications = {
        **_port(settings, "recipient", recipient, RECIPIENT_PRECHECKS, refused, metrics),
        **_port(settings, "authority", authority, {}, refused, metrics),
    }
    return Party("far", applications)


def _dispatcher(settings: Settings, own: DispatcherSettings, metrics: Metrics, clock: Clock) -> Party:
    database = _database(own.database, "dispatcher")
    identity = _identity(own)
    register = _register_client(settings, own, clock)
    retry = RetryPolicy(own.retry_first, own.retry_longest, own.give_up_after)
    operators = _Operators(own.call_timeout, own.calls_per_operator)
    engine = EmbeddedEngine(
        database,
        _lock_file(own.database),
        Addressing(database, register, identity, retry, clock),
        Handover(operators, retry, clock),
        clock,
        look_up_batch=own.look_up_batch,
        calls_per_operator=own.calls_per_operator,
    )
    service = MessageService(
        database, own.organisation, register, _limits(settings), _retention(settings), clock, engine.wake
    )
    handlers = message_handlers(service, _trust(settings, clock))
    refused = keep_refusals(database, clock, _retention(settings))
    applications = _port(settings, "message", handlers, MESSAGE_PRECHECKS, refused, metrics)
    applications |= _port(settings, "notification", {}, {}, refused, metrics)
    return Party("dispatcher", applications, "", engine.start, engine.stop)


def _operator(settings: Settings, own: OperatorSettings, metrics: Metrics, clock: Clock) -> Party:
    _identity(own)  # an operator signs nothing yet; a wrong certificate is told at the start all the same
    service = _mailbox_service(settings, own, clock)
    trust = _trust(settings, clock)

    def verify(call: Call) -> VerifiedSeal:
        return verify_sealed(call.raw, call.payload[0], trust)

    handlers = service_handlers(service, verify)
    refused = keep_refusals(service.database, clock, _retention(settings))
    applications = _port(settings, "service", handlers, SERVICE_PRECHECKS, refused, metrics, own.path)
    return Party(f"operator:{own.organisation}", applications, own.path)


def _mailbox_service(settings: Settings, own: OperatorSettings, clock: Clock) -> MailboxService:
    directory = _register_client(settings, own, clock)
    database = _database(own.database, "service_supplier")
    return MailboxService(database, directory, _limits(settings), _retention(settings), clock)


def _port(
    settings: Settings,
    name: str,
    handlers: Mapping[str, Handler],
    prechecks: Mapping[str, Precheck],
    refused: RefusedHook,
    metrics: Metrics,
    prefix: str = "",
) -> dict[str, Wsgi]:
    port = ports()[name]

    application = soap_application(
        port,
        handlers,
        published=wsdl(port, settings.base_url, prefix),
        body_limit=settings.body_limit,
        refused=refused,
        prechecks=prechecks,
        metrics=metrics,
    )
    return {prefix + port.path: application}


class _Operators:
    """A client for each operator's address; addresses come from the register."""

    def __init__(self, timeout: float, pool: int) -> None:
        self._timeout = timeout
        self._pool = pool
        self._lock = threading.Lock()
        self._clients: dict[str, SoapClient] = {}

    def call(self, address: str, body: bytes, *, expected: str) -> etree._Element:
        with self._lock:
            client = self._clients.get(address)
            if client is None:
                client = self._clients[address] = SoapClient(address, timeout=self._timeout, pool=self._pool)
        return client.call(body, expected=expected)


def _register_client(settings: Settings, own: DispatcherSettings | OperatorSettings, clock: Clock) -> RegisterClient:
    base = settings.register_url(own)
    return RegisterClient(
        SoapClient(base + ports()["recipient"].path, timeout=own.call_timeout),
        SoapClient(base + ports()["authority"].path, timeout=own.call_timeout),
        max_age=timedelta(seconds=own.party_cache),
        clock=clock,
    )


def _trust(settings: Settings, clock: Clock) -> Trust:
    store = TrustStore.load(settings.trust.anchors, clock)
    return Trust(store, sender_policy(frozenset(settings.trust.allow_sha1_from)), seal_policy(), clock)


def _identity(own: DispatcherSettings | OperatorSettings) -> Identity:
    identity = Identity.load(own.certificate, own.key)
    if identity.organisation != own.organisation:
        raise ConfigurationError(f"{own.certificate} names another organisation than the settings: use its own.")
    return identity


def _limits(settings: Settings) -> Limits:
    return Limits(settings.rules.max_message_bytes, settings.rules.check_digits)


def _retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.evidence.keep_days)


def _database(target: str, party: Any) -> Engine:
    database = open_database(target)
    migrate(database, party)
    return database


def _lock_file(target: str) -> Path | None:
    """Return the lock file of the engine on a database file; None for a database server."""
    if "://" not in target:
        return Path(f"{target}.engine")
    url = make_url(target)
    return Path(f"{url.database}.engine") if url.get_backend_name() == "sqlite" and url.database else None
