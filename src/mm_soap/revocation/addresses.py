"""Which sources tell of a certificate: those that the settings name for its issuer, else those that it names itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID

from mm_soap.clock import Clock
from mm_soap.revocation.cache import Folder
from mm_soap.revocation.crl import names_of_points
from mm_soap.revocation.fetching import may_ask
from mm_soap.revocation.model import Rules
from mm_soap.revocation.sources import ListAddress, ListFile, Responder, Source


@dataclass(frozen=True)
class IssuerSources:
    """What the settings say of one issuer.

    Args:
        issuer: the authority's certificate.
        list_files: files with its list.
        list_urls: addresses of its list.
        responder: address of its OCSP responder, or empty.
        accept_unknown: what to do when nothing is known; None for what holds for all.
    """

    issuer: x509.Certificate
    list_files: Sequence[Path] = ()
    list_urls: Sequence[str] = ()
    responder: str = ""
    accept_unknown: bool | None = None


_Issuer = tuple[bytes, bytes]


class Addresses:
    """Finds the sources of certificates; one object for one source, however many certificates it tells of.

    Args:
        issuers: what the settings say.
        rules: which addresses in certificates may be asked.
        folder: where what is fetched is kept.
        clock: the time.
    """

    def __init__(self, issuers: Iterable[IssuerSources], rules: Rules, folder: Folder, clock: Clock) -> None:
        self._rules = rules
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._lists: dict[tuple[str, x509.Certificate], Source] = {}
        self._named = {_identity(each.issuer): each for each in issuers}
        self._named_lists = {
            key: [
                *(ListFile(path, each.issuer, rules) for path in each.list_files),
                *(self._list(url, each.issuer, always=True) for url in each.list_urls),
            ]
            for key, each in self._named.items()
        }

    @property
    def always(self) -> list[Source]:
        """The lists that the settings name."""
        return [source for sources in self._named_lists.values() for source in sources]

    def lists(self) -> list[Source]:
        """Return all lists: those that the settings name, and those that certificates named lately."""
        with self._lock:
            return list(dict.fromkeys([*self.always, *self._lists.values()]))

    def forget(self, now: datetime) -> None:
        """Forget the lists that no certificate has named for so long that they are not kept fresh any more."""
        with self._lock:
            for key in [key for key, source in self._lists.items() if not source.active(now)]:
                del self._lists[key]

    def of(self, certificate: x509.Certificate, issuer: x509.Certificate) -> tuple[list[Source], bool]:
        """Return the sources of a certificate, and whether it is accepted when they tell nothing.

        Addresses in the certificate count where the settings name nothing for its issuer, and only on hosts that they
        allow.
        """
        named = self._named.get(_identity(issuer))
        unknown = self._rules.accept_unknown
        if named is not None and named.accept_unknown is not None:
            unknown = named.accept_unknown
        if named is not None:
            found = list(self._named_lists[_identity(issuer)])
            if named.responder:
                found.append(self._responder(named.responder, certificate, issuer))
            if found:
                return found, unknown
        lists = [self._list(url, issuer) for url in self._allowed(list_urls(certificate))]
        responders = [self._responder(url, certificate, issuer) for url in self._allowed(responder_urls(certificate))]
        return (lists or responders) if self._rules.prefer == "crl" else (responders or lists), unknown

    def _allowed(self, urls: Iterable[str]) -> list[str]:
        return [url for url in dict.fromkeys(urls) if may_ask(url, self._rules.hosts)]

    def _list(self, url: str, issuer: x509.Certificate, *, always: bool = False) -> Source:
        with self._lock:
            found = self._lists.get((url, issuer))
            if found is None:
                found = ListAddress(url, issuer, self._rules, self._folder, always=always)
                self._lists[url, issuer] = found
                found.use(self._clock())
            return found

    def _responder(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> Source:
        return Responder(url, certificate, issuer, self._rules, self._folder)


def list_urls(certificate: x509.Certificate) -> list[str]:
    """Return the addresses of lists that a certificate names, in a fixed order."""
    names = names_of_points(certificate)
    return sorted(name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))


def responder_urls(certificate: x509.Certificate) -> list[str]:
    """Return the addresses of OCSP responders that a certificate names, in its order."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [
        each.access_location.value
        for each in access
        if each.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(each.access_location, x509.UniformResourceIdentifier)
    ]


def _identity(issuer: x509.Certificate) -> _Issuer:
    # A renewed certificate of the same authority signs the same lists.
    return issuer.subject.public_bytes(), issuer.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
