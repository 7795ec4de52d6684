"""A wire between two hosts: a bare pair of interfaces, netem on them where the kernel has it, or the relay.

A wire's record is `{inputs, kind, ends, fault, revision}`. The relay reads the records of its wires again at SIGHUP
and tells which revisions it obeys, so a change to one wire disturbs no other and is known to have happened.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from diversite.errors import LabError
from lab import commands, host, supervision
from lab.files import JsonObject, locked, read_json, write_json
from lab.inputs import WireEnd, WireInputs
from lab.world import World, wait_until

OBEYED_SECONDS_MAX = 5.0
OFFLOADS_OFF = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"]
NETEM_PACKETS_MAX = 100_000
_SIDES = ("a", "b")
_relay_start = threading.Lock()


def create(world: World, inputs: WireInputs) -> None:
    """Join two hosts, or find the wire as asked; one that differs or is half-made is made anew."""
    record = find(world, inputs.name)
    if record and WireInputs(**record["inputs"]) == inputs:
        return
    delete(world, inputs.name)
    try:
        _build(world, inputs)
    except BaseException:
        delete(world, inputs.name)
        raise


def update(world: World, inputs: WireInputs) -> None:
    """Change a wire's delay, jitter, loss, carrier or tags; packets on other wires notice nothing."""
    record = require(world, inputs.name)
    if kind_of(world, inputs) != record["kind"]:
        delete(world, inputs.name)
        _build(world, inputs)
        return
    _save(world, inputs, record["kind"], record["fault"])
    _obey(world, [inputs.name])


def set_faults(world: World, faults: dict[str, JsonObject]) -> None:
    """Put faults on wires, or `{}` to heal them, and return once they are in force.

    A fault has `cut` (`both`, `aToB`, `bToA`) and, on the relay's wires, `duplicatePerMillion`, `reorderPerMillion`
    and `corruptPerMillion`.
    """
    records = {name: require(world, name) for name in faults}
    for name, record in records.items():
        _save(world, WireInputs(**record["inputs"]), record["kind"], faults[name])
    _obey(world, list(faults))


def delete(world: World, name: str) -> None:
    """Remove a wire; what is gone already is no failure."""
    record = read_json(world.layout.wire_record(name))
    world.layout.wire_record(name).unlink(missing_ok=True)
    if record:
        _reload_relay(world)
        _delete_interfaces(world, record)
    else:
        _delete_links(world, [relay_interface(name, side) for side in _SIDES])


def find(world: World, name: str) -> JsonObject | None:
    """The record of a wire whose two ends are there; None if not."""
    record = read_json(world.layout.wire_record(name))
    return record if record and all(_has_end(world, record["inputs"][side]) for side in _SIDES) else None


def require(world: World, name: str) -> JsonObject:
    """The record of a wire; a LabError if there is none."""
    record = read_json(world.layout.wire_record(name))
    if record is None:
        raise LabError(f"lab {world.name!r} has no wire {name!r}: it has {', '.join(names(world)) or 'none'}")
    return record


def names(world: World) -> list[str]:
    """Every wire of the lab."""
    return sorted(path.stem for path in world.layout.wires.glob("[!.]*.json"))


def statistics(world: World) -> dict[str, Any]:
    """What the relay counts: wire name to its two directions' packets forwarded, lost, cut and overflowed."""
    told = read_json(world.layout.relay / "statistics.json") or {}
    return dict(told.get("wires", {}))


def kind_of(world: World, inputs: WireInputs) -> str:
    """How a wire with these inputs is made in this lab: `bare`, `netem` or `userspace`."""
    return world.wire_kind if inputs.impaired() else "bare"


def relay_interface(wire: str, side: str) -> str:
    """The relay's interface for one end of a wire, in the lab's own namespace."""
    return host.short_name(f"{side}-", wire)


def netem_arguments(inputs: WireInputs, interface: str) -> list[str]:
    """The command that makes an interface delay and lose what it sends, in order."""
    delay = ["delay", f"{inputs.delay_microseconds}us", f"{inputs.jitter_microseconds}us"]
    loss = ["loss", f"{inputs.loss_per_million / 10_000:.4f}%"]
    netem = ["netem", "limit", str(NETEM_PACKETS_MAX), *delay, *loss]
    return ["tc", "qdisc", "replace", "dev", interface, "root", "handle", "1:", *netem]


def _build(world: World, inputs: WireInputs) -> None:
    for end in (inputs.a, inputs.b):
        host.require(world, end.host)
    kind = kind_of(world, inputs)
    _delete_half_made(world, inputs, kind)
    world.run(["ip", "-batch", "-"], stdin=_relay_links(inputs) if kind == "userspace" else _direct_link(inputs))
    for end in (inputs.a, inputs.b):
        _set_up(world, inputs, end, kind)
    _save(world, inputs, kind, {})
    if kind == "userspace":
        _obey(world, [inputs.name])


