"""The first certificates of a process may come in several threads at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from mm_soap.clock import system_clock
from mm_soap.testing import TestPki

_NUMBERS = ("162021004748", "165560000019", "165599999918", "165599999926")
_PROCESSES = 40
_PROGRAM = """
import os, sys, threading
from pathlib import Path
from mm_soap.clock import system_clock
from mm_soap.pki import CallerCertificates, TrustStore

folder = Path(sys.argv[1])
certificates = [file.read_bytes() for file in folder.glob("*.der")]
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:  # as the worker process of a server: all is loaded, and nothing was used
        sys.setswitchinterval(0.0001)
        callers = CallerCertificates(TrustStore.load([folder / "ca.pem"], system_clock), system_clock)
        together, right = threading.Barrier(len(certificates)), []

        def judge(der):
            together.wait()
            right.append(callers.organisation(der))

        threads = [threading.Thread(target=judge, args=(der,)) for der in certificates]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(len(right) != len(certificates))
    if os.waitpid(child, 0)[1]:
        sys.exit("a certificate was refused")
"""


def test_certificates_that_come_first_and_at_once_are_all_accepted(tmp_path: Path) -> None:
    pki = TestPki(system_clock)
    for number in _NUMBERS:
        own = pki.organisation(number, "Kommun A")
        (tmp_path / f"{number}.der").write_bytes(own.certificate.public_bytes(Encoding.DER))
    pki.write(tmp_path)
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path), str(_PROCESSES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, "")
