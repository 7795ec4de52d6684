"""A wire has the delay that was asked, and can be changed, cut and healed without touching another."""

from __future__ import annotations

import pytest

from diversite.errors import LabError
from lab import control, host, selftest, wire
from lab.files import read_json
from lab.inputs import WireInputs
from lab.world import World, wait_until
from tests.lab.conftest import NAME, router, wire_between

pytestmark = pytest.mark.lab

COUNTED_SECONDS_MAX = 5.0


@pytest.fixture
def triangle(made: World) -> World:
    """Three routers: r1-r2 slow, r2-r3 slow, r1-r3 bare."""
    for name in ("r1", "r2", "r3"):
        host.create(made, router(name))
    wire.create(made, wire_between("r1", "r2", delay_microseconds=5000, number=1))
    wire.create(made, wire_between("r2", "r3", delay_microseconds=10_000, number=2))
    wire.create(made, wire_between("r1", "r3", number=3))
    return made


def test_observed_round_trips_are_the_configured(labs: object) -> None:
    """Within 1 ms at the median up to 40 ms, 2 % beyond, whichever kind of wire the kernel allows."""
    result = selftest.selftest(round_trips_ms=(1.0, 23.0, 40.0, 88.0), count=30)
    assert result.wire_kind in ("netem", "userspace")
    assert [each for each in result.observations if not each.holds] == []


def test_a_wire_without_delay_is_bare(triangle: World) -> None:
    """Nothing stands between the ends of a wire that is asked for nothing."""
    assert wire.require(triangle, "r1-r3")["kind"] == "bare"
    assert _trip("r1", "172.16.3.2").p50_ms < 0.5


@pytest.mark.parametrize(("a", "b", "delay", "number"), [("r1", "r3", 0, 3), ("r1", "r2", 5000, 1)])
def test_a_wire_whose_maker_was_killed_is_made_anew(triangle: World, a: str, b: str, delay: int, number: int) -> None:
    """Interfaces without a record are those of a maker that was killed between the two: they are no obstacle."""
    triangle.layout.wire_record(f"{a}-{b}").unlink()
    wire.create(triangle, wire_between(a, b, delay_microseconds=delay, number=number))
    assert _trip(a, f"172.16.{number}.2").p50_ms == pytest.approx(2 * delay / 1000, abs=1.0)


def test_a_new_delay_disturbs_no_other_wire(triangle: World) -> None:
    """Changing one wire leaves the other's delay and revision alone."""
    before = wire.require(triangle, "r2-r3")["revision"]
    wire.update(triangle, wire_between("r1", "r2", delay_microseconds=8000, number=1))
    assert _trip("r1", "172.16.1.2").p50_ms == pytest.approx(16, abs=1)
    assert _trip("r2", "172.16.2.2").p50_ms == pytest.approx(20, abs=1)
    assert wire.require(triangle, "r2-r3")["revision"] == before


def test_a_wire_may_gain_and_lose_its_delay(triangle: World) -> None:
    """A bare wire becomes a slow one, and bare again."""
    wire.update(triangle, wire_between("r1", "r3", delay_microseconds=3000, number=3))
    assert _trip("r1", "172.16.3.2").p50_ms == pytest.approx(6, abs=1)
    wire.update(triangle, wire_between("r1", "r3", number=3))
    assert _trip("r1", "172.16.3.2").p50_ms < 0.5


@pytest.mark.parametrize(("name", "address"), [("r1-r2", "172.16.1.2"), ("r1-r3", "172.16.3.2")])
def test_a_cut_is_silent_and_heals(triangle: World, name: str, address: str) -> None:
    """A cut wire carries nothing while both interfaces stay up; healed, it carries again."""
    control.cut_wires(NAME, [name])
    assert control.status(NAME).wires[name].cut == "both"
    assert _trip("r1", address).answered == 0
    assert "state UP" in triangle.run(["ip", "link", "show", f"to-{name[-2:]}"], host="r1")
    control.heal_wires(NAME, [name])
    assert _trip("r1", address).answered == 5


