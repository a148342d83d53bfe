"""The one place that builds parties from settings.

A party is a set of WSGI applications by path, and perhaps work in the background. Though several may run in one
process, what they say to each other goes over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from lxml import etree
from sqlalchemy import Connection, Engine, text

from mm_soap.bootstrap_delivery import sender_limits
from mm_soap.bootstrap_engine import delivery_engine, run_worker
from mm_soap.bootstrap_evidence import count_spools, evidence_of, retention_of
from mm_soap.bootstrap_inbox import inbox_pages
from mm_soap.bootstrap_mailboxes import contents_of, mailbox_housekeeping, membership_of
from mm_soap.bootstrap_notices import count_notices, notice_rules, notifier_of
from mm_soap.bootstrap_revocation import revocation_of
from mm_soap.bootstrap_sources import company_register, own_identity, population_register, trust_of
from mm_soap.bootstrap_transport import port_of, register_client
from mm_soap.clock import Clock, system_clock
from mm_soap.config import DispatcherSettings, OperatorSettings, Settings
from mm_soap.directory import Directory
from mm_soap.dispatcher import (
    NOTIFICATION_PRECHECKS,
    MessageService,
    NotificationService,
    forget_documents,
    forget_evidence_of_ended,
    message_handlers,
    notification_handlers,
)
from mm_soap.dispatcher import PRECHECKS as MESSAGE_PRECHECKS
from mm_soap.dsig import VerifiedSeal, verify_sealed
from mm_soap.errors import ConfigurationError, Refused
from mm_soap.far import Register, authority_handlers
from mm_soap.far.accounts.service import Accounts
from mm_soap.far.accounts.signing import Signing
from mm_soap.far.callers import Callers
from mm_soap.far.rights import Rights, SignatureQuestions, cancel_consents_of
from mm_soap.housekeeping import Housekeeping
from mm_soap.message import Limits
from mm_soap.pki import OrganisationCertificate, TrustStore
from mm_soap.recipient import PRECHECKS as RECIPIENT_PRECHECKS
from mm_soap.recipient import recipient_handlers
from mm_soap.recipient.hot import shorten
from mm_soap.register_client import RegisterClient
from mm_soap.service_supplier import PRECHECKS as SERVICE_PRECHECKS
from mm_soap.service_supplier import ForwardingService, MailboxService, NotifyingService, Outbox, service_handlers
from mm_soap.soap import Call, Metrics, Wsgi
from mm_soap.storage import Spool, forget_evidence, migrate, open_database, reading
from mm_soap.user_signatures import UserSignatureVerifier


class Work(Protocol):
    """Work in the background."""

    def start(self) -> None:
        """Begin, and return at once."""
        ...

    def settle(self) -> None:
        """Wait, for some seconds at most, until calls do not have to wait for the beginning of the work."""
        ...

    def stop(self) -> None:
        """End, after what is under way."""
        ...


@dataclass(frozen=True)
class Party:
    """One party, ready to be served.

    Args:
        name: ``far``, ``dispatcher`` or ``operator:NUMBER``.
        applications: WSGI applications by path.
        database: its own.
        prefix: what stands before the paths of its ports.
        work: what it does in the background.
        accepted: returns the certificates of those whose signatures it accepted.
        pages: WSGI applications of web pages, by the path above them.
        spool: where its evidence waits while its database is away; None without one.
    """

    name: str
    applications: Mapping[str, Wsgi]
    database: Engine
    prefix: str = ""
    work: Sequence[Work] = ()
    accepted: Callable[[], Sequence[OrganisationCertificate]] = tuple
    pages: Mapping[str, Wsgi] = field(default_factory=dict)
    spool: Spool | None = None


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
    parties = [builders[name]() for name in chosen]
    count_notices(metrics, {one.name: one.database for one in parties if one.name.startswith("operator:")}, clock)
    count_spools(metrics, {one.name: one.spool for one in parties if one.spool is not None})
    return parties


def work(settings: Settings, ready: Callable[[], None], clock: Clock = system_clock) -> None:
    """Make the dispatcher's deliveries in this process, as one of any number of workers, until SIGTERM.

    Args:
        settings: those of the dispatcher that accepts.
        ready: called once it works.
        clock: the time.

    Raises:
        ConfigurationError: the settings have no dispatcher, or none with workers.
    """
    own = settings.dispatcher
    if own is None:
        raise ConfigurationError("There is no work for a worker: the settings have no table [dispatcher].")
    database = database_of(own.database, "dispatcher")
    revocation = revocation_of(settings, clock)
    if revocation is not None:
        revocation.start()
    try:
        run_worker(settings, own, database, _register_client(settings, own), clock, ready)
    finally:
        if revocation is not None:
            revocation.stop()


def mailbox_services(settings: Settings, clock: Clock = system_clock) -> list[MailboxService]:
    """Return the use cases of each operator in the settings, for commands that look into mailboxes."""
    return [
        _mailbox_service(settings, operator, _register_client(settings, operator), clock)
        for operator in settings.operator
    ]


def answers(database: Engine) -> bool:
    """Tell whether a database can be read now."""
    try:
        with reading(database) as connection:
            connection.execute(text("SELECT 1"))
    except Refused:
        return False
    return True


def databases(settings: Settings) -> dict[str, Engine]:
    """Return the database of each party in the settings, by the party's name."""
    found: dict[str, Engine] = {}
    if settings.far is not None:
        found["far"] = database_of(settings.far.database, "far")
    if settings.dispatcher is not None:
        found["dispatcher"] = database_of(settings.dispatcher.database, "dispatcher")
    for operator in settings.operator:
        found[f"operator:{operator.organisation}"] = database_of(operator.database, "service_supplier")
    return found


