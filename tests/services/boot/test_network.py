"""Routes and kernel settings of a cloud's host, set in network namespaces of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diversite import addresses
from services.boot import units
from tests.services.boot.rooted import Rooted
from tests.services.boot.venues import Booted, booted_venue
from tests.services.venues import in_own_network, run

ROOT = Path(__file__).parents[3]
FROM_THE_CLOUD = (
    "ip link set lo up; ip link add nic0 type veth peer far0; ip link set far0 up; ip link set nic0 up;"
    " ip address add {address}/32 dev nic0; ip route add {router} dev nic0"
)


def _in_network(host: Rooted, router: str, *commands: str) -> str:
    """Run the host's own scripts and more where its only interface is as a provider makes it."""
    address = booted_venue("europe").plan.hosts[_name(host)].address
    script = "; ".join([FROM_THE_CLOUD.format(address=address, router=router), *commands])
    return run(*in_own_network("sh", "-ec", script))


def _name(host: Rooted) -> str:
    lines = host.path("/etc/diversite/host").read_text().splitlines()
    return next(line.removeprefix("host=") for line in lines if line.startswith("host="))


def test_a_tunnel_is_never_led_into_itself(tmp_path: Path) -> None:
    """What a tunnel itself sends goes to the subnet's router, though the venue's routing leads to the far gateway."""
    venue = booted_venue("europe").plan
    host = Rooted(tmp_path, "europe", "gateway-par")
    network, far = venue.sites["par"].network, venue.sites["dub"]
    router, script = str(network[1]), host.path(f"{units.SCRIPTS}/network")
    said = _in_network(
        host,
        router,
        f"ip route add default via {router} dev nic0",
        f"sh {script}; sh {script}",
        "ip link add tunnel type veth peer far1; ip link set far1 up; ip link set tunnel up",
        f"ip route add {far.network} dev tunnel",
        f"ip route get {far.gateway_address} mark 0xd1; ip route get {far.gateway_address}; ip rule list",
    )
    marked, plain = (line for line in said.splitlines() if line.startswith(str(far.gateway_address)))
    assert f"via {router} dev nic0" in marked
    assert "dev tunnel" in plain
    assert said.count("fwmark 0xd1 lookup 209") == 1


def test_a_hetzner_host_leaves_through_its_site(tmp_path: Path) -> None:
    """Without a public address it has a way out and knows whom to ask for names; twice is as good as once."""
    host = Rooted(tmp_path, "europe", "engine-nbg")
    router = str(booted_venue("europe").plan.sites["nbg"].network[1])
    script = host.path(f"{units.SCRIPTS}/network")
    said = _in_network(host, router, f"sh {script}; sh {script}; ip route show default")
    assert said.strip() == f"default via {router} dev nic0"
    assert host.path("/etc/resolv.conf").read_text().splitlines() == [
        "nameserver 185.12.64.1",
        "nameserver 185.12.64.2",
    ]


def test_a_router_reaches_those_of_its_zone_over_their_own_network(tmp_path: Path) -> None:
    """Where the lease brought no route to it, the interface that has an address there gets one, once."""
    venue = booted_venue("europe").plan
    host = Rooted(tmp_path, "europe", "gateway-nbg")
    router, script = str(venue.sites["nbg"].network[1]), host.path(f"{units.SCRIPTS}/network")
    own, far = (addresses.underlay_addresses(venue.sites)[site] for site in ("nbg", "hel"))
    first = addresses.UNDERLAY_SPACE[1]
    said = _in_network(
        host,
        router,
        f"sh {script} 2>&1",
        "ip link add nic1 type veth peer far1; ip link set far1 up; ip link set nic1 up",
        f"ip address add {own}/32 dev nic1",
        f"ip route add default via {router} dev nic0",
        f"sh {script}; sh {script}",
        f"ip route get {far}; ip route show {addresses.UNDERLAY_SPACE}",
    )
    assert f"no interface has an address in {addresses.UNDERLAY_SPACE}" in said
    assert f"{far} via {first} dev nic1" in said
    assert said.count(f"{addresses.UNDERLAY_SPACE} via {first} dev nic1") == 1


def test_nobody_tells_a_host_another_way(tmp_path: Path) -> None:
    """An interface that was there before the settings, and one that comes after them, accept no redirects."""
    host = Rooted(tmp_path, "europe", "engine-nbg")
    script = host.path(f"{units.SCRIPTS}/settings")
    later = "ip link add nic7 type veth peer far7"
    names = " ".join(f"net.ipv4.conf.{nic}.accept_redirects" for nic in ("all", "default", "nic0", "nic7"))
    said = _in_network(host, "10.0.0.1", f"sh {script}; {later}; sysctl {names}")
    assert [line.rpartition(" ")[2] for line in said.splitlines() if "accept_redirects" in line] == ["0"] * 4


