"""What a user may call a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import stacks
from diversite.errors import DiversiteError


@pytest.fixture
def some(folder: Path) -> Path:
    """Two topologies, and a stack that names one of them."""
    (folder / "europe.yaml").write_text("venue: europe\n", encoding="utf-8")
    (folder / "asia.yaml").write_text("venue: asia\n", encoding="utf-8")
    (folder / "Pulumi.live.yaml").write_text("config:\n  diversite:topology: asia\n", encoding="utf-8")
    (folder / "Pulumi.europe.yaml").write_text("encryptionsalt: v1:abc\nconfig:\n  x: 1\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "file", "stack"),
    [
        ("asia", "asia.yaml", None),
        ("live", "asia.yaml", "live"),
        ("europe", "europe.yaml", "europe"),
        ("lab", "europe.yaml", "lab"),
        ("lab-asia", "asia.yaml", "lab-asia"),
    ],
)
def test_a_word_is_a_stack_or_a_topology(some: Path, text: str, file: str, stack: str | None) -> None:
    """A stack goes before a topology of its name, a stack's settings name its file, and labs need no settings."""
    found = stacks.resolve(text)
    assert (found.path.name, found.stack) == (file, stack)


def test_settings_are_taken_for_the_stack_file(some: Path) -> None:
    """The engine's settings of a stack lead to its topology."""
    assert stacks.resolve(str(some / "Pulumi.live.yaml")).path == some / "asia.yaml"


def test_a_path_is_taken_as_it_is(some: Path) -> None:
    """A path need not be in stacks/; whether it is there, reading it tells."""
    assert stacks.resolve("./elsewhere/x.yaml").path == Path("elsewhere/x.yaml")


@pytest.mark.parametrize(("text", "meant"), [("aisa", "did you mean asia?"), ("liv", "did you mean live?")])
def test_an_unknown_word_is_told_with_what_is_near(some: Path, text: str, meant: str) -> None:
    """A typing error is told with the nearest name and all of them."""
    with pytest.raises(DiversiteError, match=r"stacks are europe, live, topologies are asia, europe") as refusal:
        stacks.resolve(text)
    assert meant in str(refusal.value)


def test_settings_that_lead_nowhere_are_told(some: Path) -> None:
    """A stack whose topology is gone is told with file, value and what there is."""
    (some / "Pulumi.old.yaml").write_text("config:\n  diversite:topology: gone\n", encoding="utf-8")
    with pytest.raises(DiversiteError, match=r"Pulumi.old.yaml: diversite:topology is 'gone'"):
        stacks.resolve("old")


def test_a_topology_is_previewed_as_its_lab(some: Path) -> None:
    """A stack with settings runs with them; a topology runs as a lab, with the settings that it needs."""
    assert stacks.target("live").config == {}
    lab = stacks.target("asia")
    assert lab.stack == "lab-asia"
    assert lab.config == {"diversite:topology": "asia", "diversite:substrate": "lab"}


def test_a_file_elsewhere_has_no_program(some: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file outside stacks/ is checked but not previewed: the program would not find it."""
    other = tmp_path_factory.mktemp("other") / "x.yaml"
    other.write_text("venue: x\n", encoding="utf-8")
    with pytest.raises(DiversiteError, match="put the file there"):
        stacks.target(str(other))
