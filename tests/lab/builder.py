"""Builds a lab of every kind of resource in a process of its own, which a test may kill at any moment."""

from __future__ import annotations

from lab import host, keys, service, wire, world
from lab.inputs import KeysInputs, ServiceInputs
from lab.world import World
from tests.lab.conftest import NAME, OWNER, machine, router, wire_between


def build() -> World:
    """Two sites with a machine and a disk each, a slow wire between them, keys, and an answering service."""
    made = world.create(NAME, OWNER)
    for site in (1, 2):
        host.create(made, router(f"r{site}"))
        host.create(made, machine(f"h{site}", dataMebibytes=16))
    wire.create(made, wire_between("r1", "r2", delay_microseconds=2000))
    keys.create(made, KeysInputs(world=NAME, host="h1", path="/run/lab/hosts/h1/data/c", kind="cometbft"))
    for site in (1, 2):
        service.create(made, answering(f"h{site}"))
    return made


def answering(host_name: str, port: int = 8000, **changes: object) -> ServiceInputs:
    """A service that serves its directory by HTTP."""
    given = {
        "world": NAME,
        "host": host_name,
        "name": "web",
        "command": ["python3", "-I", "-m", "http.server", str(port)],
        "files": {f"/run/lab/hosts/{host_name}/etc/web/greeting": "hello\n"},
        "ready": {"kind": "http", "address": f"127.0.0.1:{port}", "secondsMax": 20},
    }
    return ServiceInputs.model_validate({**given, **changes})


if __name__ == "__main__":
    build()
