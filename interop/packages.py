"""Installing what the stacks need from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable

from interop.stacks import Stack


class NotInstalled(Exception):
    """Packages that could not be installed; the text says which and why."""


def missing(stacks: Iterable[Stack]) -> list[str]:
    """Return the Debian packages that the stacks need and the machine lacks."""
    wanted: set[str] = set()
    for stack in stacks:
        wanted |= {package for package in stack.packages if not _is_installed(package)}
        wanted |= {package for program, package in stack.programs.items() if shutil.which(program) is None}
    return sorted(wanted)


def install(packages: list[str]) -> None:
    """Install packages with apt-get.

    Raises:
        NotInstalled: apt-get is missing, or failed.
    """
    if shutil.which("apt-get") is None:
        raise NotInstalled(f"apt-get is missing; install these yourself: {' '.join(packages)}")
    root = [] if os.geteuid() == 0 else ["sudo"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run([*root, *environment, "apt-get", *arguments], capture_output=True, text=True)
        if done.returncode:
            raise NotInstalled(f"apt-get {' '.join(arguments)} failed:\n{done.stderr.strip()[-1000:]}")


def _is_installed(package: str) -> bool:
    done = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Abbrev}", package], capture_output=True, text=True)
    return done.returncode == 0 and done.stdout.startswith("ii")
