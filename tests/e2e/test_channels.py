"""What no mailbox takes, from outside: a mail server, an SMS gateway and a print supplier at the other ends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from mm_soap.demonstration import KOMMUN_A, KOMMUN_B, RECIPIENT, RECIPIENT_WITHOUT_B, UNKNOWN, DemoOrganisation
from mm_soap.message import NOT_SENSITIVE, Message
from tests.e2e.fake_operator import FakeOperator, Numbers, replies, result, serving
from tests.e2e.suite import (
    Demonstration,
    Fault,
    Server,
    a_message,
    distribute,
    final_status,
    letter,
    mm_soap,
    person,
    status,
    until,
)
from tests.unit.channels.servers import Gateway, MailServer, Supplier, mail_server, sms_gateway

PASSWORD = "hemligt"


@dataclass
class World:
    """A demonstration whose senders have channels, and what stands at the other ends."""

    demonstration: Demonstration
    mail: MailServer
    gateway: Gateway
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def supplier(self) -> Supplier:
        return Supplier(self.demonstration.folder / "print")

    def know(self, recipient: str, **details: Any) -> str:
        """Write a recipient into the contacts, and return it."""
        self.contacts[recipient] = {"recipient": recipient, **details}
        beside = self.demonstration.folder / "contacts.tmp"
        beside.write_text(json.dumps({"contacts": list(self.contacts.values())}), encoding="utf-8")
        beside.replace(self.demonstration.folder / "contacts.json")
        return recipient

    def configure(self, **more: Any) -> None:
        folder = self.demonstration.folder
        (folder / "password").write_text(f"{PASSWORD}\n")
        self.demonstration.change("dispatcher.policy", retry_first=0.1, retry_longest=0.5)
        for recipient in (RECIPIENT, UNKNOWN):
            self.know(recipient)
        plans = "".join(
            f"""
[[dispatcher.channels]]
sender = "{sender.number}"
contacts = "contacts.json"
email_from = "post@kommun.example"
sms_from = "KommunA"
return_address = ["Box 1", "123 45 Småstad"]
{"".join(f"{key} = {json.dumps(value)}" for key, value in more.items())}
"""
            for sender in (KOMMUN_A, KOMMUN_B)
        )
        tables = f"""
