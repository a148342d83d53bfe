"""Nothing personal is written where it does not belong: marked messages go every way, and all that is left is searched.

`test_logs` does so for hostile requests at the usual log level. Here every logger tells all it can, errors happen that
nobody expected, commands run, and searched are also metrics, processes, temporary files, and the databases of others.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mm_soap.config import load
from mm_soap.demonstration import KOMMUN_A, OPERATOR_ONE, OPERATOR_TWO, RECIPIENT, RECIPIENT_AT_TWO
from mm_soap.message import Message, SupportInfo
from mm_soap.testing.documents import one_page_pdf
from mm_soap.xml import AUTHORITY, MESSAGE_V3, RECIPIENT_V3
from tests.e2e import telling_server
from tests.e2e.privacy import (
    BODY,
    CONTACT,
    EMAIL,
    FILE,
    MOBILE,
    PHONE,
    SUBJECT,
    TellingServer,
    Watch,
    found_in,
    numbers_in,
    walk_the_inbox,
)
from tests.e2e.suite import (
    COMMAND,
    Demonstration,
    Fault,
    Result,
    Server,
    a_message,
    distribute,
    enveloped,
    final_status,
    get,
    letter,
    mm_soap,
    post,
    until,
)
from tests.integration.register import world
from tests.unit.dsig.samples import distribute as carry_signed

REGISTERED = world.NEW_NUMBER
"""Whose account comes and goes."""


@pytest.fixture
def scene(fresh: Demonstration, tmp_path: Path) -> tuple[Demonstration, TellingServer, Path]:
    """A demonstration with a server that tells all it can, and the folder for its temporary files."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    # What crashes is tried once: else its operator would be left alone for a while, and the rest would wait.
    fresh.change("dispatcher.policy", retry_first=600, retry_longest=900)
    server = TellingServer(fresh.config, environment={"TMPDIR": str(temporary)})
    fresh.servers.append(server)
    server.start()
    return fresh, server, temporary


def send_messages(own: Demonstration, url: str, watch: Watch) -> list[str]:
    """Messages that are delivered, refused, and met by errors at each party."""
    pdf = (f"{FILE}.pdf", "application/pdf", one_page_pdf(SUBJECT, BODY))
    support = SupportInfo(SUBJECT, f"https://example.se/{SUBJECT}", PHONE, EMAIL)
    message = a_message(SUBJECT, BODY, attachments=[pdf], support=support)
    sent = []
    for recipient in (RECIPIENT, RECIPIENT_AT_TWO):
        sent.append(distribute(url, own.signed(letter(recipient, replace(message, id=f"m-{recipient[-4:]}")))))
        final_status(url, sent[-1])
    for word in (telling_server.AT_OPERATOR, telling_server.AT_HAND_OVER):
        crashing = replace(message, subject=f"{SUBJECT} {word}", id=word)
        sent.append(distribute(url, own.signed(letter(RECIPIENT, crashing))))
    crashing = replace(message, subject=f"{SUBJECT} {telling_server.AT_DISPATCHER}")
    wrong = replace(message, language=f"{SUBJECT}{BODY}")
    for each in (crashing, wrong):
        with pytest.raises(Fault) as refused:
            distribute(url, own.signed(letter(RECIPIENT, each)))
        watch.answers.append(repr(refused.value).encode())
    changed = own.signed(letter(RECIPIENT, message)).replace(SUBJECT.encode(), f"{SUBJECT}x".encode())
    with pytest.raises(Fault):
        distribute(url, changed)
    watch.refused(f"{url}/Message/v3", f"<{SUBJECT}>{BODY}".encode())
    watch.refused(f"{url}/Message/v3", BODY.encode(), content_type=f'multipart/related; boundary="{SUBJECT}"')
    watch.refused(f"{url}/Message/v3", enveloped(f'<distributeSecure xmlns="{MESSAGE_V3}">{BODY}</distributeSecure>'))
    watch.refused(f"{url}/Notification/v3", enveloped(f"<x>{SUBJECT}{EMAIL}{PHONE}</x>"))
    for operator in (OPERATOR_ONE, OPERATOR_TWO):
        watch.refused(f"{url}{operator.path}/Service/v3", enveloped(f"<x>{SUBJECT}{EMAIL}</x>"))
    return sent


