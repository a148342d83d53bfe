"""The dispatcher's engine, built from settings: threads in the serving process, or workers that RabbitMQ wakes.

Both do the same steps with the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy import Engine, make_url

from mm_soap.bootstrap_channels import channel_switch
from mm_soap.bootstrap_delivery import Operators, delivery_policies
from mm_soap.bootstrap_sources import own_identity
from mm_soap.clock import Clock
from mm_soap.config import DispatcherSettings, Settings
from mm_soap.dispatcher import Addressing, Claims, EmbeddedEngine, Handover, Leases, StandIn, Steps, Sweeper
from mm_soap.dispatcher.addressing import Register
from mm_soap.errors import ConfigurationError

if TYPE_CHECKING:
    from mm_soap.wake_ups import Broker

_STUCK: Final = 10
"""How many times as long as its calls may take a step may run before it is taken to be stuck."""


class DeliveryEngine(Protocol):
    """What delivers, or sees to it that others do."""

    def start(self) -> None:
        """Begin, and return at once."""
        ...

    def settle(self) -> None:
        """Wait until no call has to wait for the beginning."""
        ...

    def stop(self) -> None:
        """End, after what is under way."""
        ...

    def wake(self, delivery: int, sender: str) -> None:
        """Tell that a sender's delivery was accepted, by its key."""
        ...


def delivery_engine(
    settings: Settings, own: DispatcherSettings, database: Engine, register: Register, clock: Clock
) -> DeliveryEngine:
    """Return the engine of a process that accepts deliveries.

    Raises:
        ConfigurationError: the settings ask for workers, and a package or PostgreSQL is missing.
    """
    if own.engine.kind == "celery":
        broker = _broker(own)
        own_identity(own)  # workers sign with it; what is wrong with it is told here too
        from mm_soap.wake_ups import Publisher

        return Publisher(broker)
    addressing, handover = _steps(settings, own, database, register, clock)
    return EmbeddedEngine(
        database,
        addressing,
        handover,
        clock,
        look_up_batch=own.look_up_batch,
        switch=channel_switch(own, database, clock),
        address_age=own.address_age,
    )


def run_worker(
    settings: Settings,
    own: DispatcherSettings,
    database: Engine,
    register: Register,
    clock: Clock,
    ready: Callable[[], None],
) -> None:
    """Deliver what RabbitMQ wakes this process for, until SIGTERM.

    Args:
        settings: of the installation.
        own: the dispatcher's.
        database: its own.
        register: asked for recipients.
        clock: the time.
        ready: called once it works.

    Raises:
        ConfigurationError: these settings have no workers, or a package or PostgreSQL is missing.
    """
    if own.engine.kind != "celery":
        raise ConfigurationError('There is no work for a worker: set dispatcher.engine.kind = "celery".')
    broker = _broker(own)
    addressing, handover = _steps(settings, own, database, register, clock)
    switch = channel_switch(own, database, clock)
    leases = Leases(database, Claims(timedelta(seconds=own.engine.lease_seconds)), _STUCK * own.longest_step)
    stand_in = StandIn(broker.publish, own.engine.threads)
    steps = Steps(
        database,
        addressing,
        handover,
        clock,
        leases,
        stand_in.wake,
        address_age=own.address_age,
        look_ups_at_once=max(1, own.engine.threads // 2),
        divert=switch.divert if switch else None,
    )
    sweeper = Sweeper(database, steps, broker.waiting, clock, switch)
    leases.start()
    stand_in.start(steps.run)
    sweeper.start()
    try:
        broker.work(steps.run, own.engine.threads, ready)
    finally:
        sweeper.stop()
        stand_in.stop()
        leases.stop()


def _steps(
    settings: Settings, own: DispatcherSettings, database: Engine, register: Register, clock: Clock
) -> tuple[Addressing, Handover]:
    policies = delivery_policies(own)
    addressing = Addressing(database, register, own_identity(own), policies.default, clock, own.look_up_batch)
    return addressing, Handover(Operators(settings, own, policies), policies, clock)


def _broker(own: DispatcherSettings) -> Broker:
    if "://" not in own.database or not make_url(own.database).drivername.startswith("postgres"):
        raise ConfigurationError(
            'dispatcher.engine.kind = "celery" needs a PostgreSQL database: set dispatcher.database.'
        )
    try:
        from mm_soap.wake_ups import Broker
    except ImportError:
        raise ConfigurationError(
            'dispatcher.engine.kind = "celery" needs more packages: install mm-soap[celery,postgresql].'
        ) from None
    return Broker(own.engine.broker_url, own.engine.queue)
