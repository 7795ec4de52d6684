"""A host: a network namespace with its place on the site's LANs, its kernel settings, firewall and disk.

A site's LANs are bridges in its router's namespace. A host and its router may be made in either order: whoever comes
second joins them. A host's record is written last, so a host without a record was never finished.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from diversite.errors import LabError
from lab import commands, disk
from lab.files import JsonObject, read_json, write_json
from lab.inputs import HostInputs, Network
from lab.world import World, wait_until

ENDING_SECONDS_MAX = 5.0
_REFUSING = "lab_refused"
_QUIET = {
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
}
# A site's network is a switch: where Docker has loaded br_netfilter, frames between its hosts would meet the router's
# firewall.
_ROUTER = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "0",
    "net.bridge.bridge-nf-call-ip6tables": "0",
    "net.bridge.bridge-nf-call-arptables": "0",
}
# Takes pairs of path and value; a kernel without the setting is told, and is no failure.
_WRITE_SETTINGS = """
while [ $# -gt 0 ]; do
    if [ ! -e "$1" ]; then echo "$1: this kernel has no such setting"
    elif ! echo "$2" > "$1"; then echo "$1: the value $2 was refused"; fi
    shift 2
done
"""
_site_locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


def create(world: World, inputs: HostInputs) -> list[str]:
    """Make a host, or find it as asked; returns warnings. One that differs or is half-made is made anew."""
    if _stands(world, inputs):
        return []
    delete(world, inputs.name)
    try:
        warnings = _build(world, inputs)
        with _site_locks[world.name, inputs.site]:
            _join_site(world, inputs)
            write_json(world.layout.host_record(inputs.name), inputs.record())
    except BaseException:
        delete(world, inputs.name)
        raise
    return warnings


def update(world: World, inputs: HostInputs) -> list[str]:
    """Apply firewall, settings and tags to a host that stands; returns warnings."""
    warnings = _write_settings(world, inputs)
    write_json(world.layout.host_record(inputs.name), inputs.record())
    apply_firewall(world, inputs.name)
    return warnings


def delete(world: World, name: str) -> None:
    """Remove a host and all that runs on it; what is gone already is no failure."""
    end_processes(world, name)
    if world.has_namespace(name):
        _delete_links(world, name)
        world.run(["ip", "netns", "delete", name])
    disk.unmount(world, name)
    shutil.rmtree(world.layout.host(name), ignore_errors=True)


def find(world: World, name: str) -> JsonObject | None:
    """The inputs of a host that stands; None if it does not."""
    record = read_json(world.layout.host_record(name))
    return record if record and world.has_namespace(name) else None


def require(world: World, name: str) -> JsonObject:
    """The inputs of a host; a LabError if it does not stand."""
    record = find(world, name)
    if record is None:
        raise LabError(f"lab {world.name!r} has no host {name!r}: it has {', '.join(names(world)) or 'none'}")
    return record


def names(world: World) -> list[str]:
    """Every host of the lab that was finished."""
    return sorted(path.parent.name for path in world.layout.hosts.glob("*/host.json"))


def end_processes(world: World, name: str) -> None:
    """SIGKILL everything on a host at once and wait until it is gone."""
    for _ in range(10):
        running = world.processes(name)
        for pid in running:
            _kill(pid)
        if not running or wait_until(lambda: not world.processes(name), ENDING_SECONDS_MAX / 10):
            return
    raise LabError(f"processes {world.processes(name)} of host {name!r} outlived SIGKILL for {ENDING_SECONDS_MAX} s")


def apply_firewall(world: World, name: str) -> None:
    """Put the host's rules, the cuts of its wires and what it refuses from others in place, in one step."""
    record = require(world, name)
    rules = "flush ruleset\n" + (record.get("firewall") or "") + "\n" + _cuts(world, name) + _refused(world, name)
    world.run(["nft", "-f", "-"], host=name, stdin=rules)


def refuse(world: World, name: str, sources: Iterable[IPv4Network]) -> None:
    """Drop, unseen by the sender, what comes from these networks to a host's own; from none: nothing more.

    What a router only passes on, it passes on.
    """
    write_json(_refusals(world, name), {"sources": sorted(map(str, sources))})
    apply_firewall(world, name)


def refused_packets(world: World, name: str) -> int:
    """How many packets a host has dropped since it began to refuse."""
    listed = json.loads(world.run(["nft", "--json", "list", "ruleset"], host=name))["nftables"]
    rules = [it["rule"]["expr"] for it in listed if it.get("rule", {}).get("table") == _REFUSING]
    return sum(part["counter"]["packets"] for rule in rules for part in rule if "counter" in part)


def short_name(prefix: str, *parts: str) -> str:
    """An interface name of at most 15 characters that is the same for the same parts."""
    return prefix + hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


def _stands(world: World, inputs: HostInputs) -> bool:
    record = find(world, inputs.name)
    return record is not None and HostInputs(**record) == inputs


def _build(world: World, inputs: HostInputs) -> list[str]:
    for directory in ("etc", "data", "log", "services"):
        (world.layout.host(inputs.name) / directory).mkdir(parents=True)
    world.run(["ip", "netns", "add", inputs.name])
    warnings = _write_settings(world, inputs)
    world.run(["ip", "-batch", "-"], host=inputs.name, stdin=_links(inputs))
    if inputs.firewall:
        world.run(["nft", "-f", "-"], host=inputs.name, stdin=inputs.firewall)
    if inputs.data_mebibytes and world.images:
        disk.mount(world, inputs.name, inputs.data_mebibytes)
    return warnings


def _links(inputs: HostInputs) -> str:
    bridges = inputs.networks if inputs.kind == "router" else ()
    return "link set lo up\n" + "".join(
        f"link add name {bridge.interface} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n"
        f"address add {bridge.address} dev {bridge.interface}\n"
        f"link set dev {bridge.interface} up\n"
        for bridge in bridges
    )


def _write_settings(world: World, inputs: HostInputs) -> list[str]:
    asked = {name: str(value) for name, value in inputs.sysctls.items()}
    settings = _QUIET | (_ROUTER if inputs.kind == "router" else {}) | asked
    pairs = [word for name, value in settings.items() for word in (_setting_path(name), value)]
    said = world.run(["sh", "-c", _WRITE_SETTINGS, "sh", *pairs], host=inputs.name)
    return [f"host {inputs.name}: {line}" for line in said.splitlines() if any(_setting_path(n) in line for n in asked)]


def _setting_path(name: str) -> str:
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def _delete_links(world: World, name: str) -> None:
    """Delete a host's wires and ports now: with the namespace alone they would go some time later."""
    listed = world.run(["ip", "-brief", "link", "show", "type", "veth"], host=name)
    links = [line.split("@")[0].split()[0] for line in listed.splitlines()]
    deletions = "".join(f"link delete dev {link}\n" for link in links)
    # One whose other end goes at the same time is gone already.
    commands.attempt([*world.entering(name), "ip", "-force", "-batch", "-"], deletions)


def _join_site(world: World, inputs: HostInputs) -> None:
    if inputs.kind == "router":
        for host in _of_site(world, inputs.site, "host"):
            _join(world, inputs, host)
    else:
        for router in _of_site(world, inputs.site, "router"):
            _join(world, router, inputs)


def _of_site(world: World, site: str, kind: str) -> list[HostInputs]:
    records = (find(world, name) for name in names(world))
    return [HostInputs(**record) for record in records if record and (record["site"], record["kind"]) == (site, kind)]


def _join(world: World, router: HostInputs, host: HostInputs) -> None:
    bridges = {network.name: network.interface for network in router.networks}
    joined = [(network, bridges[network.name]) for network in host.networks if network.name in bridges]
    if not joined:
        return
    world.run(["ip", "-batch", "-"], stdin="".join(_pair(router, host, network) for network, _ in joined))
    ports = "".join(f"link set dev {_port(host, network)} master {bridge} up\n" for network, bridge in joined)
    world.run(["ip", "-batch", "-"], host=router.name, stdin=ports)
    world.run(["ip", "-batch", "-"], host=host.name, stdin=_addresses(host, [network for network, _ in joined]))


def _pair(router: HostInputs, host: HostInputs, network: Network) -> str:
    ours = f"link add name {network.interface} netns {host.name}"
    return f"{ours} type veth peer name {_port(host, network)} netns {router.name}\n"


def _port(host: HostInputs, network: Network) -> str:
    return short_name("p-", host.name, network.name)


def _addresses(host: HostInputs, networks: Iterable[Network]) -> str:
    lines = [
        f"address add {network.address} dev {network.interface}\nlink set dev {network.interface} up\n"
        for network in networks
    ]
    reachable = any(host.gateway in network.address.network for network in networks if host.gateway)
    return "".join(lines) + (f"route replace default via {host.gateway}\n" if reachable else "")


def _cuts(world: World, host: str) -> str:
    """Rules that drop, unseen by the sender, what arrives at the host over a cut wire of the kernel's."""
    interfaces = _cut_interfaces(world, host)
    drops = "".join(f'    iifname "{interface}" counter drop\n' for interface in interfaces)
    chain = f"  chain arriving {{\n    type filter hook prerouting priority -450;\n{drops}  }}\n"
    return f"table inet lab_cut {{\n{chain}}}\n" if interfaces else ""


def _refused(world: World, host: str) -> str:
    sources: list[str] = (read_json(_refusals(world, host)) or {}).get("sources", [])
    own = [IPv4Interface(network["address"]).network for network in require(world, host)["networks"]]
    drops = "".join(f"    ip saddr {source} ip daddr {to} counter drop\n" for source in sources for to in own)
    chain = f"  chain arriving {{\n    type filter hook prerouting priority -440;\n{drops}  }}\n"
    return f"table inet {_REFUSING} {{\n{chain}}}\n" if sources else ""


def _refusals(world: World, host: str) -> Path:
    return world.layout.host(host) / "refusals.json"


def _cut_interfaces(world: World, host: str) -> list[str]:
    wires = [read_json(path) or {} for path in world.layout.wires.glob("*.json")]
    ends = [(wire, side) for wire in wires if wire.get("kind") in ("bare", "netem") for side in ("a", "b")]
    arriving = {"a": ("both", "bToA"), "b": ("both", "aToB")}
    return sorted(
        wire["inputs"][side]["interface"]
        for wire, side in ends
        if wire["inputs"][side]["host"] == host and wire["fault"].get("cut") in arriving[side]
    )


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