def _far(settings: Settings, metrics: Metrics, clock: Clock) -> Party:
    assert settings.far is not None
    database = database_of(settings.far.database, "far")
    register = Register(database, clock)
    kept = evidence_of(settings, database, "far", clock)
    persons = population_register(settings.far)
    companies = company_register(settings.far, persons)
    verifier = UserSignatureVerifier.load(settings.far.e_identification_anchors, clock, revocation_of(settings, clock))
    signing = Signing(verifier, companies, persons, clock, check_digits=settings.rules.check_digits)
    callers = Callers(database, unknown_allowed=settings.profile == "demonstration")
    rights = Rights(database, companies, persons)
    authority = authority_handlers(register, callers, SignatureQuestions(signing), rights)
    accounts = Accounts(
        database, signing, callers, clock, closing=cancel_consents_of, once=settings.far.signatures_once
    )
    recipient = recipient_handlers(register, accounts, callers, retention_of(settings))
    applications = {
        **port_of(settings, "recipient", recipient, RECIPIENT_PRECHECKS, kept.hooks, metrics, clock, shorten=shorten),
        **port_of(settings, "authority", authority, {}, kept.hooks, metrics, clock),
    }
    work = (Housekeeping(database, clock, forget_evidence), *kept.work)
    return Party("far", applications, database, "", work, spool=kept.spool)


def _dispatcher(settings: Settings, own: DispatcherSettings, metrics: Metrics, clock: Clock) -> Party:
    database = database_of(own.database, "dispatcher")
    register = _register_client(settings, own)
    engine = delivery_engine(settings, own, database, register, clock)
    retention = retention_of(settings)
    accepting = (
        *(database, own.organisation, register, _limits(settings), retention, clock, engine.wake),
        sender_limits(own),
    )
    trusted = TrustStore.load(settings.trust.anchors, clock, revocation_of(settings, clock))
    handlers = message_handlers(MessageService(*accepting), trust_of(settings, trusted, clock))
    notifications = notification_handlers(NotificationService(*accepting))
    kept = evidence_of(settings, database, "dispatcher", clock)
    applications = port_of(settings, "message", handlers, MESSAGE_PRECHECKS, kept.hooks, metrics, clock)
    applications |= port_of(settings, "notification", notifications, NOTIFICATION_PRECHECKS, kept.hooks, metrics, clock)

    def forget_old_documents(connection: Connection, now: datetime) -> int:
        return forget_documents(connection, now - retention_of(settings))

    housekeeping = Housekeeping(database, clock, forget_evidence_of_ended, forget_old_documents)
    work = (register, engine, housekeeping, *kept.work)
    return Party("dispatcher", applications, database, "", work, trusted.accepted, spool=kept.spool)


def _operator(settings: Settings, own: OperatorSettings, metrics: Metrics, clock: Clock) -> Party:
    own_identity(own)  # an operator signs nothing yet; a wrong certificate is told at the start all the same
    register = _register_client(settings, own)
    service = _mailbox_service(settings, own, register, clock)
    trusted = TrustStore.load(settings.trust.anchors, clock, revocation_of(settings, clock))
    trust = trust_of(settings, trusted, clock)

    def verify(call: Call, element: etree._Element) -> VerifiedSeal:
        return verify_sealed(call.raw, element, trust)

    outbox = Outbox(service.database, notifier_of(own), clock, rules=service.notices)
    same = (service.database, register, service.limits)
    rest = (service.retention, clock, service.contents)
    notifying = NotifyingService(*same, outbox, *rest)
    handlers = service_handlers(service, notifying, ForwardingService(*same, *rest, service.notices), verify)
    name = f"operator:{own.organisation}"
    kept = evidence_of(settings, service.database, name, clock)
    applications = port_of(settings, "service", handlers, SERVICE_PRECHECKS, kept.hooks, metrics, clock, own.path)
    work = (register, outbox, mailbox_housekeeping(own, service), membership_of(settings, own, service), *kept.work)
    pages = inbox_pages(settings, own, service, trust)
    return Party(name, applications, service.database, own.path, work, trusted.accepted, pages, kept.spool)


def _mailbox_service(settings: Settings, own: OperatorSettings, directory: Directory, clock: Clock) -> MailboxService:
    database = database_of(own.database, "service_supplier")
    rest = (retention_of(settings), clock, contents_of(own, database), notice_rules(settings, own))
    return MailboxService(database, directory, _limits(settings), *rest)


def _register_client(settings: Settings, own: DispatcherSettings | OperatorSettings) -> RegisterClient:
    return register_client(
        settings,
        own,
        timeout=own.register_timeout,
        max_age=own.party_cache,
        grace=own.party_grace,
        ask_again=own.ask_again,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(settings.rules.max_message_bytes, settings.rules.check_digits)


def database_of(target: str, party: Any) -> Engine:
    """Open a party's database and bring it to the newest schema."""
    database = open_database(target)
    migrate(database, party)
    return database
