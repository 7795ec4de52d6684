"""Whole venues as the lab's components declare them, right and wrong in one way each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from ipaddress import IPv4Address
from typing import Any

import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_hcloud as hcloud
from pulumi import ResourceOptions

import offline
from components.lab.resources import Keys, KeysArgs, Service, ServiceArgs, Wire, WireArgs, WireEnd
from components.venue import Venue, VenueArgs
from diversite import network, stackfile
from diversite.catalog import catalog
from diversite.plan import Detection, HealthCheck, Plan, plan
from tests.policies.pack import STACKS
from tests.policies.resources import Group, lab_host, tags

Change = Callable[[Plan], Plan]
Extra = Callable[[ResourceOptions], object]


def same(planned: Plan) -> Plan:
    """As it is."""
    return planned


def nothing(_options: ResourceOptions) -> None:
    """No further resource."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stack that a rule over the stack finds wrong: what differs from the topology, and what the pack is told."""

    rule: str
    says: str
    """A part of what is said."""
    change: Change = same
    beside: Extra = nothing
    topology: str = "small"
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: bool = False
    """Whether computed values are known, as in a second preview."""


def planned(topology: str) -> Plan:
    """The plan of one of this folder's stack files."""
    return plan(stackfile.load(STACKS / f"{topology}.yaml"))


def declared(case: Case) -> tuple[offline.Resource, ...]:
    """What the lab's components declare of a case."""
    source = case.topology if (STACKS / f"{case.topology}.yaml").exists() else "small"

    def program() -> None:
        venue = case.change(planned(source))
        Venue(venue.venue, VenueArgs(plan=venue, substrate="lab", owner="p/s"))
        case.beside(ResourceOptions(parent=Group("extra")))

    return offline.record(program, answer=_made if case.made else None).resources


def _made(_type: str, name: str, inputs: Any) -> dict[str, str]:
    return {
        "validatorPublicKey": b64encode(sha256(name.encode()).digest()).decode(),
        "validatorAddress": name.encode().hex().upper(),
        "nodeId": name.encode().hex(),
        "createdAt": "2026-11-22T00:00:00Z",
        "kept": inputs.get("document", ""),
    }


def hosts(*names: str, **changes: Any) -> Change:
    """Some hosts differently; of a role where a name is one."""
    return lambda it: replace(
        it,
        hosts={
            name: replace(host, **changes) if name in names or host.role in names else host
            for name, host in it.hosts.items()
        },
    )


def links(*names: str, **changes: Any) -> Change:
    """Some links differently."""
    return lambda it: replace(
        it, links={name: replace(link, **changes) if name in names else link for name, link in it.links.items()}
    )


def without(*names: str) -> Change:
    """Some hosts and links left out."""

    def change(it: Plan) -> Plan:
        left = {name: link for name, link in it.links.items() if name not in names}
        return replace(
            it,
            hosts={name: host for name, host in it.hosts.items() if name not in names},
            links=left,
            accesses={name: access for name, access in it.accesses.items() if name not in names},
            routes=network.routes(it.sites, left.values()),
        )

    return change


def at(site: str, place: str) -> Change:
    """A site somewhere else."""
    return lambda it: replace(it, sites={**it.sites, site: replace(it.sites[site], place=catalog().place(place))})


def timing(**changes: Any) -> Change:
    """Other time-outs."""
    return lambda it: replace(it, timing=replace(it.timing, **changes))


def _unknown_place(it: Plan) -> Plan:
    place = replace(it.sites["par"].place, id="aws/eu-west-3/euw3-az9")
    return replace(it, sites={**it.sites, "par": replace(it.sites["par"], place=place)})


def _fast_wire(it: Plan) -> Plan:
    link = it.links["par-nbg"]
    return links("par-nbg", rtt=replace(link.rtt, typical_ms=0.1))(it)


def _one_network(it: Plan) -> Plan:
    par = it.sites["par"].network
    moved = replace(it, sites={**it.sites, "dub": replace(it.sites["dub"], network=par)})
    return hosts("gateway-dub", address=it.sites["par"].gateway_address)(moved)


def _all_engines_at_par(it: Plan) -> Plan:
    return hosts("engine", site="par", machine="c7i.xlarge")(it)


def _mislabelled(options: ResourceOptions) -> None:
    lab_host(
        "astray", options, site="par", tags=tags("engine", node="engine-x", at="aws/eu-west-3/euw3-az1", site="dub")
    )


