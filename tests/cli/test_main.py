"""The command line as a whole."""

from __future__ import annotations

from tests.cli.conftest import Run


def test_help_lists_every_command(run: Run) -> None:
    """Without arguments the help is shown, with every command."""
    ran = run()
    assert all(f" {command} " in ran.out + ran.err for command in ("check", "whatif", "preview", "lab"))


def test_version(run: Run) -> None:
    """`--version` tells it and ends well."""
    ran = run("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "diversite")


def test_a_failure_is_one_message(run: Run) -> None:
    """What a user can mend is told without a traceback, on standard error, with exit code 2."""
    ran = run("check", "europ")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("diversite: 'europ' is no stack, no topology and no file (did you mean europe?)")
