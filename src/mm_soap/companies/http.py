"""Companies from another system over HTTP, remembered for a time."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import urllib3
from pydantic import ValidationError

from mm_soap.companies.format import read_companies, read_company
from mm_soap.companies.model import Company
from mm_soap.companies.register import Away, CompanyRegisterAway
from mm_soap.message.identifiers import is_organisation

MOST_BYTES: Final = 1_048_576
"""The longest answer that is read, in bytes."""

_CHUNK: Final = 65_536
_HEADERS: Final = {"Accept": "application/json"}


class HttpCompanyRegister:
    """The company register at an address. Safe for threads.

    ``GET URL/NUMBER`` answers 200 with one company or 404; ``POST URL/search`` with ``{"signatory": PERSONAL NUMBER}``
    answers 200 with all companies that list the person. Personal numbers stand in bodies alone, since addresses end up
    in logs. The format is that of the file, see ``docs/reference/companies.schema.json``.

    Args:
        url: the address before ``/NUMBER``.
        timeout: how long an answer may take in all, in seconds; also the most for the connection.
        cache_seconds: how long a company is remembered; 0 for not at all. That there is none is not remembered, nor are
            searches.
        cache_size: how many companies are remembered at most; the one unused for longest goes first.
        monotonic: a clock in seconds, for the limits.

    Nothing is repeated and no redirect is followed. Whatever is not such an answer raises `CompanyRegisterAway`.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        cache_seconds: float = 300.0,
        cache_size: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=4, block=False)
        self._path = urllib3.util.parse_url(url).path or ""
        self._timeout = timeout
        self._keep = cache_seconds
        self._size = cache_size
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, tuple[float, Company]] = OrderedDict()

    def find(self, number: str) -> Company | None:
        """Return a company by its number, from memory or by asking; None where there is none."""
        if not is_organisation(number):
            return None
        known = self._remembered(number)
        if known is not None:
            return known
        raw = self._ask("GET", f"/{number}")
        if raw is None:
            return None
        try:
            company = read_company(raw)
        except ValidationError:
            raise _unexpected("the company does not follow the format") from None
        if company.number != number:
            raise _unexpected("another company than was asked for")
        self._remember(company)
        return company

    def of_person(self, personal_number: str) -> Sequence[Company]:
        """Return the companies for which a person is listed, by number, by asking."""
        body = json.dumps({"signatory": personal_number}).encode()
        raw = self._ask("POST", "/search", body=body, headers={**_HEADERS, "Content-Type": "application/json"})
        if raw is None:
            raise _unexpected("HTTP 404 to a search")
        try:
            companies = read_companies(raw)
        except ValidationError:
            raise _unexpected("the companies do not follow the format") from None
        listed = [one for one in companies if any(p.personal_number == personal_number for p in one.signatories)]
        return sorted(listed, key=lambda company: company.number)

    def _remembered(self, number: str) -> Company | None:
        with self._lock:
            found = self._cache.get(number)
            if found is None or self._monotonic() >= found[0]:
                self._cache.pop(number, None)
                return None
            self._cache.move_to_end(number)
            return found[1]

    def _remember(self, company: Company) -> None:
        if self._keep <= 0:
            return
        with self._lock:
            self._cache[company.number] = (self._monotonic() + self._keep, company)
            self._cache.move_to_end(company.number)
            while len(self._cache) > self._size:
                self._cache.popitem(last=False)

    def _ask(self, method: str, path: str, **request: Any) -> bytes | None:
        until = self._monotonic() + self._timeout
        try:
            response = self._pool.urlopen(
                method,
                self._path + path,
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
                **{"headers": _HEADERS, **request},
            )
            try:
                raw = self._body(response, until)
            except BaseException:
                response.close()  # what is unread would be taken for the next answer
                raise
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # Their texts may hold the address with what is in it.
            raise CompanyRegisterAway(Away.UNREACHABLE, type(error).__name__) from None
        if response.status == 404:
            return None
        if response.status != 200:
            raise CompanyRegisterAway(Away.UNREACHABLE, f"HTTP {response.status}")
        return raw

    def _body(self, response: urllib3.BaseHTTPResponse, until: float) -> bytes:
        # The limit of the connection is for each wait; one that sends a byte now and then would never meet it.
        raw = b""
        while chunk := response.read1(_CHUNK):
            raw += chunk
            if len(raw) > MOST_BYTES:
                raise _unexpected("the answer is too long")
            if self._monotonic() > until:
                raise CompanyRegisterAway(Away.UNREACHABLE, "the answer took too long")
        return raw


def _unexpected(cause: str) -> CompanyRegisterAway:
    return CompanyRegisterAway(Away.UNEXPECTED, cause)
