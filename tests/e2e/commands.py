"""Runs mm-soap commands for the tests, each in a process of its own that need not load everything anew.

Read from standard input, one JSON document a line: its number, arguments, environment, folder, the file with what is
piped into it, and those for what is printed.
Written to standard output, a line for each: its number and the exit status.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from mm_soap.cli import main


def _become(request: dict[str, Any]) -> None:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, name, how in ((0, request["in"], os.O_RDONLY), (1, request["out"], flags), (2, request["err"], flags)):
        file = os.open(name, how)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["mm-soap", *request["arguments"]]


for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        _become(request)
        main()
        sys.exit()
    _, ended = os.waitpid(child, 0)
    print(request["number"], os.waitstatus_to_exitcode(ended), flush=True)
