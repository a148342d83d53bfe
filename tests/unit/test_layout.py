"""The layout of the code: what may import what, who parses, what is public, and how long things are."""

from __future__ import annotations

import ast
import configparser
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
FILES = sorted((SOURCE / "mm_soap").rglob("*.py"))
PARTIES = ("dispatcher", "far", "recipient", "service_supplier")

MAY_IMPORT = {
    "model": set(),
    # Values and rules of the engine that know nothing of threads and databases.
    "policy": set(),
    "breaker": {"policy"},
    "lanes": {"model", "policy", "breaker"},
    # Tables and their statements: all of them are the store.
    "account_tables": set(),
    "audit": set(),
    "documents": {"tables"},
    "store": {"model", "account_tables", "audit", "tables", "documents", "contacts", "reaching"},
    "turns": {"tables"},
    "waiting": {"model", "tables", "policy", "breaker", "turns"},
    "claims": {"model", "policy", "tables", "turns"},
    "sender_limits": {"policy", "store"},
    "parties": {"model", "store", "account_tables"},
    "staging": set(),
    "checking": {"model", "staging"},
    "wire": {"model"},
    "account_wire": {"model", "wire"},
    # What is called so often that it is written close to the bytes: service, store and wire of one operation.
    "hot_query": set(),
    "hot": {"wire", "hot_query"},
    "notices": {"model"},
    "contacts": set(),
    "reaching": {"contacts", "tables"},
    "outgoing": {"contacts", "notices", "reaching", "tables"},
    "many": {"model", "contacts", "tables", "searching", "contents", "reaching"},
    "post_words": {"contacts", "notices"},
    "post_notices": {"model", "contacts", "notices", "tables", "many", "outgoing", "post_words", "reaching"},
    "returns": {"reaching", "tables"},
    # A recipient's mailbox.
    "blobs": set(),
    "blobs_s3": {"blobs"},
    "searching": {"model", "places", "tables"},
    "contents": {"blobs", "searching", "tables"},
    "places": {"model", "tables"},
    "deleting": {"model", "searching", "tables"},
    "cases": set(),
    "case_store": {"model", "cases", "tables"},
    "case_backfill": {"model", "case_store", "tables"},
    "sign_ins": {"tables"},
    "retention": {
        *("model", "places", "searching", "deleting", "case_backfill", "sign_ins", "tables", "post_notices"),
    },
    "arranging": {"model", "places", "searching", "contents", "deleting"},
    "inbox": {"model", "places", "searching", "contents", "arranging", "cases", "case_store"},
    "takeout": {"model", "store", "inbox"},
    "outbox": {"model", "notices", "outgoing", "post_notices", "reaching"},
    # Use cases.
    "signers": set(),
    "mailboxes": {"model", "contacts", "store", "notices", "post_notices", "reaching"},
    "membership": {"model", "mailboxes"},
    "service": {
        *("model", "documents", "store", "sender_limits", "parts", "many", "places", "contents"),
        *("case_store", "signers", "mailboxes", "notices", "post_notices"),
    },
    "callers": {"model", "store"},
    "administration": {"model", "parties", "audit"},
    "bulk_rows": {"store", "account_tables", "staging"},
    "bulk": {"model", "store", "account_tables", "audit", "staging", "checking", "bulk_rows"},
    "register_files": {"audit", "bulk"},
    "export": {"model", "store", "audit"},
    "tables": {"model"},
    "parts": {"model", "documents", "tables"},
    "splitting": {"model", "wire"},
    "addressing": {"model", "policy", "documents", "store", "parts", "splitting"},
    "readdressing": {"model", "addressing"},
    "handover": {"model", "policy", "store", "wire"},
    "holding": set(),
    "pacing": set(),
    "outcomes": {"model", "store", "parts"},
    "forgetting": {"tables"},
    "carrier": {"model", "documents", "store", "waiting", "handover", "lanes", "outcomes", "pacing"},
    # The channel switch: other ways where no mailbox takes a delivery.
    "channel_plan": {"model"},
    "channel_store": {"model", "store"},
    "channel_books": {"model", "store", "channel_store"},
    "channel_letters": {"documents", "channel_plan"},
    "channel_sending": {"model", "policy", "store", "channel_store", "channel_letters"},
    "channel_switch": {
        *("model", "policy", "store"),
        *("channel_store", "channel_plan", "channel_letters", "channel_sending"),
    },
    "engine": {
        *("model", "store", "waiting", "addressing", "readdressing", "handover", "holding", "carrier", "outcomes"),
        "channel_switch",
    },
    # The scaled-out engine: the same steps as tasks, and what one worker does for all.
    "leases": {"claims"},
    "steps": {
        *("model", "breaker", "documents", "store", "claims", "leases", "waiting"),
        *("addressing", "readdressing", "handover", "outcomes", "pacing"),
    },
    "stand_in": {"steps"},
    "sweeping": {"model", "store", "claims", "waiting", "steps", "holding", "channel_switch"},
    "notifying": {"model", "contacts", "store", "many", "outgoing", "outbox", "contents"},
    "forwarding": {"model", "store", "many", "signers", "contents", "notices", "post_notices"},
    "endpoint": {"model", "service", "notifying", "forwarding", "callers", "wire", "account_wire", "hot"},
}
"""What each room of a party may import of the same party. A new room gets its place here."""

