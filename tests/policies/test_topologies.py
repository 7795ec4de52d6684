"""A stack file that breaks an objective fails the preview of what it declares, with the rule that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

import offline
from components.venue import Venue, VenueArgs
from diversite import stackfile
from diversite.plan import plan
from tests.policies.pack import STACKS, Pack

ENGINES = """engines:
  par: {site: par, machine: c7i.xlarge}
  dub: {site: dub, machine: c7a.xlarge}
  ldn: {site: ldn, machine: c3d-standard-4}
  nbg: {site: nbg, machine: ccx23}"""

BREAKS = {
    "two validators at one site": (
        "  dub: {site: dub, machine: c7a.xlarge}",
        "  dub: {site: par, machine: c7a.xlarge}",
        "survive",
    ),
    "two sites at one place": ("aws/eu-west-1/euw1-az1", "aws/eu-west-3/euw3-az1", "survive"),
    "more power than a third": (
        "machine: ccx23}\nengines: *hosts",
        f"machine: ccx23, power: 3}}\n{ENGINES}",
        "survive",
    ),
    "a provider must be survived": (", outcome: halts_safely", "", "survive"),
    "everything over one carrier": ("transit-b", "transit-a", "disjoint-ways"),
    "one entrance": ("  nbg: {site: nbg, machine: ccx13}\n", "", "order-entry-at-two-sites"),
    "monitors at one site": (
        "  nbg: {site: nbg, machine: cax11}",
        "  nbg: {site: dub, machine: c7i.large}",
        "monitors-apart",
    ),
    "a quorum on the other side of the world": (
        "aws/eu-west-1/euw1-az1",
        "aws/ap-northeast-1/apne1-az1",
        "pair-latency",
    ),
    "terms that nobody accepted": (
        "  hetzner: {accepted_by: operations, accepted_on: 2026-11-22}\n",
        "",
        "terms-accepted",
    ),
    "terms accepted long ago": (
        "hetzner: {accepted_by: operations, accepted_on: 2026-11-22}",
        "hetzner: {accepted_by: operations, accepted_on: 2023-11-22}",
        "terms-accepted",
    ),
    "a recovery that nothing can keep": ("rto_seconds_max: 8", "rto_seconds_max: 0.2", "recovery"),
    "a file that is none": ("survive:", "survives:", "topology-known"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_topology_fails(name: str, tmp_path: Path) -> None:
    """The rule fires, mandatory, for what the broken file itself declares."""
    old, new, rule = BREAKS[name]
    text = (STACKS / "small.yaml").read_text()
    assert old in text
    path = tmp_path / "broken.yaml"
    path.write_text(text.replace(old, new))
    pack = Pack(path.with_suffix(""))
    try:
        findings = pack.judge(_declared(STACKS / "small.yaml" if rule == "topology-known" else path))
    finally:
        pack.close()
    assert rule in {finding.rule for finding in findings if finding.mandatory}


def _declared(path: Path) -> tuple[offline.Resource, ...]:
    planned = plan(stackfile.load(path))
    args = VenueArgs(plan=planned, substrate="lab", owner="p/s")
    return offline.record(lambda: _ignore(Venue(planned.venue, args))).resources


def _ignore(_: object) -> None: ...
