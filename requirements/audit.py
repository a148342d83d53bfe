"""Looks for known weaknesses in the pinned packages, where that can be done: `make audit`.

pip-audit asks pypi.org. Where that cannot be reached, or is a mirror that knows of no weaknesses, this says so and
fails nothing: a build without a network must be possible. Ends with pip-audit's status otherwise.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

PINNED: Final = Path(__file__).with_name("deploy.txt")
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_SECONDS: Final = 10


def why_not() -> str | None:
    """Return why pip-audit cannot tell anything here; None where it can."""
    found = _PIN.search(PINNED.read_text(encoding="utf-8"))
    assert found is not None
    try:
        address = f"https://pypi.org/pypi/{found[1]}/{found[2]}/json"
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        return f"what answers as pypi.org does not know {found[1]} {found[2]} (HTTP {error.code})"
    except (OSError, ValueError) as error:
        return f"pypi.org cannot be reached ({type(error).__name__})"
    return None if "vulnerabilities" in told else "what answers as pypi.org tells of no weaknesses"


def main() -> int:
    """Run pip-audit, or say why not."""
    reason = why_not()
    if reason is not None:
        print(f"pip-audit did not run: {reason}. The packages were NOT looked at for known weaknesses.")
        return 0
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--requirement", str(PINNED)]
    return subprocess.run(command, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
