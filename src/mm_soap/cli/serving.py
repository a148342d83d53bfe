"""mm-soap serve."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from mm_soap.bootstrap import Party, build_parties, databases, register_operators
from mm_soap.config import Settings, load
from mm_soap.contract import published
from mm_soap.demonstration import DEMO_WORLD
from mm_soap.errors import ConfigurationError
from mm_soap.far import Register
from mm_soap.soap import Metrics, ServerSettings, Wsgi, compose
from mm_soap.soap import serve as serve_application


def serve(config: Path, only: Sequence[str]) -> None:
    """Serve the parties of the settings until a signal stops it."""
    settings = load(config)
    if settings.profile == "production":
        # Better not to start than to answer over plain HTTP what was meant for TLS.
        raise ConfigurationError(
            'This release does not terminate TLS yet and serves demonstrations alone: set profile = "demonstration".'
        )
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Built once before the workers start, so that what is wrong with the settings is said in one sentence.
    names = [party.name for party in build_parties(settings, only, Metrics())]
    if settings.profile == "demonstration" and not only and settings.far is not None:
        register_operators(settings, DEMO_WORLD, Register(databases(settings)["far"]))
    worker = _Worker(settings, names)
    server = ServerSettings(settings.host, settings.port, settings.base_url, settings.threads, settings.workers)
    serve_application(worker.application, server, start=worker.start, stop=worker.stop)


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
        return compose(applications, files, lambda: True, metrics)

    def start(self) -> None:
        """Start the work in the background."""
        for party in self._parties:
            party.start()

    def stop(self) -> None:
        """Let the work in the background end."""
        for party in self._parties:
            party.stop()
