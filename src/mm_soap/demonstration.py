"""The demonstration: organisations and recipients that do not exist, and the folder in which they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1

from mm_soap.clock import Clock
from mm_soap.config import Settings, load
from mm_soap.demonstration_registers import COMPANIES_FILE, PERSONS, PERSONS_FILE, write_registers
from mm_soap.errors import ConfigurationError
from mm_soap.testing.e_identification import EIdentificationIssuer
from mm_soap.testing.pki import TestPki

SETTINGS_FILE: Final = "mm-soap.toml"


@dataclass(frozen=True)
class DemoOrganisation:
    """An organisation of the demonstration: its 12-digit number and its name."""

    number: str
    name: str


@dataclass(frozen=True)
class DemoDispatcher(DemoOrganisation):
    """A dispatcher; ``signs_for`` holds the numbers of the senders that it is listed for in the register."""

    signs_for: tuple[str, ...]


@dataclass(frozen=True)
class DemoOperator(DemoOrganisation):
    """A mailbox operator; ``path`` stands before /Service/v3 in its address."""

    path: str


@dataclass(frozen=True)
class DemoAccount:
    """A recipient's account.

    ``operator`` is the number of its mailbox operator; ``deselected`` holds the numbers of the senders that the
    recipient does not accept. A pending account waits for signatures and has no mailbox yet.
    """

    recipient: str
    operator: str
    state: Literal["active", "pending"] = "active"
    deselected: tuple[str, ...] = ()


@dataclass(frozen=True)
class DemoWorld:
    """All that the register, and each operator, knows at the start of a demonstration."""

    senders: tuple[DemoOrganisation, ...]
    dispatchers: tuple[DemoDispatcher, ...]
    operators: tuple[DemoOperator, ...]
    accounts: tuple[DemoAccount, ...]

    @property
    def organisations(self) -> dict[str, str]:
        """Number and name of each organisation, once."""
        return {o.number: o.name for o in (*self.senders, *self.dispatchers, *self.operators)}


# Kommun A, Kommun B and the first recipient are the contract's known identities (messages, "Identifiers"). The numbers
# of the other organisations begin with 5599 99, which is not handed out to companies.
KOMMUN_A: Final = DemoOrganisation("162021004748", "Kommun A")
KOMMUN_B: Final = DemoOrganisation("162021003898", "Kommun B")
DISPATCHER: Final = DemoDispatcher("165599999900", "Förmedlare Demo", (KOMMUN_A.number, KOMMUN_B.number))
KOMMUN_A_ITSELF: Final = DemoDispatcher(KOMMUN_A.number, KOMMUN_A.name, (KOMMUN_A.number,))
OPERATOR_ONE: Final = DemoOperator("165599999918", "Brevlåda Ett", "")
OPERATOR_TWO: Final = DemoOperator("165599999926", "Brevlåda Två", "/brevlada-tva")

RECIPIENT: Final = "192705178354"
"""A person with a mailbox at operator one, who accepts every sender."""

UNKNOWN: Final = "191212121212"
"""A person who is not in the register."""

# Coordination numbers (the day plus 60) of people born in 1890: such numbers began a century later, so these were never
# anybody's. Their check digits are right.
RECIPIENT_AT_TWO: Final = "189001619809"
"""A person with a mailbox at operator two, who accepts every sender."""

RECIPIENT_WITHOUT_B: Final = "189002619808"
"""A person with a mailbox at operator two, who has deselected Kommun B."""

RECIPIENT_PENDING: Final = "189003619807"
"""A person whose account at operator one still waits for signatures: not reachable."""

COMPANY: Final = "165599999934"
"""A company with a mailbox at operator one."""

DEMO_WORLD: Final = DemoWorld(
    senders=(KOMMUN_A, KOMMUN_B),
    dispatchers=(DISPATCHER, KOMMUN_A_ITSELF),
    operators=(OPERATOR_ONE, OPERATOR_TWO),
    accounts=(
        DemoAccount(RECIPIENT, OPERATOR_ONE.number),
        DemoAccount(RECIPIENT_AT_TWO, OPERATOR_TWO.number),
        DemoAccount(RECIPIENT_WITHOUT_B, OPERATOR_TWO.number, deselected=(KOMMUN_B.number,)),
        DemoAccount(RECIPIENT_PENDING, OPERATOR_ONE.number, state="pending"),
        DemoAccount(COMPANY, OPERATOR_ONE.number),
    ),
)

Seed = Callable[[Settings, DemoWorld], None]
"""Fills the databases that the settings name with what the world holds."""


def init_demo(directory: Path, clock: Clock, seed: Seed | None = None, *, tls: bool = False) -> Settings:
    """Make a demonstration in a directory: mm-soap.toml, data/ and pki/, with new keys; return its settings.

    Args:
        directory: made if it is not there. Other files in it are left alone.
        clock: the certificates' dates are counted from what it says.
        seed: fills the databases; called last. If it fails, the settings file is taken away again, so that another
            attempt is possible.
        tls: whether the parties speak TLS, with certificates of the test CA on both sides.

    Raises:
        ConfigurationError: the directory holds a mm-soap.toml already, or cannot be written.
    """
    file = directory / SETTINGS_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "data").mkdir(mode=0o700, exist_ok=True)
        _claim(file)
    except OSError as error:
        raise ConfigurationError(f"The folder {directory} cannot be written: {error.strerror}.") from None
    try:
        _write_pki(directory / "pki", clock, tls=tls)
        write_registers(directory / "data")
        file.write_text(settings_text(tls=tls), encoding="utf-8")
        settings = load(file)
        if seed:
            seed(settings, DEMO_WORLD)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise ConfigurationError(f"The folder {directory} cannot be written: {error.strerror}.") from None
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return settings


def settings_text(*, tls: bool = False) -> str:
    """Return the mm-soap.toml of a demonstration; with ``tls``, of one that speaks TLS."""
    operators = "\n".join(_operator_text(n, o) for n, o in enumerate(DEMO_WORLD.operators, start=1))
    senders = "\n".join([*map(_sender_text, DEMO_WORLD.senders), _TEST_IDP])
    return f"""\
