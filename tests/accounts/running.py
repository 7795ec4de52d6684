"""What runs at the providers when a plan is deployed: recorded machines, filled in from planned hosts."""

from __future__ import annotations

from typing import Any

from components.contract import labels, tags
from diversite.plan import Host, Plan
from tests.accounts.answering import recorded

GOOGLE = "https://www.googleapis.com/compute/v1/projects/venue-prod"


def hetzner_server(plan: Plan, host: Host, **changes: Any) -> dict[str, Any]:
    """A server in the shape of Hetzner's API."""
    server: dict[str, Any] = recorded("hcloud/server.json")
    server |= {"name": host.name, "labels": labels(plan, host)}
    server["private_net"][0]["ip"] = str(host.address)
    server["server_type"]["name"] = host.machine
    return server | changes


def google_instance(plan: Plan, host: Host, **changes: Any) -> dict[str, Any]:
    """An instance in the shape of Google's API."""
    instance: dict[str, Any] = recorded("gcp/instance.json")
    zone = f"{GOOGLE}/zones/{plan.sites[host.site].place.zone}"
    instance |= {"name": host.name, "labels": labels(plan, host), "zone": zone}
    instance["machineType"] = f"{zone}/machineTypes/{host.machine}"
    instance["networkInterfaces"][0]["networkIP"] = str(host.address)
    return instance | changes


def aws_instance(plan: Plan, host: Host, **changes: str) -> str:
    """An instance as an item of EC2's XML."""
    told = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags(plan, host).items())
    values = {"state": "running", "machine": host.machine, "zone_name": "eu-west-3b", "group": "small-spread"}
    return str(recorded("aws/instance.xml").format(**values | {"address": host.address, "tags": told} | changes))
