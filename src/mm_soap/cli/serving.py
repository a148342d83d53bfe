"""mm-soap serve."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from mm_soap.bootstrap import Party, Work, answers, build_parties
from mm_soap.bootstrap_transport import tls_files
from mm_soap.config import Settings, load
from mm_soap.contract import published
from mm_soap.errors import ConfigurationError
from mm_soap.far import Register
from mm_soap.seeding import register_operators
from mm_soap.soap import Metrics, ServerSettings, Wsgi, compose, from_proxies
from mm_soap.soap import serve as serve_application
from mm_soap.soap.callers import LONGEST_HEADER


def serve(config: Path, only: Sequence[str]) -> None:
    """Serve the parties of the settings until a signal stops it."""
    settings = load(config)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Built once before the workers start, so that what is wrong with the settings is said in one sentence.
    parties = {party.name: party for party in build_parties(settings, only, Metrics())}
    if settings.profile == "demonstration" and not only and "far" in parties:
        register_operators(settings, Register(parties["far"].database))
    for party in parties.values():
        party.database.dispose()  # a connection must not be shared with the workers that are forked
    _check_port(settings)
    worker = _Worker(settings, list(parties))
    server = ServerSettings(
        settings.host,
        settings.port,
        settings.base_url,
        settings.threads,
        settings.workers,
        tls=tls_files(settings),
        body_limit=settings.body_limit,
        header_bytes=LONGEST_HEADER if settings.tls and settings.tls.proxies else 8190,
    )
    if server.tls is not None:
        server.tls.context()  # what is wrong with its files is said here, in one sentence
    serve_application(worker.application, server, start=worker.start, settle=worker.settle, stop=worker.stop)


def _check_port(settings: Settings) -> None:
    """Say in a sentence that the port is taken; gunicorn would try for seconds and end without a word."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror}. Set another host or port."
            ) from None


class _Worker:
    """The parties of one worker process, built in it."""

    def __init__(self, settings: Settings, names: Sequence[str]) -> None:
        self._settings = settings
        self._names = names
        self._parties: list[Party] = []

    def application(self) -> Wsgi:
        """Build the parties and return what serves them."""
        metrics = Metrics()
        self._parties = build_parties(self._settings, self._names, metrics)
        applications: dict[str, Wsgi] = {}
        files: dict[str, bytes] = {}
        for party in self._parties:
            applications |= party.applications
            files |= published(self._settings.base_url, party.prefix)
        application = compose(applications, files, self._ready, metrics)
        tls = self._settings.tls
        return from_proxies(application, tls.proxies) if tls and tls.proxies else application

    def start(self) -> None:
        """Start the work in the background."""
        for work in self._work():
            work.start()

    def settle(self) -> None:
        """Wait until no call has to wait for what the work in the background finds out first."""
        for work in self._work():
            work.settle()

    def stop(self) -> None:
        """Let the work in the background end."""
        for work in self._work():
            work.stop()

    def _ready(self) -> bool:
        return all(answers(party.database) for party in self._parties)

    def _work(self) -> list[Work]:
        return [work for party in self._parties for work in party.work]
