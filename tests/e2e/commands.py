"""Runs mm-soap commands for the tests, each in a process of its own that need not load everything anew.

Read from standard input, one JSON document a line. Either what is to be run: arguments, environment, folder, the file
that is standard input, and those that what is printed is added to. Or the process whose end is asked for.
Written to standard output, a line for each: the number of the request, and the id of the process or its exit status.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import sys
from contextlib import suppress
from typing import Any

import mm_soap.cli
from mm_soap.cli import main

# What commands load when they run.
for each in pkgutil.iter_modules(mm_soap.cli.__path__, "mm_soap.cli."):
    importlib.import_module(each.name)
for name in ("alembic.command", "psycopg", "sqlalchemy.dialects.postgresql.psycopg"):
    importlib.import_module(name)
gc.collect()
gc.freeze()


def _become(request: dict[str, Any]) -> None:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, name, how in ((0, request["in"], os.O_RDONLY), (1, request["out"], flags), (2, request["err"], flags)):
        file = os.open(name, how)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["mm-soap", *request["arguments"]]


for line in sys.stdin:
    request = json.loads(line)
    if ended := request.get("ended"):
        _, status = os.waitpid(ended, 0)
        print(request["number"], os.waitstatus_to_exitcode(status), flush=True)
        continue
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _become(request)
        main()
        sys.exit()
    with suppress(ProcessLookupError, PermissionError):  # it ended already
        os.setpgid(child, child)  # whoever comes first: the group is there before its id is told
    print(request["number"], child, flush=True)
