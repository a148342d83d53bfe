"""The judge of the clients: one that is right passes, and each that is wrong is told what is."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from interop.captures import Capture
from interop.matrix import Row, page
from interop.stacks import BadStack, Stack, read, words
from interop.steps import Done, Trial
from interop.suite import Suite

from mm_soap.testing.documents import one_page_pdf

RIGHT = {
    "ask": "print('192705178354 yes\\n191212121212 no\\n189003619807 no\\n189001619809 yes')",
    "fault": "sys.exit('fault 5003 No such record. (CallId 1)')",
    "send": "print('d-1')",
    "follow": "print('Delivered')",
    "verify": (
        "text = open(sys.argv[1]).read()\n"
        "wrong = 'wrong' in text or 'identification' in sys.argv[2]\n"
        "sys.exit('invalid: changed') if wrong else print('seal 1\\nsignature 2')"
    ),
}
PDF = one_page_pdf("Beslut", "Interop")


class Fixed(Suite):
    """A suite whose mailbox holds what a test says."""

    held: bytes | None = PDF

    def attachment(self, subject: str) -> bytes | None:
        return self.held if "å" in subject else None


def suite(held: bytes | None = PDF) -> Fixed:
    made = Fixed("http://127.0.0.1:1", Path("demo"))
    object.__setattr__(made, "held", held)
    return made


def stack(folder: Path, **changed: str) -> Stack:
    """A client whose commands are lines of Python."""
    parts = {**RIGHT, **changed}
    folder.mkdir()
    program = (
        "import sys\nif sys.argv[1] == 'follow' and sys.argv[2].startswith('0000'):\n    {fault}\nelse:\n    {follow}"
    )
    files = {name: f"import sys\n{parts[name]}" for name in ("ask", "send", "verify")}
    for name, text in {**files, "follow": program.format_map(parts)}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    python = sys.executable
    commands = {
        "ask": f"{python} ask.py {{recipients}}",
        "send": f"{python} send.py {{subject}} {{text}} {{pdf}}",
        "follow": f"{python} follow.py follow {{id}}",
        "verify": f"{python} verify.py {{file}} {{authorities}}",
    }
    build = changed.get("build", f"{python} -c pass")
    return Stack("A stack", "Python", folder, (), {}, build, f"{python} -c 'print(7)'", commands)


def judged(tmp_path: Path, held: bytes | None = PDF, **changed: str) -> dict[str, str | None]:
    trial = Trial(stack(tmp_path / "client", **changed), suite(held), tmp_path / "run")
    return {done.step: done.wrong for done in trial.run()}


def test_a_client_that_is_right(tmp_path: Path) -> None:
    assert judged(tmp_path) == dict.fromkeys(("build", "ask", "fault", "send", "follow"))


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        ("ask", "print('192705178354 yes')"),
        ("ask", RIGHT["ask"].replace("no\\n189003619807 no", "no\\n189003619807 yes")),
        ("ask", RIGHT["ask"] + "; sys.exit(1)"),
        ("fault", "print('fault 5003 No such record. (CallId 1)')"),
        ("fault", "sys.exit('fault 4000 Technical. (CallId 1)')"),
        ("fault", "sys.exit('fault 5003 No such record.')"),
        ("send", "print('an id')"),
        ("send", "sys.exit(2)"),
        ("follow", "print('Paper')"),
        ("follow", "print('Delivered'); sys.exit(3)"),
    ],
)
def test_one_that_is_wrong_in_one_step(tmp_path: Path, step: str, wrong: str) -> None:
    found = judged(tmp_path, **{step: wrong})
    assert [name for name, said in found.items() if said] == [step]
    assert "exit status" in str(found[step])


@pytest.mark.parametrize("held", [None, b"%PDF-1.4 another"])
def test_delivered_is_believed_with_the_mailbox_alone(tmp_path: Path, held: bytes | None) -> None:
    found = judged(tmp_path, held)
    assert [name for name, said in found.items() if said] == ["follow"]


def test_nothing_is_tried_after_a_build_that_failed(tmp_path: Path) -> None:
    assert list(judged(tmp_path, build=f"{sys.executable} -c 1/0")) == ["build"]


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    assert "could not be run" in str(judged(tmp_path, build="no-such-program-here")["build"])


def test_the_page_shows_what_was_tried(tmp_path: Path) -> None:
    right = stack(tmp_path / "client")
    done = tuple(Trial(right, suite(), tmp_path / "run").run())
    done += (Done("verify", None, 0.1),)
    row, failed = Row(right, "7", done), Row(right, "7|8", done[:1])
    assert (row.works, failed.works) == (True, False)
    lines = page([row, failed], date(2026, 12, 1)).splitlines()
    assert "| [A stack](../clients/client/README.md) | Python | 7 | yes | yes | yes | yes | yes | yes | - |" in lines
    assert lines[-3].endswith("| 7/8 | yes | not tried | not tried | not tried | not tried | not tried | - |")


def captures(folder: Path) -> list[Capture]:
    ours = folder / "ca.pem"
    return [
        Capture("right", b"right", ours, True, None, "1", "2"),
        Capture("changed", b"wrong", ours, False, 5006, "1", "2"),
    ]


def verified(tmp_path: Path, **changed: str) -> str | None:
    trial = Trial(stack(tmp_path / "client", **changed), suite(), tmp_path / "client")
    [done] = trial.judge(captures(tmp_path))
    assert done.step == "verify"
    return done.wrong


def test_a_verifier_that_is_right(tmp_path: Path) -> None:
    assert verified(tmp_path) is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (RIGHT["verify"].replace("signature 2", "signature 1"), "right"),
        ("print('seal 1\\nsignature 2')", "changed"),
        (RIGHT["verify"].replace("'wrong' in text or ", ""), "changed"),
        (RIGHT["verify"].replace(" or 'identification' in sys.argv[2]", ""), "unknown-authority"),
        (RIGHT["verify"].replace("sys.exit('invalid: changed')", "sys.exit('cannot be read')"), "changed"),
        (RIGHT["verify"].replace("sys.exit('invalid: changed')", "sys.exit(2)"), "changed"),
        (
            RIGHT["verify"].replace(
                "sys.exit('invalid: changed')", "print('seal 1\\nsignature 2') or sys.exit('invalid: changed')"
            ),
            "changed",
        ),
    ],
)
def test_a_verifier_that_is_wrong(tmp_path: Path, wrong: str, named: str) -> None:
    assert str(verified(tmp_path, verify=wrong)).startswith(f"{named}: ")


def test_an_operator_that_does_not_start(tmp_path: Path) -> None:
    class Unregistered(Fixed):
        def far(self, *arguments: str) -> None:
            pass

    operator = stack(tmp_path / "client")
    operator = replace(operator, commands={"receive": f"{sys.executable} -c 1/0 {{address}} {{mailboxes}}"})
    trial = Trial(operator, Unregistered("http://127.0.0.1:1", Path("demo")), tmp_path / "client")
    [done] = trial.judge(captures(tmp_path))
    assert "ZeroDivisionError" in str(done.wrong)
    assert operator.steps == ["build", "receive"]


def test_words_in_braces() -> None:
    values = {"recipients": ["1", "2"], "subject": "Beslut å", "register": "http://r"}
    assert words("ask {recipients} -u {register}?wsdl '{subject}'", values) == [
        "ask",
        "1",
        "2",
        "-u",
        "http://r?wsdl",
        "Beslut å",
    ]
    with pytest.raises(BadStack, match="pdf"):
        words("send {pdf}", values)


@pytest.mark.parametrize(
    "text", ["", "stack = 1 2", 'stack = "x"\nlanguage = "y"\nbuild = "b"\nversion = "v"\n[commands]\nask = "a"']
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "interop.toml").write_text(text)
    with pytest.raises(BadStack, match=r"interop\.toml"):
        read(tmp_path)
