"""mm-soap serve."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Final

from mm_soap.bootstrap import Party, Work, answers, build_parties
from mm_soap.bootstrap import work as run_worker
from mm_soap.bootstrap_evidence import spool_notes
from mm_soap.bootstrap_inbox import test_idp_pages
from mm_soap.bootstrap_revocation import add_metrics, revocation_of
from mm_soap.bootstrap_transport import tls_files
from mm_soap.cli.output import WRONG_USE, fail, progress_console
from mm_soap.clock import system_clock
from mm_soap.config import Settings, load
from mm_soap.contract import published
from mm_soap.demonstration import SETTINGS_FILE, init_demo
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.expiry import METRIC, ExpiryWatch, of_settings
from mm_soap.far import Register
from mm_soap.seeding import register_operators, seed
from mm_soap.soap import Metrics, ServerSettings, Wsgi, compose, from_proxies, leaving_room
from mm_soap.soap import serve as serve_application
from mm_soap.soap.callers import LONGEST_HEADER

_log = logging.getLogger(__name__)

_LONGEST_BUILD: Final = 45.0
"""How long a worker process waits for a database, in seconds: less than gunicorn waits for a sign of life."""
_SECONDS_BETWEEN_BUILDS: Final = 1.0

TESTBED_FOLDER: Final = "mm-soap-testbed"
"""Where a test bed without settings is made, in the folder where the command is run."""


def serve(config: Path | None, only: Sequence[str], testbed: bool) -> None:
    """Serve the parties of the settings until a signal stops it; with ``testbed``, as a test bed."""
    if testbed and only:
        fail("A test bed runs all parties: leave --party away.", WRONG_USE)
    if config is None:
        if not testbed:
            fail("Name the settings: --config FILE. `mm-soap init DIR --demo` makes some.", WRONG_USE)
        config = _testbed_folder()
    settings = load(config, demonstration_for="A test bed" if testbed else None)
    _begin_logging()
    secret = None
    if testbed:
        from mm_soap.bootstrap_testbed import new_secret, settings_of_testbed

        settings, secret = settings_of_testbed(settings), new_secret()
    # Built once before the workers start, so that what is wrong with the settings is said in one sentence.
    parties = {party.name: party for party in build_parties(settings, only, Metrics())}
    if settings.profile == "demonstration" and not only and "far" in parties:
        register_operators(settings, Register(parties["far"].database))
    for party in parties.values():
        party.database.dispose()  # a connection must not be shared with the workers that are forked
        if party.spool is not None and (wrong := party.spool.prepare()) is not None:
            _log.warning("%s Of what %s refuses while its database is away, the log alone tells.", wrong, party.name)
    _check_port(settings)
    worker = _Worker(settings, list(parties), secret)
    server = ServerSettings(
        settings.host,
        settings.port,
        settings.base_url,
        settings.threads,
        settings.workers,
        tls=tls_files(settings),
        body_limit=settings.body_limit,
        header_bytes=LONGEST_HEADER if settings.tls and settings.tls.proxies else 8190,
        processors=settings.processors,
    )
    if server.tls is not None:
        server.tls.context()  # what is wrong with its files is said here, in one sentence
    serve_application(worker.application, server, start=worker.start, settle=worker.settle, stop=worker.stop)


def work(config: Path) -> None:
    """Make the deliveries of a dispatcher's settings, as one of any number of workers, until a signal stops it."""
    settings = load(config)
    _begin_logging()
    run_worker(settings, lambda: print("ready", flush=True))


def _begin_logging() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _testbed_folder() -> Path:
    """Return the settings of the test bed in this folder, made where it is not there yet."""
    folder = Path(TESTBED_FOLDER)
    if not (folder / SETTINGS_FILE).exists():
        with progress_console().status("Making keys, certificates and databases …"):
            init_demo(folder, system_clock, seed)
        progress_console().print(f"Made {folder}: the test bed lives there from now on.")
    return folder / SETTINGS_FILE


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

    def __init__(self, settings: Settings, names: Sequence[str], testbed_secret: bytes | None) -> None:
        self._settings = settings
        self._names = names
        self._testbed_secret = testbed_secret
        self._parties: Sequence[Party] = []

    def application(self) -> Wsgi:
        """Build the parties and return what serves them."""
        metrics, self._parties = self._build()
        testbed = None
        if self._testbed_secret is not None:
            from mm_soap.bootstrap_testbed import open_testbed

            testbed = open_testbed(self._settings, self._parties, self._testbed_secret)
            self._parties = testbed.parties
        applications: dict[str, Wsgi] = {}
        files: dict[str, bytes] = {}
        for party in self._parties:
            applications |= party.applications
            files |= published(self._settings.base_url, party.prefix)
        parties, warning = self._parties, timedelta(days=self._settings.trust.expiry_warning_days)
        self._watch = ExpiryWatch(
            of_settings(self._settings),
            lambda: chain.from_iterable(party.accepted() for party in parties),
            warning,
            system_clock,
        )
        self._revocation = revocation_of(self._settings, system_clock)
        if self._revocation is not None:
            add_metrics(metrics, self._revocation, system_clock)
        metrics.add_gauge(METRIC, "Seconds until a certificate expires.", self._watch.seconds_left)
        pages = {path: page for party in self._parties for path, page in party.pages.items()}
        if pages:
            pages |= test_idp_pages(self._settings)
        pages |= testbed.pages if testbed else {}
        pages = leaving_room(pages, self._settings.threads)
        whole = compose(applications, files, self._ready, metrics, self._warnings, pages)
        tls = self._settings.tls
        if tls and tls.proxies:
            whole = from_proxies(whole, tls.proxies)
        return testbed.around(whole) if testbed else whole

    def _build(self) -> tuple[Metrics, Sequence[Party]]:
        # A worker process that died is begun anew, also while a database is away. Were that one to fail, gunicorn would
        # end the whole server; one that only exits is begun again.
        deadline = time.monotonic() + _LONGEST_BUILD
        while True:
            metrics = Metrics()
            try:
                return metrics, build_parties(self._settings, self._names, metrics)
            except Refused as refused:
                if refused.refusal is not Refusal.UNAVAILABLE:
                    raise
            if time.monotonic() >= deadline:
                sys.exit(1)
            _log.warning("A new worker process waits for a database that is away.")
            time.sleep(_SECONDS_BETWEEN_BUILDS)

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
        names = [party.name for party in self._parties]
        return all(answers(party.database) for party in self._parties) and not self._watch.has_expired(names)

    def _warnings(self) -> list[str]:
        spools = {party.name: party.spool for party in self._parties if party.spool is not None}
        return [
            *self._watch.warnings(),
            *(self._revocation.warnings() if self._revocation else ()),
            *spool_notes(spools),
        ]

    def _work(self) -> list[Work]:
        first: list[Work] = [self._revocation] if self._revocation else []
        return [*first, *(work for party in self._parties for work in party.work), self._watch]
