"""What others wrote is shown as it is: it is neither markup nor a command to the terminal."""

from __future__ import annotations

import pytest
import typer

from mm_soap.cli.output import fail, print_table


def test_brackets_in_a_subject_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Messages", ("Subject",), [("Svar [/x] krävs [bold]nu[/]",)])
    assert "Svar [/x] krävs [bold]nu[/]" in capsys.readouterr().out


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Messages", ("Subject",), [("a\x1b[2Jb\x9b31mc\u202ed",)])
    out = capsys.readouterr().out
    assert "a[2Jb31mcd" in out


def test_a_sentence_names_tables_in_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        fail("Add a [[sender]] to the settings.", 2)
    assert caught.value.exit_code == 2
    assert "mm-soap: Add a [[sender]] to the settings." in capsys.readouterr().err
