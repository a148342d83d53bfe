"""Wake-ups through RabbitMQ: Celery, and the one place that knows it.

A task is a name and the key of a delivery. It keeps no state and gives no result: one that is lost is found by the
sweep, and one that comes twice finds nothing to do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from amqp.exceptions import AMQPError
from celery import Celery
from celery import signals as celery_signals
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Exchange, Queue
from kombu.exceptions import KombuError

from mm_soap.dispatcher import DeliveryStep as Step

_log = logging.getLogger(__name__)

_CONFIRM_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 4.0
_AWAY_SECONDS: Final = 1.0
"""How long nothing is sent after RabbitMQ was found to be away."""
_RECONNECT: Final = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}
"""Seconds between the tries of a worker that has lost RabbitMQ."""
_GATHERING_SECONDS: Final = 0.05
"""After a wake-up of each sender, in which more of their deliveries are gathered: what a delivery in a rush waits."""
_TICK_SECONDS: Final = 0.05
_AHEAD: Final = 4
"""Tasks that a thread of a worker has fetched ahead."""
_AWAY: Final = (AMQPError, KombuError, OSError)


class _Consumer(Consumer):
    """Without Celery's own delays: when something is due stands in the database. It knocks more often than others."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc,valid-type]
        default_steps: ClassVar[list[Any]] = [
            each for each in Consumer.Blueprint.default_steps if "delayed_delivery" not in str(each)
        ]

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, again and again until RabbitMQ is there."""

        def away(error: BaseException, _: float) -> None:
            _log.error("RabbitMQ cannot be reached, and is tried again: %s", type(error).__name__)

        return conn.ensure_connection(away, callback=maybe_shutdown, **_RECONNECT)


class Broker:
    """The queues of one dispatcher.

    Args:
        url: where RabbitMQ is, with its password.
        prefix: what the names of the queues begin with.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._app = Celery("mm-soap", broker=url, set_as_current=False)
        self._away_until = 0.0
        exchange = Exchange(prefix, type="direct", durable=True)
        self._queues = {
            step: Queue(
                f"{prefix}.{step}",
                exchange,
                routing_key=step.value,
                queue_arguments={"x-queue-type": "quorum"},
                no_declare=False,
            )
            for step in Step
        }
        self._app.conf.update(
            task_queues=list(self._queues.values()),
            task_default_queue=f"{prefix}.{Step.HAND_OVER}",
            task_default_exchange=prefix,
            task_default_queue_type="quorum",
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
            # Whoever sends or asks is told at once that it is away: the sweep asks again.
            broker_transport_options={"confirm_publish": True, "max_retries": 0},
            broker_connection_timeout=_CONNECT_SECONDS,
            broker_connection_retry_on_startup=True,
            broker_connection_max_retries=None,
            worker_enable_remote_control=False,
            worker_hijack_root_logger=False,
            worker_prefetch_multiplier=_AHEAD,
            # A call under way goes on while the connection is away; its task comes again and finds nothing to do.
            worker_cancel_long_running_tasks_on_connection_loss=False,
        )

    def publish(self, step: Step, delivery: int) -> bool:
        """Ask for a step, and wait until RabbitMQ has it on its disks. False if it is away."""
        if time.monotonic() < self._away_until:
            return False  # each try could take until the connection's time is over
        try:
            self._app.send_task(
                _task(step),
                args=(delivery,),
                queue=self._queues[step].name,
                retry=True,
                retry_policy={"max_retries": 1, "interval_start": 0, "interval_max": 0},
                confirm_timeout=_CONFIRM_SECONDS,
            )
        except _AWAY as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            _log.error("Wake-ups are not sent, the sweep will find their deliveries: %s", type(error).__name__)
            return False
        return True

    def waiting(self, step: Step) -> int:
        """Return how many wake-ups wait in a queue; 0 if RabbitMQ does not say."""
        if time.monotonic() < self._away_until:
            return 0
        try:
            with self._app.connection_for_write() as connection:
                told: Any = self._queues[step].bind(connection.default_channel).queue_declare()
                return int(told.message_count)
        except _AWAY:
            return 0

    def work(self, run: Callable[[Step, int], None], threads: int, ready: Callable[[], None]) -> None:
        """Do what comes until SIGTERM; then end what is under way, and return.

        Args:
            run: does a step.
            threads: steps at once.
            ready: called when the first connection to RabbitMQ is there.
        """
        for step in Step:
            self._app.task(name=_task(step))(_runner(run, step))
        told = threading.Event()

        def on_ready(sender: Any, **_: Any) -> None:
            # Acknowledgements are sent by the main loop, which else sleeps up to a second.
            sender.timer.call_repeatedly(_TICK_SECONDS, _nothing)
            if not told.is_set():
                told.set()
                ready()

        def on_logging(**_: Any) -> None:
            """Leave the logging as it is."""

        celery_signals.setup_logging.connect(on_logging)
        celery_signals.worker_ready.connect(on_ready)
        logging.getLogger("celery").setLevel(logging.WARNING)
        worker = self._app.Worker(
            pool="threads",
            concurrency=threads,
            consumer_cls=_Consumer,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        worker.start()


class Publisher:
    """Sends wake-ups in a thread of its own, so that no caller waits for RabbitMQ. Work of an API process.

    A look-up takes all that waits of a sender. So in a rush one wake-up is sent for many deliveries.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._unsent: dict[str, int] = {}
        self._there = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Return at once: no call waits for RabbitMQ."""

    def stop(self) -> None:
        """End after the wake-up that is under way."""
        self._stopping.set()
        self._there.set()
        if self._thread is not None:
            self._thread.join()

    def wake(self, delivery: int, sender: str) -> None:
        """Tell that a sender's delivery was accepted, and is committed."""
        with self._lock:
            self._unsent[sender] = delivery
        self._there.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._there.wait()
            self._there.clear()
            with self._lock:
                unsent, self._unsent = self._unsent, {}
            for delivery in unsent.values():
                if self._stopping.is_set():
                    return
                if not self._broker.publish(Step.LOOK_UP, delivery):
                    self._stopping.wait(_AWAY_SECONDS)  # what falls out is found by the sweep
                    break
            self._stopping.wait(_GATHERING_SECONDS)


def _runner(run: Callable[[Step, int], None], step: Step) -> Callable[[int], None]:
    def task(delivery: int) -> None:
        run(step, delivery)

    return task


def _task(step: Step) -> str:
    return f"mm_soap.{step}"


def _nothing() -> None:
    """Wake the main loop."""