def ask_the_register(url: str, watch: Watch) -> None:
    """Every operation of the register, asked well and badly."""
    operator = world.Operator(OPERATOR_ONE.number, OPERATOR_ONE.name, "", "")
    two = world.Operator(OPERATOR_TWO.number, OPERATOR_TWO.name, "", "")
    asked = [
        world.register(REGISTERED, operator),
        world.register(REGISTERED, operator, signed_text="another"),
        world.register(f"{REGISTERED[:-1]}x", operator),
        world.preferences(REGISTERED, [KOMMUN_A.number]),
        world.get_preferences(REGISTERED),
        world.get_pending(REGISTERED, REGISTERED),
        world.change(REGISTERED, two),
        world.deregister(REGISTERED, two),
        world.delete_pending(REGISTERED),
        *(
            world.pending(name, REGISTERED, REGISTERED)
            for name in (
                *("getPendingChangeServiceSupplier", "deletePendingChangeServiceSupplier"),
                *("getPendingAccountPreferences", "deletePendingAccountPreferences"),
            )
        ),
        world.authorized_signer(world.TWO_TOGETHER, REGISTERED),
        f'<isReachable xmlns="{RECIPIENT_V3}"><senderOrgNr>{KOMMUN_A.number}</senderOrgNr>'
        f"<recipientId>{REGISTERED}</recipientId></isReachable>",
    ]
    for number in (REGISTERED, f"{REGISTERED}1", telling_server.AT_REGISTER):
        asked.append(f'<isRegistered xmlns="{RECIPIENT_V3}"><recipientId>{number}</recipientId></isRegistered>')
    accepted = 0
    for one in asked:
        status, answer = post(f"{url}/Recipient/v3", enveloped(one))
        accepted += status == 200
        if status != 200:
            watch.answers.append(answer)
    assert accepted >= 6
    for name in ("getUserAccessRights", "isSenderAccepted", "getSenders"):
        argument = f"<arg0>{REGISTERED}</arg0>"
        status, answer = post(f"{url}/Authority", enveloped(f'<a:{name} xmlns:a="{AUTHORITY}">{argument}</a:{name}>'))
        if status != 200:
            watch.answers.append(answer)
    for path in (f"/Recipient/v3/{REGISTERED}", f"/Recipient/v3?recipientId={REGISTERED}", f"/{SUBJECT}?{REGISTERED}"):
        watch.answers.append(get(url + path)[1])


def run_commands(own: Demonstration, server: Server, temporary: Path, sent: Sequence[str]) -> list[Result]:
    """Every command that takes anything personal, well and badly; where its use is to show it, it is not searched."""
    config, folder = own.config, temporary.parent
    text, attachment = folder / "text.txt", folder / f"{FILE}.pdf"
    text.write_text(BODY)
    attachment.write_bytes(one_page_pdf(SUBJECT, BODY))
    environment = {"TMPDIR": str(temporary), "MM_SOAP_PORT": str(server.port)}

    def run(*arguments: object) -> Result:
        result = mm_soap(*arguments, "--config", config, **environment)
        assert "Traceback" not in result.stderr
        return result

    to, letter_of = ("--sender", KOMMUN_A.number, "--recipient"), ("--subject", SUBJECT, "--body", text)
    notice = ("--email-from", EMAIL, "--email", BODY, "--sms", SUBJECT)
    changed = ("--email", CONTACT, "--mobile", MOBILE)
    shown = [
        run("mailbox", "list", RECIPIENT),
        run("mailbox", "contact", RECIPIENT, *changed),
        run("mailbox", "export", RECIPIENT, folder / "box.zip"),
        run("notify", *to, RECIPIENT, *letter_of, *notice, "--wait"),
        run("far", "history", REGISTERED),
        run("evidence", "export", sent[0], folder / "kept.zip"),
    ]
    assert [one.returncode for one in shown] == [0] * len(shown), [one.stderr for one in shown]
    quiet = [
        run("send", *to, RECIPIENT, *letter_of, "--attach", attachment, "--wait"),
        run("send", *to, RECIPIENT, "--subject", SUBJECT * 30, "--body", text),
        run("send", *to, f"{REGISTERED}1", *letter_of),
        run("status", sent[0]),
        run("trace", sent[0]),
        run("trace", REGISTERED),
        run("evidence", "show", sent[0]),
        run("evidence", "show", REGISTERED),
        run("evidence", "verify"),
        run("report"),
        run("mailbox", "show", RECIPIENT, SUBJECT),
        run("mailbox", "contact", RECIPIENT, "--email", f"{CONTACT} "),
        run("mailbox", "list", REGISTERED),
        run("mailbox", "close", REGISTERED),
        run("far", "audit"),
        *send_batches(folder, run),
    ]
    assert [one.returncode for one in quiet[:1]] == [0], quiet[0].stderr
    return [*quiet, *(Result(one.returncode, "", one.stderr) for one in shown)]


