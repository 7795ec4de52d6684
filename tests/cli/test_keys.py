"""`diversite keys` writes a whole keys file or none, and never lets a key change unsaid."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.stacks import STACKS, topologies
from diversite import keys, stackfile
from diversite.errors import TopologyError
from diversite.keys import HostHalves
from diversite.plan import Plan, plan
from tests.diversite.test_keys import hosts_of, public

STACK = (STACKS / "europe.yaml").read_text()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The flagship's stack file, where its keys file may be written."""
    path = tmp_path / "europe.yaml"
    path.write_text(STACK)
    return path


@pytest.fixture
def venue(stack: Path) -> Plan:
    """The plan of it."""
    return plan(stackfile.load(stack))


@pytest.fixture
def files(tmp_path: Path) -> Callable[[Mapping[str, HostHalves]], list[str]]:
    """Writes what hosts tell, a file each."""

    def write(told: Mapping[str, HostHalves]) -> list[str]:
        for name, each in told.items():
            (tmp_path / f"{name}.json").write_text(each.model_dump_json(exclude_none=True) + "\n")
        return [str(tmp_path / f"{name}.json") for name in told]

    return write


def run(*arguments: str, text: str | None = None) -> str:
    """What the command says; its own errors come out as they are."""
    result = CliRunner().invoke(app, ["keys", *arguments], input=text)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_public_halves_come_together(
    stack: Path, venue: Plan, files: Callable[[Mapping[str, HostHalves]], list[str]]
) -> None:
    """From every host's file to one that the program accepts."""
    said = run(str(stack), *files(hosts_of(venue)))
    assert "7 validators" in said
    found = keys.load(stack.with_suffix(".keys.yaml"), venue)
    assert found is not None
    assert found.validators["par"].public_key == public("validator-par")


def test_standard_input_serves_as_well(stack: Path, venue: Plan) -> None:
    """What a loop over hosts prints is read in one go."""
    text = "\n".join(each.model_dump_json(exclude_none=True) for each in hosts_of(venue).values())
    run(str(stack), "-", text=text)
    assert keys.load(stack.with_suffix(".keys.yaml"), venue) is not None


def test_nothing_is_written_while_a_key_is_missing(
    stack: Path, venue: Plan, files: Callable[[Mapping[str, HostHalves]], list[str]]
) -> None:
    """A file that is not whole would build a venue that does not join."""
    with pytest.raises(TopologyError, match="is missing"):
        run(str(stack), *files(hosts_of(venue))[:-1])
    assert not stack.with_suffix(".keys.yaml").exists()


def test_a_new_key_needs_its_word(
    stack: Path, venue: Plan, files: Callable[[Mapping[str, HostHalves]], list[str]]
) -> None:
    """Without --replace the file stays as it is; with it, that host's key alone is new."""
    run(str(stack), *files(hosts_of(venue)))
    path = stack.with_suffix(".keys.yaml")
    before = path.read_text()
    again = {"validator-par": hosts_of(venue, "again")["validator-par"]}
    with pytest.raises(TopologyError, match="--replace validator-par"):
        run(str(stack), *files(again))
    assert path.read_text() == before
    run(str(stack), *files(again), "--replace", "validator-par")
    changed = set(path.read_text().splitlines()) - set(before.splitlines())
    assert len(changed) == 3


def test_a_write_that_fails_leaves_the_file_as_it_was(
    stack: Path,
    venue: Plan,
    files: Callable[[Mapping[str, HostHalves]], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a full disk the only copy of what the chain began with is still there; with room, nothing stands beside it."""
    run(str(stack), *files(hosts_of(venue)))
    path = stack.with_suffix(".keys.yaml")
    before = path.read_text()
    again = (*files({"validator-par": hosts_of(venue, "again")["validator-par"]}), "--replace", "validator-par")
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _no_space)
        with pytest.raises(OSError, match="no space left"):
            run(str(stack), *again)
    assert path.read_text() == before
    run(str(stack), *again)
    assert path.read_text() != before
    assert not list(stack.parent.glob("*.new")) + list(stack.parent.glob(".*"))


def test_a_keys_file_is_no_topology(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It stands beside the stack files, and is not listed among them."""
    for name in ("europe.yaml", "europe.keys.yaml", "Pulumi.europe.yaml"):
        (tmp_path / name).write_text(STACK)
    monkeypatch.setattr(sys.modules["cli.stacks"], "STACKS", tmp_path)
    assert topologies() == ("europe",)


def _no_space(_: int) -> None:
    raise OSError("no space left")