def _delete_half_made(world: World, inputs: WireInputs, kind: str) -> None:
    """Delete the interfaces that a maker left which was killed before it wrote its record; a pair goes by one end."""
    if kind == "userspace":
        _delete_links(world, [relay_interface(inputs.name, side) for side in _SIDES])
    else:
        commands.attempt([*world.entering(inputs.a.host), "ip", "link", "delete", "dev", inputs.a.interface])


def _direct_link(inputs: WireInputs) -> str:
    a, b = inputs.a, inputs.b
    return f"link add name {a.interface} netns {a.host} type veth peer name {b.interface} netns {b.host}\n"


def _relay_links(inputs: WireInputs) -> str:
    ends = (("a", inputs.a), ("b", inputs.b))
    names = {side: relay_interface(inputs.name, side) for side in _SIDES}
    return "".join(
        f"link add name {names[side]} type veth peer name {end.interface} netns {end.host}\n"
        f"link set dev {names[side]} up\n"
        for side, end in ends
    )


def _set_up(world: World, inputs: WireInputs, end: WireEnd, kind: str) -> None:
    if kind != "bare":
        world.run(["ethtool", "-K", end.interface, *OFFLOADS_OFF], host=end.host)
    if kind == "netem":
        _apply_netem(world, inputs, end)
    lines = f"address add {end.address} dev {end.interface}\nlink set dev {end.interface} up\n"
    world.run(["ip", "-batch", "-"], host=end.host, stdin=lines)


def _apply_netem(world: World, inputs: WireInputs, end: WireEnd) -> None:
    world.run(netem_arguments(inputs, end.interface), host=end.host)
    if inputs.jitter_microseconds:
        # netem's own queue sorts by departure; a plain queue below it keeps the order.
        fifo = ["pfifo", "limit", str(NETEM_PACKETS_MAX)]
        world.run(["tc", "qdisc", "replace", "dev", end.interface, "parent", "1:1", *fifo], host=end.host)


def _save(world: World, inputs: WireInputs, kind: str, fault: JsonObject) -> None:
    record = {"inputs": inputs.record(), "kind": kind, "fault": fault, "revision": time.monotonic_ns()}
    record["ends"] = {side: relay_interface(inputs.name, side) for side in _SIDES}
    write_json(world.layout.wire_record(inputs.name), record)


def _obey(world: World, wires: list[str]) -> None:
    records = {name: require(world, name) for name in wires}
    if any(record["kind"] == "userspace" for record in records.values()):
        _start_relay(world)
        _reload_relay(world)
        _await_relay(world, {name: r["revision"] for name, r in records.items() if r["kind"] == "userspace"})
    for record in records.values():
        if record["kind"] != "userspace":
            _obey_in_kernel(world, record)


def _obey_in_kernel(world: World, record: JsonObject) -> None:
    inputs = WireInputs(**record["inputs"])
    for end in (inputs.a, inputs.b):
        if record["kind"] == "netem":
            _apply_netem(world, inputs, end)
        host.apply_firewall(world, end.host)


def _start_relay(world: World) -> None:
    """Have the relay supervised, once per lab."""
    with _relay_start, locked(world.layout.relay / ".starting"):
        if not supervision.exists(world, supervision.RELAY):
            supervision.start_relay(world, seed=int(world.record["seed"]))


def _reload_relay(world: World) -> None:
    if supervision.exists(world, supervision.RELAY):
        supervision.control(world, supervision.RELAY, "-h")


def _await_relay(world: World, revisions: dict[str, int]) -> None:
    path = world.layout.relay / "statistics.json"

    def obeyed() -> bool:
        told = (read_json(path) or {}).get("revisions", {})
        return all(told.get(name, 0) >= revision for name, revision in revisions.items())

    if not wait_until(obeyed, OBEYED_SECONDS_MAX):
        said = supervision.last_lines(world.layout.relay / "log")
        raise LabError(f"the relay did not take up wires {sorted(revisions)} in {OBEYED_SECONDS_MAX} s: {said}")


def _has_end(world: World, end: JsonObject) -> bool:
    if not world.has_namespace(end["host"]):
        return False
    shown = ["ip", "link", "show", "dev", end["interface"]]
    return commands.attempt([*world.entering(end["host"]), *shown]).returncode == 0


def _delete_interfaces(world: World, record: JsonObject) -> None:
    for side in _SIDES:
        end = record["inputs"][side]
        if world.has_namespace(end["host"]):
            deletion = ["ip", "link", "delete", "dev", end["interface"]]
            commands.attempt([*world.entering(end["host"]), *deletion])


def _delete_links(world: World, interfaces: list[str]) -> None:
    for interface in interfaces:
        commands.attempt([*world.entering(), "ip", "link", "delete", "dev", interface])