def _secrets(options: ResourceOptions) -> None:
    for name in ("one", "two"):
        gcp.compute.VPNTunnel(name, shared_secret="hunter2", opts=options)
    aws.ec2.VpnConnection("three", customer_gateway_id="c", type="ipsec.1", tags={"venue": "small"}, opts=options)


def _unlogged(options: ResourceOptions) -> None:
    aws.ec2.Vpc("unlogged", cidr_block="10.130.0.0/16", tags={"venue": "small"}, opts=options)


def _logged(options: ResourceOptions) -> None:
    vpc = aws.ec2.Vpc("logged", cidr_block="10.130.0.0/16", tags={"venue": "small"}, opts=options)
    aws.ec2.FlowLog("log", vpc_id=vpc.id, traffic_type="ALL", tags={"venue": "small"}, opts=options)


def _bare_volume(options: ResourceOptions) -> None:
    hcloud.Volume("bare", size=10, location="nbg1", labels={"venue": "small", "encryption": "none"}, opts=options)


def service(name: str, node: str, files: dict[str, str]) -> Extra:
    """A service of a host with these files."""
    role, _, site = node.partition("-")
    told = {"venue": "small", "site": site, "node": node, "role": role, "votingPower": "0"}

    def declare(options: ResourceOptions) -> None:
        Service(name, ServiceArgs(world="w", host=node, name=name, command=["x"], files=files, tags=told), options)

    return declare


def monitor(files: dict[str, str]) -> Extra:
    """A further monitor with these files."""

    def declare(options: ResourceOptions) -> None:
        told = tags("monitor", at="aws/eu-west-3/euw3-az1", machine="c7i.large", node="monitor-x", site="par")
        lab_host("monitor-x", options, site="par", tags=told)
        Service("x", ServiceArgs(world="w", host="h", name="p", command=["p"], files=files, tags=told), options)

    return declare


def _blind_router(options: ResourceOptions) -> None:
    told = tags("gateway", at=PARIS, machine="t3.small", node="gateway-x", site="par")
    lab_host("gateway-x", options, site="par", tags=told)
    service("blind", "gateway-x", {"/bird.conf": "router id 10.0.0.1;"})(options)


def _second_keys(options: ResourceOptions) -> None:
    host = lab_host(
        "twin", options, site="par", tags=tags(node="validator-par", site="par", at="aws/eu-west-3/euw3-az1")
    )
    for name in ("k1", "k2"):
        Keys(name, KeysArgs(world="w", host=host.id, path="/data"), options)


def _open_wire(options: ResourceOptions) -> None:
    ends = [lab_host(name, options, site="par") for name in ("x", "y")]
    a, b = (WireEnd(host=host.id, interface="x0", address="100.64.0.1/31") for host in ends)
    Wire("open", WireArgs(world="w", name="open", a=a, b=b, delay_microseconds=0, tags={"venue": "small"}), options)


TOKYO = "aws/ap-northeast-1/apne1-az1"
PARIS = "aws/eu-west-3/euw3-az1"