# A demonstration of mm-soap: a register, a dispatcher and two mailbox operators in one process, on this machine alone.
# Paths are relative to this file. An environment variable overrides each setting: MM_SOAP_PORT=9000 the port,
# MM_SOAP_RULES__CHECK_DIGITS=false the one in the table [rules].

# A production installation says "production": it wants TLS and real certificates, and refuses the ones in pki/.
profile = "demonstration"

host = "127.0.0.1"
port = 8080
# How others reach this server, when that is not http://HOST:PORT. It stands in the WSDLs and in the register.
# public_url = "https://post.example.se"

{_TLS if tls else ""}[trust]
# Whose signatures are believed: here, whoever has a certificate of the test CA.
anchors = ["pki/ca.pem"]
# Senders, by organisation number, whose old systems still sign with SHA-1.
allow_sha1_from = []

[rules]
# The longest message with its attachments, in bytes after decoding.
max_message_bytes = 2097152
# Whether the last digit of personal and organisation numbers must be right.
check_digits = true

# The address register.
[far]
database = "data/far.sqlite3"
# Whose e-identifications count when a user signs. The persons in pki/person-NUMBER.pem have one.
e_identification_anchors = ["pki/e-identification-ca.pem"]
# In trials the same signature may come again with another request. In production it counts once.
signatures_once = false

# Who may sign for which company. Instead of a file, "url" names a system that is asked over HTTP.
[far.companies]
file = "data/{COMPANIES_FILE}"

# Age, death, protected identity and changed numbers.
[far.persons]
file = "data/{PERSONS_FILE}"

# {DISPATCHER.name}, listed for {KOMMUN_A.name} and {KOMMUN_B.name}.
[dispatcher]
organisation = "{DISPATCHER.number}"
certificate = "pki/{DISPATCHER.number}.pem"
key = "pki/{DISPATCHER.number}.key"
database = "data/dispatcher.sqlite3"
[dispatcher.policy]
# How long a delivery is tried before it has failed, in seconds.
give_up_after = 86400

# The mailbox operators. The second one's service is at {OPERATOR_TWO.path}/Service/v3.
{operators}
# Those for whom `mm-soap send` signs.
{senders}"""


_TEST_IDP: Final = """\
# Stands in for e-identification at /test-idp: anybody signs in as anybody. Production refuses it.
[test_idp]
"""

_TLS: Final = """\
# TLS, with certificates on both sides. Who calls is known by the client certificate: curl --cert pki/NUMBER.pem
# --key pki/NUMBER.key --cacert pki/ca.pem https://127.0.0.1:8080/Recipient/v3?wsdl
[tls]
certificate = "pki/server.pem"
key = "pki/server.key"
client_anchors = ["pki/ca.pem"]
server_anchors = ["pki/ca.pem"]

"""


def _sender_text(sender: DemoOrganisation) -> str:
    return f"""\
[[sender]]
organisation = "{sender.number}"
name = "{sender.name}"
certificate = "pki/{sender.number}.pem"
key = "pki/{sender.number}.key"
"""


def _operator_text(number: int, operator: DemoOperator) -> str:
    return f"""\
[[operator]]
organisation = "{operator.number}"
name = "{operator.name}"
certificate = "pki/{operator.number}.pem"
key = "pki/{operator.number}.key"
database = "data/operator-{number}.sqlite3"
path = "{operator.path}"
# The inbox that recipients use in a browser: {operator.path}/Inbox. They sign in at [test_idp].
[operator.web]
"""


def _claim(file: Path) -> None:
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        raise ConfigurationError(f"{file} is there already: choose another folder, or remove it first.") from None


def _write_pki(folder: Path, clock: Clock, *, tls: bool) -> None:
    pki = TestPki(clock, new_keys=True)
    for number, name in DEMO_WORLD.organisations.items():
        pki.organisation(number, name)
    pki.write(folder)
    if tls:
        pki.write_server(folder, ("127.0.0.1", "localhost", "::1"))
    issuer = EIdentificationIssuer(clock, pki)
    signers = {UNKNOWN: "Tolvan Demo", **{person.number: person.name for person in PERSONS}}
    issuer.write(folder, [issuer.person(number, name, elliptic=SECP256R1()) for number, name in signers.items()])
