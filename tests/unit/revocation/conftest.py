"""An authority with its lists and responder, and what asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mm_soap.pki import TrustStore
from mm_soap.revocation.addresses import Addresses, IssuerSources
from mm_soap.revocation.cache import Folder
from mm_soap.revocation.keeper import Revocation
from mm_soap.revocation.model import Rules
from mm_soap.testing import FrozenClock, StatusServer, TestPki

Build = Callable[..., Revocation]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def server(clock: FrozenClock) -> Iterator[StatusServer]:
    with StatusServer(clock) as server:
        yield server


@pytest.fixture
def pki(clock: FrozenClock, server: StatusServer) -> TestPki:
    """Its certificates name lists alone."""
    pki = TestPki(clock, crl_url=server.url)
    server.add(pki.issuing, pki.root)
    return pki


@pytest.fixture
def ocsp(clock: FrozenClock, server: StatusServer, pki: TestPki) -> TestPki:
    """The same authorities; its certificates name responders alone."""
    pki = TestPki(clock, ocsp_url=server.url)
    server.add(pki.issuing, pki.root)
    return pki


@pytest.fixture
def build(clock: FrozenClock, server: StatusServer, tmp_path: Path) -> Build:
    """Make what knows of revocations; all that one test makes share a folder, as processes do."""

    def build(*issuers: IssuerSources, **rules: Any) -> Revocation:
        made = Rules(**{"hosts": frozenset([server.host]), **rules})
        folder = Folder(tmp_path / "revocation")
        return Revocation(Addresses(issuers, made, folder, clock), made, folder, clock)

    return build


@pytest.fixture
def trust(pki: TestPki, clock: FrozenClock) -> Callable[[Revocation], TrustStore]:
    return lambda revocation: TrustStore(pki.anchors, clock, revocation)
