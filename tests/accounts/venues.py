"""The venue that the accounts' tests ask about: four sites, three providers, images pinned, terms accepted."""

from __future__ import annotations

from typing import Any

from diversite.plan import Plan, plan
from diversite.topology import Topology
from tests.support.venues import mesh

AWS_ACCOUNT, PROJECT, LABEL = "123456789012", "venue-prod", "venue-production"
EXPECTED = {"aws": AWS_ACCOUNT, "gcp": PROJECT, "hetzner": LABEL}
PLACES = {
    "par": "aws/eu-west-3/euw3-az1",
    "dub": "aws/eu-west-1/euw1-az1",
    "sto": "gcp/europe-north2/europe-north2-a",
    "nbg": "hetzner/eu-central/nbg1",
}
MACHINES = {"aws": "c7i.xlarge", "gcp": "c3-standard-4", "hetzner": "ccx23"}
IMAGES = {
    "gcp": {"x86_64": "projects/debian-cloud/global/images/debian-12-bookworm-v20261014"},
    "hetzner": {"x86_64": "114690387"},
}
ON = "2026-11-22"


def venue(*keys: str, images: dict[str, Any] | None = None, **changes: Any) -> Plan:
    """The plan of the venue's sites of these keys, of all where none are given."""
    sites = list(keys or PLACES)
    hosts = {key: {"site": key, "machine": MACHINES[PLACES[key].partition("/")[0]]} for key in sites}
    document = {
        "venue": "small",
        "survive": [{"any": "host"}],
        "sites": {key: {"at": PLACES[key]} for key in sites},
        "validators": hosts,
        "engines": hosts,
        "links": mesh(sites),
        "order_entry": {key: hosts[key] for key in sites[:2]},
        "monitoring": {key: hosts[key] for key in sites[-2:]},
        "images": IMAGES | (images or {}),
        "terms": {name: {"accepted_by": "the lead of operations", "accepted_on": ON} for name in MACHINES},
    }
    return plan(Topology.model_validate(document | changes))
