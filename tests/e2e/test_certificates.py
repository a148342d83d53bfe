"""Certificates that expire soon, and one that has: what the log, the probes, the metrics and the command say."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

from mm_soap.clock import system_clock
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, init_demo
from mm_soap.seeding import seed
from tests.e2e.suite import Demonstration, distribute, get, letter, mm_soap, stopped_at_the_end


def demonstration_with(folder: Path, days_left: int) -> Demonstration:
    """Make one whose organisations have certificates for so many days, of the two years that the test CA gives."""
    init_demo(folder, lambda: system_clock() - timedelta(days=730 - days_left, hours=-1), seed)
    return Demonstration(folder)


def test_certificates_that_expire_soon(tmp_path: Path) -> None:
    with stopped_at_the_end(demonstration_with(tmp_path / "demo", 5)) as own:
        url = own.serve().url
        distribute(url, own.signed(letter()))
        status, body = get(f"{url}/readyz")
        assert status == 200
        assert body.decode().startswith("ok\n")
        assert "The certificate of dispatcher (signing, " in body.decode()
        assert ", in 5 days: replace it before.\n" in body.decode()
        metrics = get(f"{url}/metrics")[1].decode()
        seconds = {
            party: int(left)
            for party, left in re.findall(
                r'mm_soap_certificate_expires_seconds\{party="([^"]*)",use="signing",[^}]*\} (-?\d+)', metrics
            )
        }
        assert 5 * 86_400 < seconds["dispatcher"] <= 5 * 86_400 + 3600
        assert f"signer:{KOMMUN_A.number}" in seconds  # it signed a message, so its certificate is known here
        assert "WARNING mm_soap.expiry The certificate of dispatcher (signing" in own.servers[0].output()

        told = mm_soap("certificates", "--config", own.config, "--json")
        assert told.returncode == 1
        days = {(each["party"], each["use"]): each["days_left"] for each in json.loads(told.stdout)}
        assert days["dispatcher", "signing"] == 5
        assert days["trust", "anchor"] > 2000
        shown = mm_soap("certificates", "--config", own.config)
        assert shown.returncode == 1
        assert DISPATCHER.number in shown.stdout
        assert "certificates expire soon" in shown.stderr
        assert mm_soap("certificates", "--config", own.config, MM_SOAP_TRUST__EXPIRY_WARNING_DAYS="4").returncode == 0


def test_a_party_whose_certificate_has_expired_is_not_ready(tmp_path: Path) -> None:
    with stopped_at_the_end(demonstration_with(tmp_path / "demo", -1)) as own:
        far, dispatcher = own.serve("far"), own.serve("dispatcher")
        assert get(f"{far.url}/readyz")[0] == 200
        status, body = get(f"{dispatcher.url}/readyz")
        assert status == 503
        assert "The certificate of dispatcher" in body.decode()
        assert "has expired on " in body.decode()
