"""Clients that ask the register, each a process of its own, and what their calls take."""

from __future__ import annotations

import http.client
import random
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

from benchmarks import population
from mm_soap.contract import ports
from mm_soap.demonstration import KOMMUN_A
from mm_soap.errors import MmSoapError
from mm_soap.xml import RECIPIENT_V3, SOAP_ENVELOPE

IDS = 1000
"""How many ids a call asks about."""

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Country:
    """Who can be asked about: so many accounts, and the choices of so many recipients."""

    accounts: int
    choices: int

    def ids(self, chance: random.Random) -> list[str]:
        """Return the ids of one call."""
        return population.ids_to_ask(chance, self.accounts, IDS, self.choices)


def request(ids: list[str]) -> bytes:
    """Return the envelope that asks whom Kommun A can reach, as a client made of the WSDL writes it."""
    rows = "".join([f"<v:recipientId>{one}</v:recipientId>" for one in ids])
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="{SOAP_ENVELOPE}"><s:Body>'
        f'<v:isReachable xmlns:v="{RECIPIENT_V3}"><v:senderOrgNr>{KOMMUN_A.number}</v:senderOrgNr>{rows}'
        "</v:isReachable></s:Body></s:Envelope>"
    ).encode()


class Client:
    """One client with one connection."""

    def __init__(self, port: int, country: Country, seed: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
        self._country = country
        self._chance = random.Random(seed)

    def ask(self, raw: bytes) -> bytes:
        """Make one call and return the answer's envelope.

        Raises:
            MmSoapError: there is not one row for each id.
        """
        path = ports()["recipient"].path
        self._connection.request("POST", path, raw, {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'})
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200 or body.count(b"</return>") != IDS:
            raise MmSoapError(f"The register answered {response.status} with {body.count(b'</return>')} rows.")
        return body

    def prepared(self, number: int) -> list[bytes]:
        """Return requests that nobody sent yet."""
        return [request(self._country.ids(self._chance)) for _ in range(number)]


class Clients:
    """Clients that ask at once, each in a process of its own. Call `close` at the end.

    Args:
        number: how many.
        port: where the register listens, on this machine.
        country: whom they ask about.
    """

    def __init__(self, number: int, port: int, country: Country) -> None:
        context = get_context("spawn")
        self._pipes = []
        self._processes = []
        for seed in range(number):
            own, other = context.Pipe()
            process = context.Process(target=_run, args=(other, port, country, seed), daemon=True)
            process.start()
            self._pipes.append(own)
            self._processes.append(process)

    def prepare(self, number: int) -> None:
        """Let each client write its next requests."""
        self._tell(number)

    def ask(self) -> list[float]:
        """Let all clients send what they prepared, at once, and return how long each call took, in ms."""
        return [one for took in self._tell(None) for one in took]

    def close(self) -> None:
        """End the clients."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def _tell(self, what: int | None) -> list[list[float]]:
        for pipe in self._pipes:
            pipe.send(what)
        try:
            return [pipe.recv() for pipe in self._pipes]
        except EOFError:
            raise MmSoapError("A client ended before its calls were answered.") from None


def _run(pipe: Connection, port: int, country: Country, seed: int) -> None:
    client = Client(port, country, seed)
    raws: list[bytes] = []
    while True:
        try:
            number = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        took = []
        if number is not None:
            raws = client.prepared(number)
        else:
            for raw in raws:
                begun = time.perf_counter()
                client.ask(raw)
                took.append((time.perf_counter() - begun) * 1e3)
        pipe.send(took)
