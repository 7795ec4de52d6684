"""A power cut takes from a host's disk what was not synced, and nothing else."""

from __future__ import annotations

import pytest

from diversite.errors import LabError
from lab import control, host
from lab.world import World
from tests.lab.conftest import NAME, machine

pytestmark = [pytest.mark.lab, pytest.mark.root]

DATA = "/run/lab/hosts/h1/data"


def test_what_was_synced_is_there_and_the_rest_is_gone(made: World) -> None:
    """After a power cut a synced file is whole, one that was only written is not, and the disk takes new files."""
    _with_disk(made)
    _write(made, "synced", sync=True)
    _write(made, "written", sync=False)
    lost = control.power_cut_host(NAME, "h1")
    assert lost > 0
    assert _read(made, "synced") == "synced"
    assert _read(made, "written") != "written"
    _write(made, "later", sync=True)
    assert _read(made, "later") == "later"


def test_a_second_cut_is_like_the_first(made: World) -> None:
    """What was synced between two cuts survives the second."""
    _with_disk(made)
    for name in ("first", "second"):
        _write(made, name, sync=True)
        control.power_cut_host(NAME, "h1")
    assert [_read(made, name) for name in ("first", "second")] == ["first", "second"]


def test_a_host_without_a_disk_of_its_own_has_no_power_to_cut(made: World) -> None:
    """On a plain directory nothing is unsynced, so the cut is refused instead of doing nothing."""
    host.create(made, machine("h1"))
    with pytest.raises(LabError, match="no disk of its own"):
        control.power_cut_host(NAME, "h1")


def _with_disk(made: World) -> None:
    if not made.images:
        pytest.skip("this machine cannot mount a disk's image")
    host.create(made, machine("h1", data_mebibytes=64))


def _write(made: World, name: str, *, sync: bool) -> None:
    then = f"&& sync {DATA}/{name} {DATA}" if sync else ""
    made.run(["sh", "-c", f"printf {name} > {DATA}/{name} {then}"], host="h1")


def _read(made: World, name: str) -> str:
    return made.run(["sh", "-c", f"cat {DATA}/{name} 2>/dev/null || true"], host="h1")
