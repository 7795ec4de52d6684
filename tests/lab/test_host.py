"""A host is a namespace with its place on the LAN, its settings, its firewall and its disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from diversite.errors import LabError
from lab import control, host
from lab.world import World
from tests.lab.conftest import NAME, machine, router

pytestmark = pytest.mark.lab

DROP_PINGS = "table inet f { chain input { type filter hook input priority 0; icmp type echo-request drop; }; }"


@pytest.mark.parametrize("order", [("r1", "h1", "i1"), ("h1", "i1", "r1"), ("h1", "r1", "i1")])
def test_hosts_of_a_site_meet_in_any_order(made: World, order: tuple[str, ...]) -> None:
    """A host and its router may be made in either order; the LAN joins them all."""
    for name in order:
        host.create(made, router(name) if name[0] == "r" else machine(name))
    pairs = [("h1", "i1"), ("i1", "r1"), ("r1", "h1")]
    assert [trip.answered for trip in control.observed_rtt(NAME, pairs, count=2).values()] == [2, 2, 2]


def test_a_new_router_takes_its_site_up_again(made: World) -> None:
    """Replacing a site's router leaves its hosts reachable."""
    _site(made)
    host.delete(made, "r1")
    host.create(made, router("r1"))
    assert _answered("r1", "h1") == 1


def test_a_router_forwards_and_a_host_does_not(made: World) -> None:
    """Only a router passes packets on."""
    _site(made)
    read = ["cat", "/proc/sys/net/ipv4/ip_forward"]
    assert [made.run(read, host=name).strip() for name in ("r1", "h1")] == ["1", "0"]
    assert "default via 10.1.0.1" in made.run(["ip", "route"], host="h1")


def test_settings_are_applied_and_a_missing_one_is_told(made: World) -> None:
    """A kernel without a setting gives a warning that names it, not a failure."""
    settings = {"net.ipv4.tcp_retries2": "7", "net.ipv4.no_such_thing": 1}
    warnings = host.create(made, machine("h1", sysctls=settings))
    assert made.run(["cat", "/proc/sys/net/ipv4/tcp_retries2"], host="h1").strip() == "7"
    assert len(warnings) == 1
    assert "no_such_thing" in warnings[0]


def test_the_firewall_is_replaced_whole(made: World) -> None:
    """An updated firewall takes the place of the old one."""
    host.create(made, router("r1"))
    host.create(made, machine("h1", firewall=DROP_PINGS))
    assert _answered("r1", "h1") == 0
    host.update(made, machine("h1", firewall=DROP_PINGS.replace("drop", "accept")))
    assert _answered("r1", "h1") == 1
    assert "drop" not in made.run(["nft", "list", "ruleset"], host="h1")


def test_a_wrong_firewall_leaves_no_host_behind(made: World) -> None:
    """A half-failed create leaves nothing, and says what nft said."""
    with pytest.raises(LabError, match="syntax error"):
        host.create(made, machine("h1", firewall="table inet f { chain }"))
    assert host.find(made, "h1") is None
    assert not made.has_namespace("h1")
    assert not made.layout.host("h1").exists()


def test_the_same_host_again_is_the_same(made: World) -> None:
    """Creating what stands changes nothing; another size makes it anew."""
    host.create(made, machine("h1"))
    mark = made.layout.host("h1") / "etc" / "mark"
    mark.touch()
    host.create(made, machine("h1"))
    assert mark.exists()
    host.create(made, machine("h1", gateway="10.1.0.2"))
    assert not mark.exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="loop mounts need root: a disk is a plain directory here")
def test_a_disk_is_a_filesystem_of_its_own(made: World) -> None:
    """A host with a disk cannot fill another's."""
    host.create(made, machine("h1", dataMebibytes=16))
    data = made.seen(Path("/run/lab/hosts/h1/data"))
    assert made.is_mounted(Path("/run/lab/hosts/h1/data"))
    assert os.statvfs(data).f_blocks * os.statvfs(data).f_frsize <= 16 << 20
    host.delete(made, "h1")
    assert "loop" not in made.run(["cat", "/proc/mounts"])


def test_delete_ends_what_runs_there(made: World) -> None:
    """A deleted host takes its processes along, whoever started them, and deleting it again is no failure."""
    host.create(made, machine("h1"))
    made.run(["sh", "-c", "sleep 100 >/dev/null 2>&1 & :"], host="h1")
    assert len(made.processes("h1")) == 1
    host.delete(made, "h1")
    host.delete(made, "h1")
    assert host.names(made) == []


def test_an_unknown_host_is_told_with_the_known(made: World) -> None:
    """A wrong name is answered with the right ones."""
    _site(made)
    with pytest.raises(LabError, match="has no host 'x1': it has h1, r1"):
        control.run(NAME, "x1", ["true"])


def _site(made: World) -> None:
    makers: list[tuple[Callable[..., object], str]] = [(router, "r1"), (machine, "h1")]
    for inputs, name in makers:
        host.create(made, inputs(name))  # type: ignore[arg-type]


def _answered(source: str, target: str) -> int:
    return control.observed_rtt(NAME, [(source, target)], 1, answer_seconds_max=0.3)[source, target].answered


def test_a_host_refuses_what_it_is_told_to_and_nothing_after(made: World) -> None:
    """Packets from a refused network are dropped and counted, until nothing is refused any more."""
    host.create(made, router("r1"))
    host.create(made, machine("h1"))
    assert _reaches("h1", "10.1.0.1")
    control.refuse(NAME, "r1", [IPv4Network("10.1.0.0/24")])
    assert not _reaches("h1", "10.1.0.1")
    assert control.refused_packets(NAME, "r1") > 0
    control.refuse(NAME, "r1", ())
    assert _reaches("h1", "10.1.0.1")
    assert control.refused_packets(NAME, "r1") == 0


def _reaches(source: str, target: str) -> bool:
    return control.observed_rtt(NAME, [(source, target)], count=1, answer_seconds_max=0.5)[source, target].answered == 1
