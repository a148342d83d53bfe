"""Many threads compile the schema at once, in fresh processes: each finds libxml2's built-in types whole."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys, threading
import mm_soap.xml
from lxml import etree
from mm_soap.contract.files import unpacked_schemas

with unpacked_schemas() as driver:
    for _ in range(300):
        child = os.fork()
        if child == 0:
            gate, failed = threading.Barrier(4), []

            def compile_at_once():
                gate.wait()
                try:
                    etree.XMLSchema(file=str(driver))
                except etree.XMLSchemaParseError as error:
                    failed.append(error)

            threads = [threading.Thread(target=compile_at_once) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            os._exit(len(failed))
        if os.waitpid(child, 0)[1]:
            sys.exit("a process failed")
"""


def test_threads_of_a_fresh_process_compile_the_schema_at_once() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stderr) == (0, "")