INNER_ROOMS = {
    "accounts": {
        "model": set(),
        "answers": {"model"},
        "states": {"model"},
        "signing": {"model", "answers"},
        "store": {"model"},
        "ending": {"model", "store"},
        "requests": {"model", "answers", "states", "signing", "store", "ending"},
        "service": {"model", "answers", "states", "signing", "store", "ending", "requests"},
    },
    "rights": {
        "model": set(),
        "store": {"model"},
        "service": {"model", "store"},
        "signatures": {"model"},
    },
}
"""The register's packages within the package, and what each of their rooms may import of the same one."""

INNER_MAY_USE = {
    "accounts": {"model", "store", "account_tables", "audit", "callers"},
    "rights": {"model", "store", "accounts"},
}
"""What those packages may use of the register around them. Rights stand over accounts, never the other way."""

OTHER_PARTIES = {("recipient", "far")}
"""Which party may import which. The Recipient service stands over the register."""

_INBOX_PAGES = (
    *("application", "cases", "entrance", "export", "forward", "messages", "preferences", "provider", "sessions"),
    *("signing", "waiting"),
)
LONGEST_FILE = 300
LONGEST_FUNCTION = 60

XML_PARSERS = {"fromstring", "fromstringlist", "parse", "XML", "XMLID", "HTML", "iterparse", "XMLParser", "HTMLParser"}
"""What of lxml.etree turns bytes into a tree."""


def name_of(file: Path) -> str:
    return str(file.relative_to(SOURCE))


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(file: Path) -> tuple[str, ...]:
    """Return each module, and each name in a module, that a file imports, wherever it does."""
    return tuple(_imports(file))


def _imports(file: Path) -> Iterator[str]:
    package = module_of(file).split(".")
    if file.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def party_files() -> list[Path]:
    return [
        file
        for party in PARTIES
        for file in sorted((SOURCE / "mm_soap" / party).glob("*.py"))
        if file.name != "__init__.py"
    ]


def inner_files() -> list[Path]:
    return [
        file
        for package in INNER_ROOMS
        for file in sorted((SOURCE / "mm_soap/far" / package).glob("*.py"))
        if file.name != "__init__.py"
    ]


def importers(pattern: str) -> set[str]:
    return {name_of(file) for file in FILES if any(re.match(pattern, one) for one in imports(file))}


@pytest.mark.parametrize("file", party_files(), ids=name_of)
def test_imports_within_a_party_point_one_way(file: Path) -> None:
    party = file.parent.name
    assert file.stem in MAY_IMPORT, "give the room its place in MAY_IMPORT"
    rooms = {one.name.removesuffix(".py") for one in file.parent.glob("*.py")} - {"__init__"}
    used = {room for room in rooms if f"mm_soap.{party}.{room}" in set(imports(file))}
    assert used <= MAY_IMPORT[file.stem]