def test_what_the_kernel_refuses_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """A line holds as a whole: where the kernel lacks one of its settings the others of it are not set."""
    host = Rooted(tmp_path, "europe", "gateway-par")
    together = "net.ipv4.tcp_retries2=77 net.ipv4.tcp_of_the_future=1"
    host.path("/etc/diversite/settings").write_text(
        f"{together}\nnet.ipv4.ip_forward=1\nnet.ipv4.conf.all.rp_filter=2\n"
    )
    script = host.path(f"{units.SCRIPTS}/settings")
    said = run(*in_own_network("sh", "-ec", f"sh {script}; sysctl net.ipv4.ip_forward net.ipv4.tcp_retries2"))
    assert f"the kernel refuses {together}" in said
    assert "net.ipv4.ip_forward = 1" in said
    assert "net.ipv4.tcp_retries2 = 77" not in said
    metrics = host.path("/run/diversite/metrics/settings.prom").read_text()
    assert f'diversite_settings_refused{{settings="{together}"}} 1' in metrics
    assert 'diversite_settings_refused{settings="net.ipv4.ip_forward=1"} 0' in metrics


def test_every_hosts_settings_are_known_to_this_kernel(tmp_path: Path) -> None:
    """Those of the plan hold here; the pair that keeps connections needs Linux 6.15."""
    host = Rooted(tmp_path, "europe", "gateway-par")
    run(*in_own_network("sh", "-ec", f"sh {host.path(f'{units.SCRIPTS}/settings')}"))
    metrics = host.path("/run/diversite/metrics/settings.prom").read_text()
    refused = [line for line in metrics.splitlines() if line.endswith(" 1")]
    recent = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 15)
    assert [line for line in refused if recent or "tcp_rto_max_ms" not in line] == []


def test_nftables_accepts_every_host(venue: Booted, tmp_path: Path) -> None:
    """Each ruleset is loaded twice, in a network namespace of its own: the second load replaces the first."""
    for name, files in venue.files.items():
        (tmp_path / name).write_text(files["/etc/diversite/firewall.nft"])
    loads = "; ".join(f"nft -f {path}; nft -f {path}" for path in sorted(tmp_path.iterdir()))
    run(*in_own_network("sh", "-ec", loads))


def test_bird_accepts_every_router(venue: Booted, tmp_path: Path) -> None:
    """Each announces the whole network of its site, though no interface of it holds all of that."""
    for site, planned in venue.plan.sites.items():
        text = venue.files[venue.plan.gateway(site).name]["/etc/diversite/bird/bird.conf"]
        assert f"stubnet {planned.network};" in text
        assert "lan0" not in text
        (tmp_path / site).write_text(text)
        run("bird", "-p", "-c", str(tmp_path / site))


def test_haproxy_accepts_every_entrance(venue: Booted, tmp_path: Path) -> None:
    """`haproxy -c` finds no fault and warns of nothing."""
    for host in venue.plan.of_role("entry"):
        path = tmp_path / host.name
        path.write_text(venue.files[host.name]["/etc/diversite/haproxy/haproxy.cfg"])
        assert "WARNING" not in run("haproxy", "-c", "-f", str(path))


@pytest.mark.lab
def test_behind_hetzners_balancer_each_client_has_its_own_limit(tmp_path: Path) -> None:
    """One client's burst refuses no other; health checks and monitors need no PROXY protocol; nobody forges it."""
    venue = booted_venue("small")
    path = tmp_path / "haproxy.cfg"
    path.write_text(venue.files["entry-hel"]["/etc/diversite/haproxy/haproxy.cfg"])
    balancer = addresses.part(venue.plan.sites["hel"].network, "balancer")[5]
    program = (sys.executable, "-m", "tests.services.boot.balancer", str(path), str(balancer))
    command = in_own_network("--pid", "--fork", "--kill-child", *program)
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=True)
    seen = json.loads(result.stdout)
    assert seen["burst"] == [200, 429], result.stderr
    assert (seen["another"], seen["health"], seen["monitor"]) == (200, 200, 200), result.stderr
    assert (seen["orders at the metrics' port"], seen["forged"], seen["without"]) == (404, 0, 0), result.stderr


def test_a_tunnel_lets_in_its_own_far_end_alone(venue: Booted) -> None:
    """Each of a gateway's ports is open to one address."""
    for site in venue.plan.sites:
        rules = venue.files[venue.plan.gateway(site).name]["/etc/diversite/firewall.nft"]
        opened = [line for line in rules.splitlines() if "udp dport 51" in line]
        assert len(opened) == len(venue.plan.links_at(site))
        assert all("ip saddr" in line and "/" not in line for line in opened)


@pytest.mark.parametrize("site", ["par", "ldn", "nbg"])
def test_only_hetzners_gateways_lead_a_site_out(site: str) -> None:
    """AWS and Google have gateways of their own for that."""
    rules = booted_venue("europe").files[f"gateway-{site}"]["/etc/diversite/firewall.nft"]
    assert ("masquerade" in rules) == (site == "nbg")