[dispatcher.email]
host = "127.0.0.1"
port = {self.mail.port}
security = "none"
[dispatcher.sms]
url = "{self.gateway.url}"
user = "u1234"
password_file = "password"
[dispatcher.print]
folder = "print"
"""
        config = self.demonstration.config
        config.write_text(config.read_text() + plans + tables)

    def send(self, url: str, recipient: str, *messages: Message, sender: DemoOrganisation = KOMMUN_A) -> str:
        return distribute(url, self.demonstration.signed(letter(recipient, *messages, sender=sender)))

    def steps(self, distribution: str) -> list[tuple[str, str]]:
        return [(each["kind"], each["outcome"]) for each in self.demonstration.trace(distribution)]

    def the_job(self, distribution: str) -> Path:
        until(lambda: distribution in {job.name for job in self.supplier.jobs()}, 20, "the print job")
        return self.supplier.folder / "jobs" / distribution


def open_message(subject: str = "Tid hos oss", **more: Any) -> Message:
    return a_message(subject, metadata=[NOT_SENSITIVE], **more)


@pytest.fixture
def world(fresh: Demonstration) -> Iterator[World]:
    with mail_server() as mail, sms_gateway() as gateway:
        made = World(fresh, mail, gateway)
        made.configure()
        yield made
        fresh.stop()  # before the servers, or the dispatcher waits for them


@pytest.fixture
def server(world: World) -> Server:
    return world.demonstration.serve()


ADDRESS = ["Storgatan 1", "123 45 Småstad"]


def test_each_message_takes_the_way_it_may(world: World, server: Server) -> None:
    url = server.url
    by_email = world.know(person(1), name="Šejla Nguyễn", email="sejla@example.org", mobile="+46701740605")
    by_sms = world.know(person(2), mobile="+46701740606")
    on_paper = world.know(person(3), name="Łukasz Ö", email="l@example.org", address=ADDRESS)
    world.know(RECIPIENT_WITHOUT_B, name="Berit Demo", address=ADDRESS)

    mailbox = world.send(url, RECIPIENT, open_message())
    email = world.send(url, by_email, open_message())
    sms = world.send(url, by_sms, open_message("Tid", text="Välkommen på tisdag."))
    sensitive = world.send(url, on_paper, a_message("Beslut om bistånd", text="Hemligt."))
    deselected = world.send(url, RECIPIENT_WITHOUT_B, a_message(), sender=KOMMUN_B)
    nowhere = world.send(url, UNKNOWN, a_message())
    stranger = world.send(url, person(4), open_message())

    assert final_status(url, mailbox) == ("Digital", "Delivered")
    assert final_status(url, email) == ("Digital", "Delivered")
    assert final_status(url, sms) == ("Digital", "Delivered")
    assert final_status(url, nowhere) == ("Not", "DeliveryFailed")
    assert final_status(url, stranger) == ("Not", "DeliveryFailed")
    for distribution, sender in ((sensitive, KOMMUN_A), (deselected, KOMMUN_B)):
        job = world.the_job(distribution)
        assert status(url, distribution, sender) == ("Paper", "Pending")
        manifest = world.supplier.manifest(job)
        assert manifest["sender"] == sender.number
        world.supplier.acknowledge(job.name, reference="T-1")
        assert final_status(url, distribution, sender) == ("Paper", "Delivered")
        until(lambda job=job: not job.exists(), 10, "the end of the job")  # type: ignore[misc]

    (mail,) = world.mail.emails()
    assert (mail["To"], mail["Message-ID"]) == (
        "Šejla Nguyễn <sejla@example.org>",
        f"<{email}.1@kommun.example>",
    )
    (text,) = world.gateway.texts
    assert text == {"from": "KommunA", "to": "+46701740606", "message": "Tid\nVälkommen på tisdag."}
    assert [each.subject for each in world.demonstration.mailbox()] == ["Tid hos oss"]

    assert world.steps(email)[1:] == [("look-up", "switching"), ("channel", "email"), ("email", "sent")]
    assert world.steps(sensitive)[1:] == [
        ("look-up", "switching"),
        ("channel", "print"),
        ("print", "handed over"),
        ("print", "printed"),
    ]
    (last,) = world.demonstration.trace(nowhere)[-1:]
    assert last["detail"]["reason"] == (
        "The recipient has no mailbox in the register. It could not go by email: the message is sensitive. It could "
        "not go by sms: the message is sensitive. It could not go by print: no postal address is known."
    )
    _told_to_people(world, server, sensitive, nowhere)
    output = server.output()
    for private in ("sejla", "4670174", "Storgatan", "Łukasz", PASSWORD, on_paper, UNKNOWN):
        assert private not in output


def _told_to_people(world: World, server: Server, printed: str, nowhere: str) -> None:
    config, port = world.demonstration.config, str(server.port)
    trace = mm_soap("trace", nowhere, "--config", config)
    assert "the message is sensitive" in " ".join(trace.stdout.split())
    shown = mm_soap("status", printed, "--config", config, MM_SOAP_PORT=port)
    assert [word for word in ("Paper", "Delivered", "print", "done") if word not in shown.stdout] == []
    told = mm_soap("status", printed, "--config", config, "--json", MM_SOAP_PORT=port)
    found = json.loads(told.stdout)
    assert [(each["channel"], each["step"]) for each in found["channels"]] == [("mailbox", "failed"), ("print", "done")]
    books = json.loads(mm_soap("report", "--config", config, "--json").stdout)
    assert {(each["sender"], each["channel"], each["state"]): each["number"] for each in books} == {
        (KOMMUN_A.number, "mailbox", "delivered"): 1,
        (KOMMUN_A.number, "email", "sent"): 1,
        (KOMMUN_A.number, "sms", "sent"): 1,
        (KOMMUN_A.number, "print", "printed"): 1,
        (KOMMUN_A.number, "none", "no_channel"): 2,
        (KOMMUN_B.number, "print", "printed"): 1,
    }
    assert "no_channel" in mm_soap("report", "--config", config, "--since", "2020-01-01").stdout


def test_what_the_operator_does_not_take_goes_another_way(world: World, server: Server) -> None:
    operator = FakeOperator(replies(lambda body: result(body, delivered="false")))
    with serving(operator) as address:
        (recipient,) = Numbers(operators=80, persons=500).register(world.demonstration, address, 1)
        world.know(recipient, email="a@example.org")
        distribution = world.send(server.url, recipient, open_message())
        assert final_status(server.url, distribution) == ("Digital", "Delivered")
    assert len(world.mail.taken) == 1
    assert world.steps(distribution)[2:] == [("hand-over", "switched"), ("channel", "email"), ("email", "sent")]


def test_a_refused_address_takes_the_next_channel_and_a_busy_server_is_tried_again(
    world: World, server: Server
) -> None:
    world.mail.refused["gone@example.org"] = "550 no such user"
    world.mail.answers += ["451 later", "451 later"]
    refused = world.know(person(1), name="A", email="gone@example.org", mobile="+46701740605", address=ADDRESS)
    busy = world.know(person(2), email="b@example.org")
    first, second = (world.send(server.url, each, open_message()) for each in (refused, busy))
    assert final_status(server.url, first) == ("Digital", "Delivered")
    assert final_status(server.url, second) == ("Digital", "Delivered")
    assert len(world.gateway.texts) == 1
    assert world.steps(first)[2:] == [
        ("channel", "email"),
        ("email", "failed"),
        ("channel", "sms"),
        ("sms", "sent"),
    ]
    assert [outcome for kind, outcome in world.steps(second) if kind == "email"] == ["retry", "retry", "sent"]


def test_what_the_supplier_refuses_has_failed_with_its_reason(world: World, server: Server) -> None:
    recipient = world.know(person(1), name="A Ö", address=ADDRESS)
    distribution = world.send(server.url, recipient, a_message("Beslut", text="Rad ett\nRad två"))
    job = world.the_job(distribution)
    pdf = "".join(page.extract_text() for page in PdfReader(BytesIO((job / "letter.pdf").read_bytes())).pages)
    for wanted in ("A Ö", "Storgatan 1", "Kommun A", "Box 1", "Beslut", "Rad två", "1 (1)"):
        assert wanted in pdf
    world.supplier.acknowledge(job.name, "refused", reason="address")
    assert final_status(server.url, distribution) == ("Paper", "DeliveryFailed")
    told = [each["detail"]["reason"] for each in world.demonstration.trace(distribution)[-2:]]
    assert told[0] == "The print supplier refused the letter: it cannot deliver to the address."
    assert told[1].startswith("The recipient has no mailbox in the register. It did not go by print.")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_between_any_two_steps_nothing_is_lost_and_nothing_is_printed_twice(
    world: World, server: Server
) -> None:
    """Jobs are acknowledged while the dispatcher is killed; what was e-mailed again has the same Message-ID."""
    number = 16
    for n in range(number):
        world.know(person(n), name="A", email=f"r{n}@example.org", address=ADDRESS)
    sent = {
        person(n): world.send(server.url, person(n), open_message() if n % 2 else a_message()) for n in range(number)
    }
    printed: Counter[str] = Counter()

    def print_what_is_there() -> None:
        """A supplier prints each job folder that it has not acknowledged, and says so."""
        for job in world.supplier.jobs():
            answered = world.supplier.folder / "acknowledgements" / f"{job.name}.json"
            if not answered.exists() and (job / "manifest.json").exists():
                inode = (job / "letter.pdf").stat().st_ino
                printed[f"{job.name} {inode}"] = 1
                world.supplier.acknowledge(job.name)

    def progress() -> tuple[int, frozenset[str], int]:
        return len(world.mail.taken), frozenset(job.name for job in world.supplier.jobs()), len(printed)

    deliverers = world.demonstration.servers  # with workers, the engine is in a process of its own
    before: object = None
    for _ in range(4):
        until(lambda before=before: progress() != before or len(printed) == number // 2, 20, "a step", pause=0.002)  # type: ignore[misc]
        for each in deliverers:
            each.kill()
        print_what_is_there()
        before = progress()
        for each in deliverers:
            each.start()
    open_ = set(sent.values())

    def ended() -> bool:
        print_what_is_there()
        for distribution in list(open_):
            try:
                if status(server.url, distribution)[1] == "Delivered":
                    open_.remove(distribution)
            except Fault as fault:
                assert fault.code == 5004, fault  # noqa: PT017
        return not open_

    until(ended, 60, "the end of each message", pause=0.1)
    assert Counter(each.split()[0] for each in printed) == Counter({sent[person(n)]: 1 for n in range(0, number, 2)})
    ids = Counter(mail["Message-ID"] for mail in world.mail.emails())
    assert set(ids) == {f"<{sent[person(n)]}.1@kommun.example>" for n in range(1, number, 2)}