def send_batches(folder: Path, run: Callable[..., Result]) -> list[Result]:
    """A batch with everything personal in it, and one whose rows are wrong. What they left is for their owner alone."""
    row = {"recipient": RECIPIENT, "subject": SUBJECT, "body": BODY, "attachments": f"{FILE}.pdf"}
    wrong = ({**row, "recipient": f"{RECIPIENT}1"}, {**row, "attachments": f"{SUBJECT}.pdf"}, {**row, SUBJECT: BODY})
    told = []
    for name, rows in {"good": (row, {**row, "recipient": REGISTERED}), "bad": wrong}.items():
        file = folder / f"{name}.jsonl"
        file.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
        for option in ("--dry-run", "--timeout=30", "--json"):
            told.append(run("send", "--sender", KOMMUN_A.number, "--batch", file, option))
        for each in folder.glob(f"{file.name}.*"):
            assert not each.stat().st_mode & 0o077 or not each.read_bytes(), each
        report = file.with_name(f"{file.name}.report.csv").read_bytes()
        assert found_in(report) == [], report
    assert told[1].returncode == 1, "one has no mailbox"
    return told


def databases(own: Demonstration) -> dict[str, Path]:
    settings = load(own.config)
    assert settings.far is not None
    assert settings.dispatcher is not None
    found = {"far": settings.far.database, "dispatcher": settings.dispatcher.database}
    return {**found, **{one.organisation: one.database for one in settings.operator}}  # type: ignore[dict-item]


def whole(database: Path) -> bytes:
    """The file with what stands beside it."""
    path = Path(database)
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))


def rows(database: Path, table: str) -> bytes:
    with closing(sqlite3.connect(database)) as connection:
        return repr(connection.execute(f"SELECT * FROM {table}").fetchall()).encode()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_personal_is_written_where_it_does_not_belong(
    scene: tuple[Demonstration, TellingServer, Path],
) -> None:
    own, server, temporary = scene
    watch = Watch()
    assert server.process is not None
    before = server.workers()
    sent = send_messages(own, server.url, watch)
    ask_the_register(server.url, watch)
    walk_the_inbox(server.url, watch)
    watch.look_at([server.process.pid, *before])
    results = run_commands(own, server, temporary, sent)
    watch.answers += [get(f"{server.url}{path}")[1] for path in ("/metrics", "/healthz", "/readyz")]
    watch.look_at([server.process.pid, *server.workers()])
    # A worker that a library ends: its stack is shown, and nothing else.
    resource.prlimit(before[0], resource.RLIMIT_CORE, (0, 0))
    os.kill(before[0], signal.SIGSEGV)
    until(lambda: before[0] not in server.workers() and bool(server.workers()), 40, "another worker")
    until(lambda: "Fatal Python error" in server.output(), 20, "the stack of the worker")
    until(lambda: "An attempt ended in ValueError" in server.output(), 20, "the error in the hand-over")
    server.stop()

    written = server.output().encode()
    assert b" DEBUG " in written  # it told all it could
    for crash in (b"ValueError at ", b"because of KeyError", b"operation=isRegistered", b"operation=deliverSecure"):
        assert crash in written
    assert found_in(written) == []
    assert numbers_in(written) == []
    for content in (*watch.answers, *watch.processes):
        assert found_in(content) == [], content
        assert numbers_in(content) == [], content
    for result in results:
        assert found_in((result.stdout + result.stderr).encode()) == [], result
        assert numbers_in((result.stdout + result.stderr).encode()) == [], result
    assert [path for path in temporary.rglob("*") if path.is_file()] == []

    files = databases(own)
    assert found_in(whole(files["far"])) == []
    assert found_in(whole(files["dispatcher"]), (CONTACT, MOBILE)) == []
    # The second operator had one message of its own, and nothing of what came to the first alone.
    assert found_in(whole(files[OPERATOR_TWO.number]), (CONTACT, MOBILE)) == []
    assert found_in(whole(files[OPERATOR_ONE.number]), (SUBJECT,)) == [SUBJECT]  # it is found where it is
    for database in files.values():
        for table in ("event", "evidence_record"):
            content = rows(database, table)
            assert found_in(content) == []
            assert numbers_in(content) == []
    assert numbers_in(rows(files["far"], "audit")) == []


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_the_search_finds_a_marker_however_it_is_written(before: str) -> None:
    text = f"{before}{SUBJECT} and more"
    for written in (text.encode(), b64encode(text.encode()), text.encode("utf-16-le"), text.encode().hex().encode()):
        assert found_in(b"..." + written) == [SUBJECT]
    assert found_in(before.encode()) == []
    assert numbers_in(f"who={RECIPIENT}, {before}".encode()) == [RECIPIENT.encode()]


