"""The reader of the guides: commands run in order, output is compared, and a guide that is wrong says what is."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.guides import blocks, chosen, matches, pages, run


def guide(folder: Path, text: str) -> Path:
    page = folder / "connect-x.md"
    page.write_text(text, encoding="utf-8")
    return page


def sh(script: str, shown: str | None = None, status: int = 0) -> str:
    before = f"<!-- exit status {status} -->\n" if status else ""
    after = f"\n```text\n{shown}\n```\n" if shown is not None else ""
    return f"Text.\n\n{before}```sh\n{script}\n```\n{after}\n"


def test_every_guide_is_there_and_has_commands_and_output() -> None:
    found = pages()
    stacks = [page.stem.removeprefix("connect-") for page in found if page.stem.startswith("connect-")]
    assert stacks == ["cpp", "dotnet", "java", "node", "php", "python"]
    for page in found:
        steps = blocks(page.read_text(encoding="utf-8"))
        assert [step for step in steps if step.shown], page
        assert page.read_text(encoding="utf-8").count("```sh") == len(steps), page


def test_a_client_brings_its_guide() -> None:
    assert [page.stem for page in chosen(pages(), ["java-cxf"])] == ["connect-java"]
    assert [page.stem for page in chosen(pages(), ["java-axis"])] == []
    assert chosen(pages(), []) == pages()


@pytest.mark.parametrize(
    ("shown", "output", "expected"),
    [
        ("a", "a\n", True),
        ("a", "a", True),
        ("a", "b\n", False),
        ("a", "a\nb\n", False),
        ("a ... c", "a b c\n", True),
        ("...", "", True),
        ("...\nb", "a\na\nb\n", True),
        ("...\nb", "a\n", False),
        ("a\n...", "a\n", True),
        ("a", "a  \n", True),
        ("(.*)", "x\n", False),
    ],
)
def test_output_is_what_is_shown(shown: str, output: str, expected: bool) -> None:
    assert matches(shown, output) is expected


def test_blocks_share_a_shell_and_an_empty_folder(tmp_path: Path) -> None:
    text = sh("ls -A\nX=1") + sh('echo "$X"', "1") + "```console\nfalse\n```\n"
    assert run(guide(tmp_path, text)).wrong is None


def test_the_environment_is_a_clean_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MM_SOAP_PROFILE", "production")
    monkeypatch.setenv("SECRET", "x")
    text = sh('echo "[$MM_SOAP_PROFILE$SECRET]"; ls -A "$HOME"; test -f "$CHECKOUT/setup.cfg"', "[]")
    assert run(guide(tmp_path, text)).wrong is None


def test_the_port_is_another_one_and_is_shown_as_the_guides(tmp_path: Path) -> None:
    text = sh(
        'echo http://127.0.0.1:8080\ntest "$MM_SOAP_PORT" != 8080\n'
        '[ http://127.0.0.1:8080 = "http://127.0.0.1:$MM_SOAP_PORT" ]',
        "http://127.0.0.1:8080",
    )
    assert run(guide(tmp_path, text)).wrong is None


def test_colours_are_not_compared(tmp_path: Path) -> None:
    assert run(guide(tmp_path, sh("printf '\\033[1;31ma\\033[0m\\n'", "a"))).wrong is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (sh("echo before\nfalse\necho after"), "it stopped in these commands"),
        (sh("true") + sh("exit 3"), "exit status 3"),
        (sh("echo a", "b"), "should say:\nb\n"),
        (sh("true", status=1), "it stopped in these commands"),
        ("Nothing.\n", "no commands"),
        (sh("mm-soap no-such-command"), "no-such-command"),
    ],
)
def test_a_guide_that_is_wrong_fails(tmp_path: Path, text: str, told: str) -> None:
    wrong = run(guide(tmp_path, text)).wrong
    assert wrong is not None
    assert told in wrong


def test_a_command_that_should_fail_may(tmp_path: Path) -> None:
    assert run(guide(tmp_path, sh("echo a\nexit 1", "a", status=1))).wrong is None
    assert run(guide(tmp_path, sh("exit 2", status=1))).wrong is not None


def test_what_a_failed_guide_left_running_is_ended(tmp_path: Path) -> None:
    process = tmp_path / "id"
    text = sh(f"sleep 600 &\necho $! > {process}\nfalse")
    assert run(guide(tmp_path, text)).wrong is not None
    assert not Path(f"/proc/{process.read_text().strip()}").exists()
