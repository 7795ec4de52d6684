"""Google's end of a carrier's circuit: two attachments of Partner Interconnect in two availability domains of the edge.

The carrier makes the rest: it takes the pairing keys, which are the order form, and brings each attachment to the other
provider's on-ramp. Only then does Google make the attachments' routing sessions, by itself and under names of its own;
so no resource here can set their timers, and the order form says what to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_gcp as gcp

from components.component import Component
from components.contract import AttachmentArgs
from components.gcp import names
from components.gcp.foundation import PROVIDER, Foundation
from diversite.catalog import catalog
from diversite.underlay import Region

PARTNER_ASN = 16550
"""Google's rule for a router whose sessions a partner's attachments make."""
EDGE_DOMAINS = (1, 2)
MTU_BYTES = 1500
"""What carriers bring everywhere; a tunnel's packets fit in."""


class Circuit(Component):
    """Two attachments and their router."""

    def __init__(self, name: str, args: AttachmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self._name, self._args = name, args
        self.router = self._router()
        self.attachments = {domain: self._attachment(domain) for domain in EDGE_DOMAINS}
        self.offer: Mapping[str, pulumi.Output[str]] = {
            f"pairing_key{domain}": pulumi.Output.secret(it.pairing_key) for domain, it in self.attachments.items()
        }
        self.order: Mapping[str, pulumi.Input[Any]] = {**order(args), **self.offer}
        self.register_outputs({"order": self.order})

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None:
        """Nothing is left to make: the routes come from the carrier's sessions."""

    def _router(self) -> gcp.compute.Router:
        region = self._args.region
        return gcp.compute.Router(
            self._name,
            name=names.named(self._args.plan, self._name),
            network=cast(Foundation, self._args.foundation).projects[region.account].network.vpc.id,
            region=region.name,
            bgp={
                "asn": PARTNER_ASN,
                "advertise_mode": "CUSTOM",
                "advertised_groups": [],
                "advertised_ip_ranges": [{"range": f"{it}/32"} for it in self._args.underlay.gateways[region]],
            },
            opts=self.child(),
        )

    def _attachment(self, domain: int) -> gcp.compute.InterconnectAttachment:
        name = f"{self._name}-{domain}"
        return gcp.compute.InterconnectAttachment(
            name,
            name=names.named(self._args.plan, name),
            router=self.router.id,
            region=self._args.region.name,
            type="PARTNER",
            edge_availability_domain=f"AVAILABILITY_DOMAIN_{domain}",
            admin_enabled=True,
            encryption="NONE",
            stack_type="IPV4_ONLY",
            mtu=str(MTU_BYTES),
            description=f"{self._args.underlay.carrier}: {', '.join(self._args.underlay.links)}",
            labels=names.labels(self._args.plan, carrier=self._args.underlay.carrier),
            opts=pulumi.ResourceOptions.merge(
                self.child(), pulumi.ResourceOptions(additional_secret_outputs=["pairing_key"])
            ),
        )


def order(args: AttachmentArgs) -> Mapping[str, object]:
    """What the carrier must be told beside the pairing keys, and what to set once it has delivered."""
    bfd = catalog().limits(PROVIDER).bfd["circuit"]
    return {
        "carrier": args.underlay.carrier,
        "from": f"{PROVIDER}/{args.region.name}",
        "to": f"{args.underlay.far(args.region).provider}/{args.underlay.far(args.region).name}",
        "facilities": facilities(args.region),
        "mtu_bytes": MTU_BYTES,
        **({"bfd": f"{bfd.interval_ms_min} ms x {bfd.multiplier_min}"} if bfd else {}),
    }


def facilities(region: Region) -> list[str]:
    """The buildings of Google's on-ramps in a region's metro, each once."""
    metro = catalog().regions[PROVIDER, region.name].zones
    place = next(it for it in catalog().places.values() if it.provider == PROVIDER and it.zone in metro)
    return list(dict.fromkeys(it.facility for it in catalog().on_ramps(place.metro) if it.provider == PROVIDER))