def test_a_command_does_not_show_what_it_was_given(tmp_path: Path) -> None:
    # It waits for its settings, which nobody writes: so it can be looked at while it runs.
    settings = tmp_path / "mm-soap.toml"
    os.mkfifo(settings)
    command = [*COMMAND, "mailbox", "list", RECIPIENT, "--config", str(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            # Opening it for writing waits until the command reads.
            with settings.open("wb"):
                shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                named = Path(f"/proc/{process.pid}/comm").read_bytes()
        finally:
            process.wait(60)
    assert RECIPIENT.encode() not in shown + named
    assert shown.startswith(b"mm-soap mailbox")


@pytest.mark.parametrize("role", ["sender", "dispatcher"])
def test_what_the_kit_says_and_reports_is_masked(demonstration: Demonstration, tmp_path: Path, role: str) -> None:
    plan, url = tmp_path / "plan.toml", demonstration.servers[0].url
    made = mm_soap("conform", "plan", "--config", demonstration.config, MM_SOAP_PORT=url.rpartition(":")[2])
    plan.write_text(made.stdout)
    if role == "sender":
        said, folder = listen_to_markers(demonstration, tmp_path, plan)
    else:
        folder = tmp_path / "report"
        ended = mm_soap("conform", role, "--plan", plan, "--report", folder, "--only", "dispatcher.distributeSecure.id")
        said = (ended.stdout + ended.stderr).encode()
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert any(b"distributeSecure" in content for content in written)
    for content in (said, *written):
        assert found_in(content) == []
        assert numbers_in(content) == []


def listen_to_markers(demonstration: Demonstration, folder: Path, plan: Path) -> tuple[bytes, Path]:
    """Let the kit listen to messages that are right, wrong and broken; return what it said, and its report."""
    report = folder / "report"
    pdf = (f"{FILE}.pdf", "application/pdf", one_page_pdf(SUBJECT, BODY))
    good = own_request(demonstration, a_message(SUBJECT, BODY, attachments=[pdf]))
    sent = [
        good,
        good.replace(SUBJECT.encode(), f"{SUBJECT}x".encode()),
        good.replace(b"<Subject>", f"<Subject/><Subject xml:lang='sv'><![CDATA[{BODY}]]>".encode(), 1),
        good.replace(RECIPIENT.encode(), f"{RECIPIENT}1".encode()),
        good[:-40],
        f"<Body>{BODY} {RECIPIENT}</Body>".encode(),
    ]
    command = [*COMMAND, "conform", "sender", "--plan", str(plan), "--report", str(report), "--port", "0"]
    with subprocess.Popen(
        [*command, "--until-calls", str(len(sent) + 1), "--for", "60"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = b""
        for line in process.stdout:
            said += line
            if line.startswith(b"ready "):
                break
        url = line.decode().split()[1]
        for body in sent:
            post(f"{url}/Message/v3", body)
        post(f"{url}/Message/v3/{RECIPIENT}?recipientId={RECIPIENT}", good, SOAPAction=RECIPIENT)
        said += process.stdout.read()
    return said, report


def own_request(demonstration: Demonstration, message: Message) -> bytes:
    return carry_signed(demonstration.signed(letter(RECIPIENT, message)))