@pytest.mark.parametrize("file", inner_files(), ids=name_of)
def test_imports_within_the_packages_of_the_register_point_one_way(file: Path) -> None:
    package = file.parent.name
    found = set(imports(file))
    assert file.stem in INNER_ROOMS[package], "give the room its place in INNER_ROOMS"
    used = {room for room in INNER_ROOMS[package] if f"mm_soap.far.{package}.{room}" in found}
    assert used <= INNER_ROOMS[package][file.stem]
    around = {path.stem for path in (SOURCE / "mm_soap/far").iterdir()} - {"__init__", package}
    outside = {one.split(".")[2] for one in found if re.match(r"mm_soap\.far\.", one)} & around
    assert outside <= INNER_MAY_USE[package]


@pytest.mark.parametrize("file", [file for file in FILES if file.stem.endswith("wire")], ids=name_of)
def test_wires_take_from_the_register_what_its_models_hold(file: Path) -> None:
    # And its answers, which are made of several models.
    # By another package's __all__, where the module that is imported does not say it.
    names = [one.rsplit(".", 1) for one in imports(file) if re.match(r"mm_soap\.far\.(.*\.)?[A-Z]\w*$", one)]
    homes = {getattr(getattr(importlib.import_module(module), name), "__module__", module) for module, name in names}
    of_the_register = {home for home in homes if home.startswith("mm_soap.far")}
    assert {home for home in of_the_register if not home.endswith((".model", ".answers"))} == set()


@pytest.mark.parametrize("file", [*party_files(), *inner_files()], ids=name_of)
def test_parties_know_nothing_of_each_other(file: Path) -> None:
    own = file.relative_to(SOURCE / "mm_soap").parts[0]
    others = {party for party in PARTIES if party != own and (own, party) not in OTHER_PARTIES}
    used = {one.split(".")[1] for one in imports(file) if one.startswith("mm_soap.")}
    assert used & (others | {"cli", "bootstrap", "config", "demonstration", "testing"}) == set()


@pytest.mark.parametrize("file", [file for file in FILES if file.name == "model.py"], ids=name_of)
def test_models_import_the_standard_library_alone(file: Path) -> None:
    if file.parent.name not in (*PARTIES, *INNER_ROOMS, "message"):
        return
    foreign = {one for one in imports(file) if one.split(".")[0] not in sys.stdlib_module_names}
    assert foreign == set()


def test_imports_between_the_modules_outside_the_packages_point_one_way() -> None:
    modules = {module_of(file): file for file in (SOURCE / "mm_soap").glob("*.py") if file.name != "__init__.py"}
    used = {module: set(imports(file)) & modules.keys() for module, file in modules.items()}
    assert list(TopologicalSorter(used).static_order())  # a circle raises CycleError, which names it


def test_spyne_is_imported_in_the_shell_alone() -> None:
    assert importers(r"spyne\b") == {"mm_soap/soap/_spyne.py"}


def test_each_outer_library_has_its_place() -> None:
    places = {
        r"gunicorn\b": {
            "mm_soap/soap/arrival.py",
            "mm_soap/soap/connections.py",
            "mm_soap/soap/server.py",
            "mm_soap/soap/server_log.py",
            "mm_soap/soap/worker.py",
        },
        # The SOAP client, the clients of a company register, of issuers' lists and responders and of an SMS gateway,
        # the conformance kit, which sends what the SOAP client never would, and the command that asks a test bed for a
        # certificate.
        r"urllib3\b": {
            "mm_soap/soap/client.py",
            "mm_soap/companies/http.py",
            "mm_soap/revocation/fetching.py",
            "mm_soap/conformance/carrying.py",
            "mm_soap/channels/elks.py",
            "mm_soap/testbed/client.py",
        },
        # Everything that knows RabbitMQ.
        r"(celery|kombu|amqp)\b": {"mm_soap/wake_ups.py"},
        r"obstore\b": {"mm_soap/service_supplier/blobs_s3.py"},
        r"smtplib\b": {"mm_soap/channels/smtp.py"},
        r"typst\b": {"mm_soap/channels/typeset.py"},
        r"pkcs11\b": {"mm_soap/pki/tokens.py"},
        r"pyhanko\b": {"mm_soap/user_signatures/cms_signature.py"},
        r"pyhanko_certvalidator\b": {"mm_soap/pki/paths.py", "mm_soap/revocation/ocsp.py"},
        r"jinja2\b": {
            "mm_soap/conformance/reports.py",
            "mm_soap/service_supplier/post_words.py",
            "mm_soap/service_supplier/takeout.py",
        },
        # Web pages, and who signs in to them.
        r"(flask|flask_wtf|werkzeug)\b": {
            "mm_soap/web/application.py",
            "mm_soap/web/shell.py",
            "mm_soap/web/test_idp.py",
            "mm_soap/web/testbed.py",
            *(f"mm_soap/web/inbox/{name}.py" for name in _INBOX_PAGES),
        },
        r"(authlib|joserfc|requests|itsdangerous)\b": {"mm_soap/web/inbox/provider.py", "mm_soap/web/test_idp.py"},
        r"nh3\b": {"mm_soap/web/inbox/safe_html.py"},
        r"xmlschema\b": {"mm_soap/contract/explanation.py"},
        r"selectolax\b": {
            "mm_soap/message/html.py",
            "mm_soap/message/html_tree.py",
            "mm_soap/message/html_blocks.py",
        },
    }
    assert {library: importers(library) for library in places} == places


