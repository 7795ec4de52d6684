"""What is written to a pipe is whole."""

from __future__ import annotations

import pytest

from cli.console import new_console, new_table


def test_a_pipe_gets_every_name_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A row wider than any terminal is one line, also where the environment tells a terminal's width."""
    monkeypatch.setenv("COLUMNS", "80")
    rows = new_table("a", "b")
    rows.add_row("x" * 2_000, "y" * 2_000)
    new_console().print(rows)
    assert capsys.readouterr().out.splitlines()[1].split() == ["x" * 2_000, "y" * 2_000]


def test_a_narrow_console_folds(capsys: pytest.CaptureFixture[str]) -> None:
    """On a narrow console a long name goes on in the next line, and no character of it is lost."""
    console = new_console()
    console.width = 40
    rows = new_table("a", "b")
    rows.add_row("x" * 60, "y" * 60)
    console.print(rows)
    out = capsys.readouterr().out
    assert (out.count("x"), out.count("y"), "…" in out) == (60, 60, False)


def test_a_type_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """`diversite:link:Link` is printed as it is written, not with a chain in its middle."""
    table = new_table("type")
    table.add_row("diversite:link:Link")
    new_console().print(table)
    assert "diversite:link:Link" in capsys.readouterr().out
