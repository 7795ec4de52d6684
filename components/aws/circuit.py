"""A path by way of Direct Connect: a carrier's lines, or the line that AWS and Google keep ready between them.

Both end at a Direct Connect gateway, which the region's transit gateway is associated with and which is told the
gateways' own addresses and nothing else. What a carrier must deliver first is ordered with the form that the component
registers; once it is there, its connections are named in the stack's settings, and only then is the rest made:

    diversite:circuits:
      <path>:
        - {connection: dxcon-…, vlan: <of the hosted connection>, asn: <of the carrier's router>}

Direct Connect answers BFD as soon as the other router asks. For AWS's own line to Google there is no resource yet:
its steps are registered, as commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.monitor import Watch, alarm
from components.aws.path_end import PathEndArgs
from diversite.catalog import catalog
from diversite.errors import PlanError
from diversite.underlay import Region, Underlay

SETTING = "circuits"
CONNECTION = re.compile(r"dx(con|lag)-[a-z0-9]{8,17}")
VLANS = range(1, 4095)
ASNS = range(1, 4_294_967_295)
MTU_BYTES = 1500
"""What carriers bring everywhere; a tunnel's packets fit in."""
LINES = 2
"""To ask for, in two buildings: AWS and Google both mend one while the other carries."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A connection that a carrier has delivered."""

    connection: str
    """Direct Connect's id of it, or of the bundle that it is in."""
    vlan: int
    asn: int
    """Of the router at its other end."""


class DirectConnect:
    """An end at a Direct Connect gateway."""

    def __init__(self, end: PathEndArgs) -> None:
        self._end = end
        self.gateway = aws.directconnect.Gateway(
            end.name, amazon_side_asn=str(_asn(end.region)), tags=end.tags, opts=end.component.child()
        )
        association = aws.directconnect.GatewayAssociation(
            end.name,
            dx_gateway_id=self.gateway.id,
            associated_gateway_id=end.transit.gateway.id,
            allowed_prefixes=[f"{address}/32" for address in end.path.gateways[end.region]],
            opts=end.component.child(),
        )
        end.transit.join(end.way(end.name, association.transit_gateway_attachment_id))
        self.offer: Mapping[str, pulumi.Output[str]] = {}


class Circuit(DirectConnect):
    """A carrier's lines."""

    def join(self, _offer: Mapping[str, pulumi.Output[str]]) -> Mapping[str, Any]:
        """Use the lines that are there; the form by which they are ordered comes back."""
        for number, line in enumerate(lines(self._end.path)):
            self._use(f"{self._end.name}-{number}", line)
        return {"order": order(self._end.path, self._end.region)}

    def _use(self, name: str, line: Line) -> None:
        end = self._end
        aws.directconnect.TransitVirtualInterface(
            name,
            connection_id=line.connection,
            dx_gateway_id=self.gateway.id,
            vlan=line.vlan,
            bgp_asn_long=str(line.asn),
            address_family="ipv4",
            mtu=MTU_BYTES,
            tags=end.tags,
            opts=pulumi.ResourceOptions.merge(
                end.component.child(), pulumi.ResourceOptions(additional_secret_outputs=["bgpAuthKey"])
            ),
        )
        alarm(name, cut(line, end.path), end.ground, end.tags, end.component.child())


class CrossCloud(DirectConnect):
    """The line that AWS and Google keep ready."""

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> Mapping[str, Any]:
        """The commands by which a person accepts Google's proposal."""
        key = offer.get("activation_key", pulumi.Output.from_input("<activation key>"))
        told = pulumi.Output.all(gateway=self.gateway.id, key=key)
        return {"steps": pulumi.Output.secret(told.apply(lambda it: steps(self._end.region, it["gateway"], it["key"])))}


def lines(path: Underlay) -> tuple[Line, ...]:
    """The lines of a path that the stack's settings name; `PlanError` where one of them cannot be one."""
    told = pulumi.Config("diversite").get_object(SETTING) or {}
    try:
        return tuple(_line(**item) for item in told.get(path.name, ()))
    except (AttributeError, TypeError, ValueError) as error:
        raise PlanError(
            f"stack setting diversite:{SETTING}.{path.name}: {error}; it is a list of maps with `connection` "
            f"(dxcon-…), `vlan` ({VLANS[0]} to {VLANS[-1]}) and `asn` ({ASNS[0]} to {ASNS[-1]}). Write what the "
            "carrier told in stacks/Pulumi.<stack>.yaml."
        ) from error


def order(path: Underlay, region: Region) -> dict[str, Any]:
    """What a carrier must be told, and what it tells in return."""
    bfd = catalog().limits(region.provider).bfd["circuit"]
    return {
        "carrier": path.carrier,
        "path": path.name,
        "lines": LINES,
        "ends": {f"{it.provider}/{it.name}": list(facilities(it)) for it in (path.a, path.b)},
        "aws": "a hosted connection on each line, in two of the buildings, for a transit virtual interface",
        "mtu_bytes": MTU_BYTES,
        "bfd": f"{bfd.interval_ms_min} ms x {bfd.multiplier_min}" if bfd else "none",
        "advertised": [f"{address}/32" for address in path.gateways[region]],
        "then": f"write connection, vlan and asn of each line to diversite:{SETTING}.{path.name}, and deploy again",
    }


def facilities(region: Region) -> Iterator[str]:
    """The buildings of a provider's on-ramps in a region's metros, by their codes."""
    here = (region.provider, region.name)
    metros = dict.fromkeys(it.metro for it in catalog().places.values() if (it.provider, it.region) == here)
    for metro in metros:
        for ramp in catalog().on_ramps(metro):
            if ramp.provider == region.provider:
                yield f"{', '.join(ramp.codes)}: {ramp.facility}"


def steps(region: Region, gateway: str, key: str) -> list[str]:
    """What a person does at AWS with the key that Google gave."""
    where = f"--region {region.name} --activation-key {key}"
    return [
        f"aws interconnect describe-connection-proposal {where}",
        f"aws interconnect accept-connection-proposal {where} --attach-point directConnectGateway={gateway}",
        f"aws interconnect list-connections --region {region.name}   # until its state is available",
    ]


def cut(line: Line, path: Underlay) -> Watch:
    """A line that is down."""
    return Watch(
        namespace="AWS/DX",
        metric="ConnectionState",
        statistic="Minimum",
        dimensions={"ConnectionId": line.connection},
        comparison="LessThanThreshold",
        says=f"{line.connection} of {path.name} is down: call {path.carrier}.",
    )


def _line(*, connection: str, vlan: int, asn: int) -> Line:
    if not CONNECTION.fullmatch(connection) or vlan not in VLANS or asn not in ASNS:
        raise ValueError(f"{connection} with VLAN {vlan} and ASN {asn} is no line")
    return Line(connection=connection, vlan=vlan, asn=asn)


def _asn(region: Region) -> int:
    """The next to the transit gateway's: AWS refuses the same for both."""
    return region.asn ^ 1