def test_what_goes_past_the_schema_is_made_in_one_place() -> None:
    pattern = r"mm_soap\.soap\.model\.(ProvenAnswer|Shortened)$"
    assert importers(pattern) == {"mm_soap/recipient/hot.py", "mm_soap/soap/shell.py"}


def test_nothing_that_serves_or_verifies_asks_for_a_diagnosis() -> None:
    # It guesses, and a guess must never decide.
    allowed = ("mm_soap/cli/", "mm_soap/conformance/", "mm_soap/dsig/diagnosis/")
    assert [name for name in importers(r"mm_soap\.dsig\.diagnosis\b") if not name.startswith(allowed)] == []


def test_foreign_xml_is_parsed_in_one_place() -> None:
    # contract/ parses its own schema files; selectolax, for HTML bodies, is held by the test above.
    found = set()
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "etree"
            if named and node.attr in XML_PARSERS:
                found.add(name_of(file))
    own_files = {name for name in found if name.startswith("mm_soap/contract/")}
    assert found - own_files == {"mm_soap/xml.py"}
    assert importers(r"(lxml\.(html|objectify)|xml\.(etree|dom|sax\.(?!saxutils)))\b") == set()
    # By another name these would be missed above.
    assert importers(rf"lxml\.etree\.({'|'.join(XML_PARSERS)})$") == set()


@pytest.mark.parametrize("package", [file.parent for file in FILES if file.name == "__init__.py"], ids=name_of)
def test_public_names_exist_and_are_documented(package: Path) -> None:
    module = importlib.import_module(module_of(package / "__init__.py"))
    assert (module.__doc__ or "").strip()
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(module, name)] == []
    page = (ROOT / "docs/reference/public-api.md").read_text(encoding="utf-8")
    for name in names:
        value = inspect.unwrap(getattr(module, name)) if callable(getattr(module, name)) else None
        if inspect.isclass(value) or inspect.isfunction(value):
            assert (value.__doc__ or "").strip(), f"{name} has no docstring"
        if package.name not in ("cli", "mm_soap"):
            assert f"| `{name}` |" in page, f"{name} is not in the reference"


def test_the_list_of_packages_is_complete() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = setup["options"]["packages"].split()
    assert sorted(listed) == sorted(module_of(file) for file in FILES if file.name == "__init__.py")
    folders = {file.parent for file in FILES}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_files_and_functions_stay_short(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert [one.name for one in functions if (one.end_lineno or 0) - one.lineno + 1 > LONGEST_FUNCTION] == []


def test_migrations_stand_in_a_row() -> None:
    for party in PARTIES:
        numbers = sorted(file.name[:4] for file in (SOURCE / "mm_soap" / party / "migrations").glob("[0-9]*.py"))
        assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_the_lists_above_name_what_is_there() -> None:
    stems = {file.stem for file in party_files()}
    assert set(MAY_IMPORT) == stems
    assert {f"{file.parent.name}.{file.stem}" for file in inner_files()} == {
        f"{package}.{room}" for package, rooms in INNER_ROOMS.items() for room in rooms
    }
    assert all(first < second for first, second in pairwise(PARTIES))