CASES = (
    Case(rule="topology-known", says="missing", topology="missing"),
    Case(rule="place-declared", says="the catalogue lacks one of them", change=_unknown_place),
    Case(rule="place-declared", says="'x99.huge'", change=hosts("engine-par", machine="x99.huge")),
    Case(rule="survive", says="any one site is lost", change=at("dub", PARIS)),
    Case(rule="survive", says="any one site is lost", change=hosts("validator-dub", site="par")),
    Case(rule="as-planned", says="no resource declares: entry-nbg", change=without("entry-nbg")),
    Case(
        rule="as-planned",
        says="validator-dub is not as planned: voting_power",
        change=hosts("validator-dub", voting_power=3),
    ),
    Case(rule="as-planned", says="does not know: monitor-x", beside=monitor({})),
    Case(rule="location-agrees", says="the tag `site` says dub", beside=_mislabelled),
    Case(rule="engines-apart", says="every engine stands in the site", change=_all_engines_at_par),
    Case(
        rule="monitors-apart",
        says="every monitor stands in the site",
        change=hosts("monitor-nbg", site="dub", machine="c7i.large"),
    ),
    Case(rule="order-entry-at-two-sites", says="at 1 place(s)", change=without("entry-nbg")),
    Case(rule="terms-accepted", says="nobody accepted the terms of aws", topology="careless"),
    Case(rule="domain-known", says="the hardware is not known", topology="careless"),
    Case(rule="hardware-of-two-vendors", says="processors of intel only", topology="careless"),
    Case(rule="share-of-a-provider", says="aws holds 66.7 %", topology="careless"),
    Case(rule="quorum-latency", says="quorum_rtt_ms_max of 1 ms", topology="careless"),
    Case(rule="pair-latency", says="pair_rtt_ms_max of 1 ms", topology="careless"),
    Case(rule="recovery", says="rto_seconds_max of 0.01 s", topology="careless"),
    Case(rule="above-the-floor", says="light in fibre takes", change=_fast_wire),
    Case(rule="time-outs-fit", says="needs", change=at("dub", TOKYO)),
    Case(rule="time-outs-fit", says="timeout_propose is 20 ms", change=timing(propose_ms=20), made=True),
    Case(rule="synchronous-replica", says="100 ms is the most", change=at("dub", TOKYO)),
    Case(rule="evidence-good", says="measured too long ago"),
    Case(rule="minimum-distance", says="km apart", settings={"advice": {"metroDistanceKmMin": 600}}),
    Case(rule="disjoint-ways", says="no link joins these parts", beside=lambda options: lab_host("far", options)),
    Case(rule="disjoint-ways", says="carrier:one", change=links(*planned("small").links, carrier="one")),
    Case(rule="private-only", says="8.8.8.8", change=hosts("engine-par", address=IPv4Address("8.8.8.8"))),
    Case(rule="private-only", says="no entrance", beside=_open_wire),
    Case(rule="encrypted", says="'backbone' joins", change=links("par-nbg", kind="backbone")),
    Case(rule="tunnel-secrets-differ", says="share one secret", beside=_secrets),
    Case(rule="tunnel-secrets-differ", says="tunnel1PresharedKey is not declared", beside=_secrets),
    Case(
        rule="detection-fast",
        says="BFD takes 1500 ms",
        change=lambda it: replace(it, detection=Detection(bfd_interval_ms=500)),
    ),
    Case(
        rule="detection-fast",
        says="3 of 3 links are not watched",
        beside=_blind_router,
    ),
    Case(rule="addresses-apart", says="overlap", change=_one_network),
    Case(rule="addresses-apart", says="2 hosts have the address", change=_one_network),
    Case(rule="mtu-fits", says="MTU is 1500", beside=service("wg", "gateway-par", {"/wg.conf": "MTU = 1500\n"})),
    Case(
        rule="health-checks-fast",
        says="notices a dead engine after",
        change=lambda it: replace(it, health_check=HealthCheck(interval_ms=5000)),
    ),
    Case(rule="reaches-two-sites", says="engines at 1 site(s)", change=_all_engines_at_par),
    Case(rule="every-node-watched", says="no monitor at another site", beside=_mislabelled),
    Case(rule="alerts-before-failures", says="a clock that drifts", beside=monitor({"/rules.yml": "groups: []\n"})),
    Case(rule="dead-mans-switch", says="no alert of monitor-x", beside=monitor({"/rules.yml": "groups: []\n"})),
    Case(rule="dead-mans-switch", says="has no route", beside=monitor({"/rules.yml": "expr: vector(1)\n"})),
    Case(rule="flow-logs", says="no FlowLog", beside=_unlogged),
    Case(rule="volumes-encrypted", says="the volume is not encrypted", beside=_bare_volume),
    Case(rule="one-signer-a-key", says="2 keys are made", beside=_second_keys),
    Case(rule="one-signer-a-key", says="2 hosts are the validator", beside=_second_keys),
    Case(rule="one-signer-a-key", says="2 signers run on validator-par", beside=service("twin", "validator-par", {})),
    Case(
        rule="double-sign-check",
        says="double_sign_check_height is 0",
        beside=service("bad", "validator-par", {"/config.toml": "[consensus]\n"}),
    ),
    Case(rule="few-enough", says="hosts are declared", settings={"size": {"hostsMax": 10}}),
    Case(rule="few-enough", says="resources are declared", settings={"size": {"resourcesMax": 20}}),
)
"""Every rule over the stack, wrong in each of its ways."""

PASSING = (
    Case(rule="small, first preview", says=""),
    Case(rule="small, second preview", says="", made=True),
    Case(rule="flow-logs", says="", beside=_logged),
)
"""Stacks in which nothing mandatory is wrong."""
