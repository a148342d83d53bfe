"""mm-soap testbed certificate: from the requester's side."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from mm_soap.cli.output import WRONG_USE, console, fail, plain, print_json, progress_console
from mm_soap.errors import ConfigurationError, TransportError
from mm_soap.message.identifiers import is_organisation, valid_check_digit
from mm_soap.pki import organisation_number
from mm_soap.testbed.client import ask
from mm_soap.testbed.requesting import new_request
from mm_soap.testing.certificates import new_key, write_key


def certificate(organisation: str, name: str, out: Path, url: str, as_json: bool) -> None:
    """Write NUMBER.pem, NUMBER.key and ca.pem into a folder."""
    if not is_organisation(organisation) or not valid_check_digit(organisation):
        fail("--organisation must be 12 digits that begin with 16, with a right check digit.", WRONG_USE)
    files = {"certificate": out / f"{organisation}.pem", "key": out / f"{organisation}.key", "ca": out / "ca.pem"}
    if files["key"].exists():
        fail(f"{files['key']} is there already: choose another folder, or remove it first.", WRONG_USE)
    with progress_console().status("Asking the test bed …"):
        key = new_key()
        try:
            request = new_request(organisation, name, key)
        except ValueError:
            fail("--name must have 2 to 64 characters.", WRONG_USE)
        chain = ask("POST", f"{url.rstrip('/')}/testbed/certificates", request)
        authorities = ask("GET", f"{url.rstrip('/')}/testbed/ca.pem")
    _check(chain, organisation, key.public_key())
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_key(files["key"], key)
        files["certificate"].write_bytes(chain)
        files["ca"].write_bytes(authorities)
    except OSError as error:
        raise ConfigurationError(f"The folder {out} cannot be written: {error.strerror}.") from None
    if as_json:
        print_json({"organisation": organisation, **{what: str(file) for what, file in files.items()}})
        return
    console().print(plain(f"Wrote {files['certificate']}, {files['key']} and {files['ca']}."))
    console().print(plain(f"What you send is shown at {url.rstrip('/')}/testbed?sender={organisation}"))


def _check(chain: bytes, organisation: str, key: object) -> None:
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise TransportError("what answered is no test bed: it sent no certificate") from None
    if organisation_number(leaf) != organisation or leaf.public_key() != key:
        raise TransportError("the test bed answered with a certificate for somebody else")