@pytest.mark.parametrize("way", ["aToB", "bToA"])
@pytest.mark.parametrize("name", ["r1-r2", "r1-r3"])
def test_a_cut_one_way_stops_a_round_trip(triangle: World, name: str, way: str) -> None:
    """Half a wire answers no ping."""
    control.cut_wires(NAME, [name], way)
    assert _trip("r1", "172.16.1.2" if name == "r1-r2" else "172.16.3.2").answered == 0


def test_loss_is_counted(triangle: World) -> None:
    """A wire that loses everything says so."""
    wire.update(triangle, wire_between("r1", "r2", delay_microseconds=100, number=1, lossPerMillion=1_000_000))
    assert _trip("r1", "172.16.1.2").answered == 0
    if triangle.wire_kind == "userspace":
        assert wait_until(lambda: _counted(triangle, "r1-r2", "lost") > 0, COUNTED_SECONDS_MAX)


def test_jitter_keeps_the_order(triangle: World) -> None:
    """Packets of a jittery wire arrive in the order they were sent, within the jitter."""
    wire.update(triangle, wire_between("r1", "r2", delay_microseconds=5000, number=1, jitterMicroseconds=4000))
    trip = control.observed_rtt(NAME, [("r1", "172.16.1.2")], count=60)["r1", "172.16.1.2"]
    assert trip.answered == 60
    assert 2 <= trip.min_ms < trip.p50_ms < trip.p99_ms < 20


def test_deleting_a_wire_removes_both_ends(triangle: World) -> None:
    """Nothing of a deleted wire is left, and deleting it again is no failure."""
    wire.delete(triangle, "r1-r2")
    wire.delete(triangle, "r1-r2")
    assert wire.find(triangle, "r1-r2") is None
    assert "to-r2" not in triangle.run(["ip", "link"], host="r1")
    assert "to-r1" not in triangle.run(["ip", "link"], host="r2")
    assert wire.relay_interface("r1-r2", "a") not in triangle.run(["ip", "link"])


def test_an_interface_may_be_called_like_a_word_of_ip(triangle: World) -> None:
    """`a` is short for an argument of ip, and a good name all the same."""
    ends = {
        "a": {"host": "r1", "interface": "a", "address": "172.16.9.1/30"},
        "b": {"host": "r2", "interface": "up", "address": "172.16.9.2/30"},
    }
    wire.create(triangle, WireInputs.model_validate({**wire_between("r1", "r2").record(), "name": "odd", **ends}))
    assert _trip("r1", "172.16.9.2").answered == 5
    wire.delete(triangle, "odd")
    assert wire.find(triangle, "odd") is None


def test_a_wire_to_nowhere_leaves_nothing(triangle: World) -> None:
    """A wire to a host that does not exist is refused whole."""
    with pytest.raises(LabError, match="has no host 'r9'"):
        wire.create(triangle, wire_between("r1", "r9", delay_microseconds=1, number=9))
    assert "to-r9" not in triangle.run(["ip", "link"], host="r1")


def test_a_wire_whose_end_was_removed_is_gone(triangle: World) -> None:
    """A wire is found only while both its interfaces are there."""
    triangle.run(["ip", "link", "delete", "to-r2"], host="r1")
    assert wire.find(triangle, "r1-r2") is None


def test_netem_gets_the_same_delay() -> None:
    """Where the kernel has netem, it is asked for the delay, jitter and loss of the inputs."""
    inputs = wire_between("r1", "r2", delay_microseconds=1500, jitterMicroseconds=20, lossPerMillion=1234)
    said = " ".join(wire.netem_arguments(inputs, "eth0"))
    assert said.endswith("delay 1500us 20us loss 0.1234%")


def _trip(source: str, address: str) -> control.RoundTrip:
    return control.observed_rtt(NAME, [(source, address)], 5, answer_seconds_max=0.3)[source, address]


def _counted(made: World, name: str, counter: str) -> int:
    told = read_json(made.layout.relay / "statistics.json") or {}
    return int(told["wires"][name]["aToB"][counter])
