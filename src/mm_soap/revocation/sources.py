"""Where a status comes from: a list of an issuer, at an address or in a file, or a responder's word."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mm_soap.revocation.cache import Attempt, Folder
from mm_soap.revocation.crl import read_list
from mm_soap.revocation.fetching import fetch, host_of
from mm_soap.revocation.model import Held, Known, Rules, Unusable, check_dates, hold
from mm_soap.revocation.ocsp import MAX_BYTES, new_nonce, read_response, request_for

LIST_KEPT: Final = timedelta(days=1)
"""How long a list is kept fresh since a certificate of its issuer was last seen."""
RESPONSE_KEPT: Final = timedelta(hours=1)
"""How long the status of one certificate is kept fresh since it was last seen."""


class Source(ABC):
    """One source, and what is held from it. Read by any thread; refreshed by one at a time.

    Args:
        issuer: whose certificates it tells of.
        rules: how long what it says counts.
        always: whether it is kept fresh from the start, since the settings name it.
    """

    kind: str
    """``crl`` or ``ocsp``."""
    host: str
    """Who is asked, ``file`` for a file."""
    kept: timedelta

    def __init__(self, issuer: x509.Certificate, rules: Rules, *, always: bool = False) -> None:
        self.issuer = issuer
        self.rules = rules
        self.always = always
        self.held: Held | None = None
        self.attempted: datetime | None = None
        self.failure = ""
        self.refreshes = self.failures = 0
        self.active_until: datetime | None = None
        self.busy = threading.Lock()

    def use(self, now: datetime, *, keep: bool = True) -> None:
        """Note that a certificate was seen that it tells of; with ``keep``, it is kept fresh from now on.

        A list is, in any case: it tells of many.
        """
        if keep or self.kind == "crl":
            self.active_until = now + self.kept

    def active(self, now: datetime) -> bool:
        """Tell whether it is kept fresh."""
        return self.always or (self.active_until is not None and now <= self.active_until)

    def due(self, now: datetime) -> bool:
        """Tell whether it should be asked again."""
        tried = self.attempted is not None and now < self.attempted + self.rules.retry
        return not tried and not self.current(now)

    def current(self, now: datetime) -> bool:
        """Tell whether it was confirmed so lately that it need not be asked."""
        return self.held is not None and self.held.confirmed <= now < self.held.confirmed + self.rules.refresh

    @abstractmethod
    def refresh(self, now: datetime) -> bool:
        """Ask, or take what another process got, unless that is so already; False if another process is asking."""

    def _succeeded(self, known: Known, now: datetime, *, published: bool = True) -> None:
        self.held = hold(known, now, self.rules, published=published)
        self.attempted = now
        self.refreshes += 1
        if self.held.fresh_until < now:
            self.failures += 1
            self.failure = "what it says is out of date"
        else:
            self.failure = ""

    def _failed(self, reason: str, now: datetime) -> None:
        self.attempted, self.failure = now, reason
        self.failures += 1


class ListFile(Source):
    """A list in a file of this installation; whoever replaces it sees to it that it is whole."""

    kind = "crl"
    host = "file"
    kept = LIST_KEPT

    def __init__(self, path: Path, issuer: x509.Certificate, rules: Rules) -> None:
        super().__init__(issuer, rules, always=True)
        self._path = path
        self._mark: tuple[int, ...] = ()

    def refresh(self, now: datetime) -> bool:
        """Read the file if it has changed."""
        try:
            state = self._path.stat()
            mark = (state.st_mtime_ns, state.st_size, state.st_ino)
            known = self.held.known if self.held is not None and mark == self._mark else self._read(state.st_size)
            check_dates(known, now, self.held.known if self.held else None, self.rules)
            self._mark = mark
        except OSError as error:
            self._failed(f"{self._path}: {error.strerror}", now)
        except Unusable as unusable:
            self._failed(f"{self._path}: {unusable}", now)
        else:
            self._succeeded(known, now, published=False)
        return True

    def _read(self, size: int) -> Known:
        if size > self.rules.max_bytes:
            raise Unusable(f"it has more than {self.rules.max_bytes} bytes")
        return read_list(self._path.read_bytes(), self.issuer)


class _Fetched(Source):
    """What is fetched over HTTP and kept on disk."""

    def __init__(self, url: str, issuer: x509.Certificate, rules: Rules, folder: Folder, *, always: bool) -> None:
        super().__init__(issuer, rules, always=always)
        self.url = url
        self.host = host_of(url)
        self._folder = folder
        self._raw_digest = b""

    @property
    @abstractmethod
    def name(self) -> str:
        """The file that it is kept in."""

    @abstractmethod
    def _fetch(self) -> tuple[bytes, Known]:
        """Ask, and return what came and what it says."""

    @abstractmethod
    def _read(self, raw: bytes) -> Known:
        """Return what something says that was kept."""

    def refresh(self, now: datetime) -> bool:
        """Ask, unless another process has asked meanwhile."""
        self._load(now)
        if not self.due(now):
            return True
        with self._folder.turn(self.name) as attempt:
            if attempt is None:
                return False
            self._load(now)
            if attempt.at is not None and attempt.at <= now:
                self.attempted, self.failure = attempt.at, attempt.failure
            if self.due(now):
                self._ask(now.replace(microsecond=0), attempt)
        return True

    def _load(self, now: datetime) -> None:
        kept = self._folder.read(self.name, self.held.confirmed if self.held else None)
        if kept is None:
            return
        raw, confirmed = kept
        try:
            known = self._same(raw) or self._read(raw)
        except Unusable:
            return  # a file that was spoilt; it is fetched again
        if self.held is None or known.this_update >= self.held.known.this_update:
            self.held = hold(known, min(confirmed, now), self.rules)
            self._raw_digest = sha256(raw).digest()

    def _ask(self, now: datetime, attempt: Attempt) -> None:
        attempt.at = now
        try:
            raw, known = self._fetch()
            check_dates(known, now, self.held.known if self.held else None, self.rules)
        except Unusable as unusable:
            self._failed(str(unusable), now)
        else:
            if sha256(raw).digest() == self._raw_digest:
                self._folder.confirm(self.name, now)
            else:
                self._folder.write(self.name, raw, now)
                self._raw_digest = sha256(raw).digest()
            self._succeeded(known, now)
        attempt.failure = self.failure

    def _same(self, raw: bytes) -> Known | None:
        """Return what is held already if these are its bytes: a long list is not read again for nothing."""
        same = self.held is not None and sha256(raw).digest() == self._raw_digest
        return self.held.known if same and self.held is not None else None


class ListAddress(_Fetched):
    """A list at an address."""

    kind = "crl"
    kept = LIST_KEPT

    @property
    def name(self) -> str:
        """The file that it is kept in."""
        return f"{_digest(self.url, self.issuer)}.crl"

    def _fetch(self) -> tuple[bytes, Known]:
        raw = fetch(self.url, self.rules.timeout, self.rules.max_bytes)
        return raw, self._same(raw) or self._read(raw)

    def _read(self, raw: bytes) -> Known:
        return read_list(raw, self.issuer)


class Responder(_Fetched):
    """What a responder says of one certificate."""

    kind = "ocsp"
    kept = RESPONSE_KEPT

    def __init__(
        self, url: str, certificate: x509.Certificate, issuer: x509.Certificate, rules: Rules, folder: Folder
    ) -> None:
        super().__init__(url, issuer, rules, folder, always=False)
        self._certificate = certificate

    @property
    def name(self) -> str:
        """The file that it is kept in."""
        return f"{_digest(self.url, self.issuer, self._certificate)}.ocsp"

    def _fetch(self) -> tuple[bytes, Known]:
        nonce = None if self.rules.nonce == "none" else new_nonce()
        request = request_for(self._certificate, self.issuer, nonce)
        raw = fetch(self.url, self.rules.timeout, MAX_BYTES, request=request)
        required = self.rules.nonce == "required"
        return raw, read_response(raw, self._certificate, self.issuer, nonce=nonce, nonce_required=required)

    def _read(self, raw: bytes) -> Known:
        return read_response(raw, self._certificate, self.issuer)


def _digest(url: str, *certificates: x509.Certificate) -> str:
    return sha256(b"\0".join([url.encode(), *(each.fingerprint(SHA256()) for each in certificates)])).hexdigest()[:40]
