"""What the runbooks tell an operator to type can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli.main import app
from tests.services.venues import passive

RUNBOOKS = sorted((Path(__file__).parents[2] / "docs" / "runbooks").glob("*.md"))
TYPED = re.compile(r"(?:`|^    +)diversite ([a-z-]+)((?:[^`\n\\]|\\\n)*)", re.MULTILINE)
"""A command and what follows it, between backticks or in an indented block; a line may go on after a backslash."""


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_command_of_a_runbook_is_there(page: Path) -> None:
    """Each command and each of its options is one that the program has."""
    program = get_command(app)
    assert isinstance(program, TyperGroup)
    typed = TYPED.findall(page.read_text(encoding="utf-8"))
    assert typed
    for name, rest in typed:
        known = {option for parameter in program.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"diversite {name}{rest}"


def test_every_new_disk_is_named() -> None:
    """A restore in a cloud says `--replace` for each member of the example's store, since each has a new key."""
    page = next(page for page in RUNBOOKS if page.stem == "restore").read_text(encoding="utf-8")
    replaced = [set(re.findall(r"--replace (\S+)", rest)) for name, rest in TYPED.findall(page) if name == "keys"]
    assert {host.name for host in passive().of_role("store")} in replaced
