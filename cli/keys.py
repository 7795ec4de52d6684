"""`diversite keys`: the public halves of a venue's keys, from what its hosts tell to the file that is committed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.stacks import KEYS_ENDING, near, resolve

if TYPE_CHECKING:
    from diversite.keys import HostHalves

STANDARD_INPUT = Path("-")


def keys(
    stack: Annotated[str, typer.Argument(metavar="STACK|FILE")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="The hosts' public.json; - reads them from standard input."),
    ] = None,
    replace: Annotated[
        list[str] | None,
        typer.Option("--replace", metavar="HOST", help="A host that has new keys; as often as you like."),
    ] = None,
) -> None:
    """Bring the public halves of the keys that a cloud's hosts made into stacks/<name>.keys.yaml.

    What the chain begins with is decided when the file is first written, and stays. Without a FILE, the keys of what
    left the stack file are taken out.

    Exit code 0: the file is whole; 2: a key is missing, malformed, there twice, or other than before.
    """
    from cli.console import new_console
    from diversite import stackfile
    from diversite.keys import dumps, joined, read
    from diversite.plan import plan

    file = resolve(stack)
    planned = plan(stackfile.load(file.path))
    path = file.path.with_suffix(KEYS_ENDING)
    halves = joined(planned, _hosts(files or ()), read(path), replace or ())
    _write_whole(path, dumps(halves))
    ends = sum(len(links) for links in halves.tunnels.values())
    new_console().print(
        f"{near(path)}: {len(halves.validators)} validators, {ends} ends of tunnels, genesis {halves.genesis.time}\n"
        "Commit it; then `pulumi up`, or `diversite rollout` where hosts run already.",
        highlight=False,
    )


def _write_whole(path: Path, text: str) -> None:
    """The new text or the old, whatever happens meanwhile: nobody else has the chain's genesis before a commit."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _hosts(files: Iterable[Path]) -> Iterator[HostHalves]:
    from diversite.keys import told

    for file in files:
        yield from told(_text(file), str(file))


def _text(file: Path) -> str:
    from diversite.errors import DiversiteError

    try:
        return sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DiversiteError(f"{file}: cannot be read: {error}") from error
