"""Building a test bed from settings: what it changes in them, and what it puts around the parties."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection

from mm_soap.bootstrap import Party, database_of
from mm_soap.clock import Clock, system_clock
from mm_soap.config import Settings
from mm_soap.config_policy import OperatorPolicySettings, PolicySettings
from mm_soap.conformance.sender.plan import SenderPlan
from mm_soap.contract import ports
from mm_soap.dispatcher import forget_deliveries as forget_distributions
from mm_soap.errors import ConfigurationError
from mm_soap.far import Register
from mm_soap.housekeeping import Forget, Housekeeping
from mm_soap.pki import TrustStore, is_test_certificate, read_certificates
from mm_soap.service_supplier import forget_deliveries
from mm_soap.soap import Wsgi
from mm_soap.storage import forget_events
from mm_soap.testbed.authority import TestbedAuthority
from mm_soap.testbed.enrolment import Enrolment
from mm_soap.testbed.judging import Judge
from mm_soap.testbed.recorder import Recorder
from mm_soap.testbed.service import KEPT, TestbedService
from mm_soap.testbed.store import forget
from mm_soap.web.application import create_app

PATHS: Final = ("/testbed", "/static")
"""Where its pages are, and all below."""

_Policy = TypeVar("_Policy", bound=PolicySettings)

_THREADS: Final = 32
_GIVEN_UP_AFTER: Final = KEPT - timedelta(hours=1)
"""So that what is forgotten after a day is not on its way any more."""


def settings_of_testbed(settings: Settings, clock: Clock = system_clock) -> Settings:
    """Return the settings with which the parties of a test bed run. Its authority is made where it is not there.

    Args:
        settings: of a demonstration, with a register, a dispatcher and a mailbox operator.
        clock: the time.

    Raises:
        ConfigurationError: a party is missing, an anchor is not of the test CA, or a file cannot be read or written.
    """
    if settings.far is None or settings.dispatcher is None or not settings.operator:
        raise ConfigurationError("A test bed runs all parties: the settings need [far], [dispatcher] and [[operator]].")
    for file in settings.trust.anchors:
        if not all(is_test_certificate(certificate) for certificate in read_certificates(file)):
            raise ConfigurationError(f"{file} holds real certificates: a test bed trusts those of the test CA alone.")
    _authority(settings, clock)
    trust = settings.trust.model_copy(update={"anchors": (*settings.trust.anchors, settings.testbed.certificate)})
    dispatcher = settings.dispatcher
    return settings.model_copy(
        update={
            # More of them: those who are asked for again wait for the register, in the same process.
            "threads": max(settings.threads, _THREADS),
            "trust": trust,
            "evidence": settings.evidence.model_copy(
                update={"keep_days": KEPT.days, "refused_days": 0, "record_days": KEPT.days}
            ),
            "dispatcher": dispatcher.model_copy(
                update={
                    "ask_again": True,
                    "policy": _sooner(dispatcher.policy),
                    "operator_policy": tuple(_sooner(each) for each in dispatcher.operator_policy),
                }
            ),
            "operator": tuple(one.model_copy(update={"ask_again": True}) for one in settings.operator),
        }
    )


def _sooner(policy: _Policy) -> _Policy:
    if isinstance(policy, OperatorPolicySettings) and "give_up_after" not in policy.model_fields_set:
        return policy  # as in [dispatcher.policy]
    longest = _GIVEN_UP_AFTER.total_seconds()
    return policy.model_copy(update={"give_up_after": min(policy.give_up_after, longest)})


def new_secret() -> bytes:
    """Return what the pages sign their forms with; the same for all processes of one start."""
    return secrets.token_bytes(32)


@dataclass(frozen=True)
class Testbed:
    """A test bed around its parties.

    Args:
        parties: these, forgetting more and sooner.
        pages: its pages, by the paths above them.
        around: wraps all services, and writes down what arrives.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    parties: Sequence[Party]
    pages: Mapping[str, Wsgi]
    around: Callable[[Wsgi], Wsgi]


def open_testbed(settings: Settings, parties: Sequence[Party], secret: bytes, clock: Clock = system_clock) -> Testbed:
    """Put a test bed around the parties of an installation.

    Args:
        settings: what `settings_of_testbed` returned.
        parties: all of those settings, not started.
        secret: from `new_secret`.
        clock: the time.
    """
    assert settings.dispatcher is not None
    database = database_of(settings.testbed.database, "testbed")
    by_name = {party.name: party.database for party in parties}
    register, dispatcher = by_name["far"], settings.dispatcher
    enrolment = Enrolment(
        _authority(settings, clock),
        register,
        database,
        dispatcher.organisation,
        settings.testbed.certificates_per_hour,
        clock,
    )
    directory = _Register(Register(register, clock))
    plan = SenderPlan(
        trust=settings.testbed.certificate,
        sha1_from=settings.trust.allow_sha1_from,
        check_digits=settings.rules.check_digits,
        max_bytes=settings.rules.max_message_bytes,
    )
    store = TrustStore.load(settings.trust.anchors, clock)
    judge = Judge(plan, store, directory, dispatcher.organisation, clock)
    service = TestbedService(database, by_name, judge, clock)
    anchors = b"".join(file.read_bytes() for file in settings.trust.anchors)
    app = create_app(service, enrolment, settings.base_url, anchors, secret)
    watched = [ports()[name].path for name in ("message", "notification")]
    own = Party("testbed", {}, database, "", (Housekeeping(database, clock, _older(forget)),))
    return Testbed(
        [*(_forgetting(party, clock) for party in parties), own],
        dict.fromkeys(PATHS, app),
        lambda application: Recorder(application, watched, database, by_name["dispatcher"], clock),
    )


class _Register:
    """The register as it is now, for judging a request again."""

    def __init__(self, register: Register) -> None:
        self._register = register

    def sender_connected(self, organisation: str) -> bool:
        return self._register.is_sender_accepted(organisation)

    def may_dispatch(self, dispatcher: str, sender: str) -> bool:
        return any(one.number == dispatcher and sender in one.senders for one in self._register.get_dispatchers())


def _forgetting(party: Party, clock: Clock) -> Party:
    forgets = [_older(forget_events)]
    if party.name == "dispatcher":
        forgets.append(_older(forget_distributions))
    elif party.name.startswith("operator"):
        forgets.append(_older(forget_deliveries))
    return replace(party, work=(*party.work, Housekeeping(party.database, clock, *forgets)))


def _older(forget_before: Forget) -> Forget:
    def forget_old(connection: Connection, now: datetime) -> int:
        return forget_before(connection, now - KEPT)

    return forget_old


def _authority(settings: Settings, clock: Clock) -> TestbedAuthority:
    own = settings.testbed
    return TestbedAuthority.load(own.certificate, own.key, timedelta(days=own.certificate_days), clock)
