"""A production installation: a register, a dispatcher and an operator, each with its own process, settings and keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_soap.bootstrap import databases, mailbox_services
from mm_soap.clock import system_clock
from mm_soap.config import load
from mm_soap.demonstration import DISPATCHER, KOMMUN_A, KOMMUN_B, OPERATOR_ONE, RECIPIENT, DemoOrganisation
from mm_soap.far import Account, Dispatcher, Operator, Register, Sender
from mm_soap.testing import StatusServer, TestPki
from mm_soap.testing.certificates import pem
from mm_soap.testing.revocation import RevocationAuthority
from tests.e2e.suite import Server

NAME = "A private authority"
OTHER_DISPATCHER = DemoOrganisation("165599999942", "En annan förmedlare")
STRANGER = DemoOrganisation("165599999959", "Ingen part")
ORGANISATIONS = (KOMMUN_A, KOMMUN_B, DISPATCHER, OTHER_DISPATCHER, OPERATOR_ONE, STRANGER)


@dataclass
class Production:
    """The folder, what certifies all in it, and the three servers by the party's name."""

    folder: Path
    pki: TestPki
    servers: Mapping[str, Server]

    @property
    def sender_config(self) -> Path:
        return self.folder / "sender.toml"

    def credentials(self, organisation: DemoOrganisation) -> tuple[str, str]:
        pki = self.folder / "pki"
        return str(pki / f"{organisation.number}.pem"), str(pki / f"{organisation.number}.key")

    def write(self, name: str, *tables: str) -> Path:
        file = self.folder / f"{name}.toml"
        file.write_text("\n".join(tables), encoding="utf-8")
        return file

    def fill(self) -> None:
        """Register everybody, and open the recipient's mailbox."""
        database = databases(load(self.folder / "far.toml"))["far"]
        register = Register(database)
        address = f"{self.servers['operator'].url}/Service/v3"
        register.add_operator(Operator(OPERATOR_ONE.number, OPERATOR_ONE.name, address, address))
        for sender in (KOMMUN_A, KOMMUN_B):
            register.add_sender(Sender(sender.number, sender.name))
        register.add_dispatcher(Dispatcher(DISPATCHER.number, DISPATCHER.name, (KOMMUN_A.number,)))
        register.add_dispatcher(Dispatcher(OTHER_DISPATCHER.number, OTHER_DISPATCHER.name, (KOMMUN_B.number,)))
        register.add_account(Account(RECIPIENT, OPERATOR_ONE.number))
        database.dispose()
        (mailboxes,) = mailbox_services(load(self.folder / "operator.toml"))
        mailboxes.open_mailbox(RECIPIENT)
        mailboxes.database.dispose()

    def mailbox(self) -> list[str]:
        """The ids of the messages in the recipient's mailbox."""
        (mailboxes,) = mailbox_services(load(self.folder / "operator.toml"))
        found = [each.message_id for each in mailboxes.list_messages(RECIPIENT)]
        mailboxes.database.dispose()
        return found


def top(**values: object) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())


def table(header: str, /, **values: object) -> str:
    return f"{header}\n{top(**values)}"


def tls(party: str, **more: Any) -> str:
    values = {
        "certificate": f"{party}/server.pem",
        "key": f"{party}/server.key",
        "client_anchors": ["pki/ca.pem"],
        "server_anchors": ["pki/ca.pem"],
    }
    return table("[tls]", **(values | more))


def party(organisation: DemoOrganisation, **more: object) -> dict[str, object]:
    number = organisation.number
    return {"organisation": number, "certificate": f"pki/{number}.pem", "key": f"pki/{number}.key", **more}


TRUST = table("[trust]", anchors=["pki/ca.pem"])


def lists_of(folder: Path, pki: TestPki) -> str:
    """Write an empty list of each authority into files, and return the settings that name them."""
    tables = []
    for name, authority in (("root", pki.root), ("issuing", pki.issuing)):
        (folder / f"{name}.pem").write_bytes(pem([authority.certificate]))
        (folder / f"{name}.crl").write_bytes(RevocationAuthority(authority, system_clock).crl())
        values = {"certificate": f"pki/{name}.pem", "crl_files": [f"pki/{name}.crl"]}
        tables.append(table("[[revocation.issuer]]", **values))
    return "\n".join(tables)


def make(folder: Path, status: StatusServer | None = None, **revocation: object) -> Production:
    """Write certificates and settings; nothing is filled or served yet.

    Revocation is told by lists in files, or by ``status``, at whose addresses the certificates then point.
    """
    pki = TestPki(system_clock, name=NAME, crl_url=status.url if status else "")
    for organisation in ORGANISATIONS:
        pki.organisation(organisation.number, organisation.name)
    pki.write(folder / "pki")
    lists = lists_of(folder / "pki", pki)
    if status is not None:
        status.add(pki.root, pki.issuing)
        lists = table("[revocation]", hosts=[status.host], **revocation)
    names = ("far", "dispatcher", "operator")
    servers = {name: Server(folder / f"{name}.toml") for name in names}
    made = Production(folder, pki, servers)
    for number, name in enumerate(names):
        # Keys of elliptic curves are good for TLS; signatures want RSA.
        pki.write_server(folder / name, ("127.0.0.1", f"{name}.example"), elliptic=number == 0)
    far_url, dispatcher_url = (f"https://127.0.0.1:{servers[name].port}" for name in ("far", "dispatcher"))
    made.write("far", tls("far"), lists, table("[far]", database="data/far.sqlite3"))
    own = party(DISPATCHER, register_url=far_url, party_cache=1)
    policy = table("[dispatcher.policy]", retry_first=0.2, retry_longest=1, pause_first=0.5)
    made.write("dispatcher", tls("dispatcher"), TRUST, lists, table("[dispatcher]", **own), policy)
    own = party(OPERATOR_ONE, name=OPERATOR_ONE.name, database="data/operator.sqlite3", register_url=far_url)
    made.write("operator", tls("operator"), TRUST, lists, table("[[operator]]", **own))
    own = party(KOMMUN_A, name=KOMMUN_A.name, dispatcher_url=dispatcher_url, register_url=far_url)
    made.write("sender", table("[tls]", server_anchors=["pki/ca.pem"]), TRUST, lists, table("[[sender]]", **own))
    return made


@contextmanager
def served(production: Production) -> Iterator[Production]:
    """All three parties, until the end."""
    try:
        for server in production.servers.values():
            server.begin()
        for server in production.servers.values():
            server.wait()
        yield production
    finally:
        for server in production.servers.values():
            server.leave()
