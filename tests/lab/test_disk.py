"""A disk that fills, grows slow or is put back is so for its own host alone, and is what it was when it is mended."""

from __future__ import annotations

import pytest

from diversite.errors import LabError
from lab import control, disk, host
from lab.world import World
from tests.lab.conftest import NAME, machine

pytestmark = [pytest.mark.lab, pytest.mark.root]

DATA = "/run/lab/hosts/{}/data"
WRITES = 40


@pytest.fixture
def two(made: World) -> World:
    """A lab with two hosts that have disks."""
    if not made.images:
        pytest.skip("this machine cannot mount a disk's image")
    for name in ("h1", "i1"):
        host.create(made, machine(name, data_mebibytes=64))
    return made


def test_a_full_disk_takes_no_more_and_takes_it_again_when_drained(two: World) -> None:
    """Not a byte goes onto a full disk, the neighbour's is as it was, and what was there before is whole after."""
    assert _write(two, "h1", "before") == 0
    assert control.fill_disk(NAME, "h1") < 4096
    assert _write(two, "h1", "x" * 8192) != 0
    assert _write(two, "i1", "x" * 8192) == 0
    control.drain_disk(NAME, "h1")
    assert _write(two, "h1", "x" * 8192) == 0
    assert two.run(["cat", f"{DATA.format('h1')}/before"]) == "before"


def test_a_disk_fills_up_to_what_is_to_be_left(two: World) -> None:
    """A disk may be filled step by step, down to any rest."""
    for rest in (20 << 20, 5 << 20):
        left = control.fill_disk(NAME, "h1", rest)
        assert rest - (1 << 20) < left <= rest
        assert left == disk.available_bytes(two, "h1")


def test_a_slow_disk_is_slow_until_it_is_not(two: World) -> None:
    """Synced writes wait for their turn on a slow disk; the neighbour's, and its own when mended, do not."""
    try:
        control.slow_disk(NAME, "h1", WRITES)
    except LabError as error:
        pytest.skip(str(error))
    slow, neighbour = _seconds_of_syncs("h1"), _seconds_of_syncs("i1")
    control.slow_disk(NAME, "h1", 0)
    assert slow > 10 / WRITES
    assert slow > 2 * neighbour
    assert _seconds_of_syncs("h1") < slow


def test_a_disk_that_was_kept_comes_back_as_it_was(two: World) -> None:
    """The copy has what was there when it was kept; exchanged again, the disk has all."""
    _write(two, "h1", "old")
    control.keep_disk(NAME, "h1")
    _write(two, "h1", "new")
    assert _swapped(two) == ["old"]
    assert _swapped(two) == ["new", "old"]


def test_a_disk_that_was_never_kept_is_not_put_back(two: World) -> None:
    """Without a copy nothing is exchanged, and the disk stays."""
    _write(two, "h1", "there")
    with pytest.raises(LabError, match="keep one first"):
        control.swap_disk(NAME, "h1")
    assert two.run(["cat", f"{DATA.format('h1')}/there"]) == "there"


def test_a_plain_directory_is_no_disk(made: World) -> None:
    """What would strike the machine's own disk is refused."""
    host.create(made, machine("h1"))
    for strike in (
        control.fill_disk,
        control.keep_disk,
        control.swap_disk,
        lambda lab, on: control.slow_disk(lab, on, 5),
    ):
        with pytest.raises(LabError, match="no disk of its own"):
            strike(NAME, "h1")


def _write(found: World, on: str, text: str) -> int:
    """Write a file that is named by the first letters of what is in it, synced; the exit status."""
    path = f"{DATA.format(on)}/{text[:8]}"
    script = f"import os; f = os.open('{path}', os.O_WRONLY | os.O_CREAT); os.write(f, b'{text}'); os.fsync(f)"
    return control.run(NAME, on, ["python3", "-c", script]).returncode


def _seconds_of_syncs(on: str) -> float:
    """How long ten synced writes take, the start of the program left out."""
    script = (
        "import os, time; began = time.monotonic()\n"
        f"for number in range(10):\n f = os.open('{DATA.format(on)}/probe', os.O_WRONLY | os.O_CREAT)\n"
        " os.write(f, b'x'); os.fsync(f)\n"
        "print(time.monotonic() - began)"
    )
    return float(control.run(NAME, on, ["python3", "-c", script]).stdout)


def _swapped(found: World) -> list[str]:
    control.swap_disk(NAME, "h1")
    return sorted(name for name in found.run(["ls", DATA.format("h1")]).split() if name != "lost+found")
