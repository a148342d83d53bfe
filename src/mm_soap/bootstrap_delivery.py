"""What the dispatcher's settings say of operators and senders, as the objects that act on it."""

from __future__ import annotations

import threading

from lxml import etree

from mm_soap.bootstrap_transport import soap_client
from mm_soap.config import DispatcherSettings, Settings
from mm_soap.config_policy import LimitSettings, PolicySettings
from mm_soap.dispatcher import Backoff, BreakerPolicy, DeliveryPolicy, Limit, Policies, SenderLimits, TimeLimits
from mm_soap.errors import TransportError
from mm_soap.soap import SoapClient


def delivery_policies(own: DispatcherSettings) -> Policies:
    """Return how deliveries are made to each operator."""
    return Policies(_policy(own.policy), {each.operator: _policy(each) for each in own.operator_policy})


def sender_limits(own: DispatcherSettings) -> SenderLimits:
    """Return how much each sender may send."""
    return SenderLimits(_limit(own.limits), {each.sender: _limit(each) for each in own.sender_limits})


class Operators:
    """A client for each operator's address; addresses come from the register.

    Args:
        settings: of the installation.
        own: the dispatcher, whose certificate is shown.
        policies: say how many connections are worth keeping.
    """

    def __init__(self, settings: Settings, own: DispatcherSettings, policies: Policies) -> None:
        self._settings = settings
        self._own = own
        self._pool = max(each.calls_at_once for each in (policies.default, *policies.own.values()))
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, TimeLimits], SoapClient] = {}

    def call(self, address: str, body: bytes, *, expected: str, limits: TimeLimits) -> etree._Element:
        """Send the operation element to a Service and return the validated answer."""
        with self._lock:
            client = self._clients.get((address, limits))
            if client is None:
                if self._settings.profile == "production" and not address.startswith("https://"):
                    raise TransportError(
                        "the operator's address in the register does not begin with https://", perhaps_received=False
                    )
                client = self._clients[address, limits] = soap_client(
                    *(self._settings, self._own, address, limits.answer),
                    connect_timeout=limits.connect,
                    pool=self._pool,
                )
        return client.call(body, expected=expected)


def _policy(table: PolicySettings) -> DeliveryPolicy:
    return DeliveryPolicy(
        TimeLimits(table.connect_timeout, table.answer_timeout),
        table.calls_at_once,
        Backoff(table.retry_first, table.retry_longest, table.retry_factor, table.retry_jitter),
        table.give_up_after,
        BreakerPolicy(table.break_after, table.pause_first, table.pause_longest, table.probes),
        table.technical_ranges,
    )


def _limit(table: LimitSettings) -> Limit:
    return Limit(table.messages_per_second, table.burst, table.bytes_per_day)
