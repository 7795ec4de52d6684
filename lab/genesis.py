"""What the chain of a lab began with: kept beside its hosts' disks, as it was first made, and gone with them."""

from __future__ import annotations

from pathlib import Path

from lab.files import write
from lab.inputs import GenesisInputs
from lab.world import World

NAME = "genesis.json"


def create(world: World, inputs: GenesisInputs) -> str:
    """Keep a document, unless there is one: the one that is kept."""
    if (kept := find(world)) is not None:
        return kept
    write(_path(world), inputs.document)
    return inputs.document


def find(world: World) -> str | None:
    """The document; None where none is kept."""
    path = _path(world)
    return path.read_text() if path.is_file() else None


def delete(world: World) -> None:
    """Forget it; what is gone already is no failure."""
    _path(world).unlink(missing_ok=True)


def _path(world: World) -> Path:
    return world.layout.directory / NAME
