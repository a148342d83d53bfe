"""The Java client: a process that reads calls and prints their answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .zeep_client import TEXT

PROGRAM = Path(__file__).with_name("RegisterSteps.java")
LIBRARIES = "/usr/share/java/jaxws-rt.jar:/usr/share/java/jaxws-ri-runtime.jar"

QUICK = ("-J-XX:TieredStopAtLevel=1", "-J-Xshare:auto")


def _run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def build(url: str, folder: Path) -> None:
    """Generate the client from the served WSDLs, and compile all of it at once, which is quicker."""
    for path in ("/Recipient/v3", "/Authority"):
        options = ("-quiet", "-Xnocompile", "-B-XautoNameResolution")
        _run("wsimport", *options, "-d", folder, f"{url}{path}?wsdl")
    sources = [PROGRAM, *folder.rglob("*.java")]
    _run("javac", *QUICK, "-nowarn", "-encoding", "UTF-8", "-cp", LIBRARIES, "-d", folder, *sources)


class JavaClient:
    """The running program."""

    def __init__(self, url: str, signatures: Path, classes: Path) -> None:
        text = classes / "text"
        text.write_text(TEXT, encoding="utf-8")
        self._process = subprocess.Popen(
            ["java", "-cp", f"{classes}:{LIBRARIES}", "RegisterSteps", url, signatures, text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self._line() == "ready"

    def do(self, operation: str, *arguments: str) -> str:
        """Make one call; return its answer, or the ErrorCode of its fault, in the words of the table."""
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join((operation, *arguments)) + "\n")
        self._process.stdin.flush()
        return self._line()

    def close(self) -> None:
        """End the program."""
        with self._process as process:
            process.communicate(timeout=20)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")
