"""The lab's ground: one world that holds every host, and the internet that its clients come from."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.component import Component
from components.contract import FoundationArgs
from components.lab.resources import Genesis, GenesisArgs, Host, HostArgs, World, WorldArgs

INTERNET = "internet"
"""The host from which clients reach the entrances; the load of a rehearsal runs there."""


class Foundation(Component):
    """The lab's world, with nothing in it but the clients' side."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.endpoints: Mapping[str, pulumi.Output[str]] = {}
        stack = args.owner.rsplit("/", 1)[-1]
        self.world = World("world", WorldArgs(name=stack, owner=args.owner), self.child())
        self.internet = Host(
            INTERNET,
            HostArgs(
                world=self.world.id,
                name=INTERNET,
                site=INTERNET,
                kind="host",
                networks=[],
                tags={
                    "venue": args.plan.venue,
                    "site": INTERNET,
                    "node": INTERNET,
                    "role": "client",
                    "votingPower": "0",
                },
            ),
            self.child(),
        )
        self.register_outputs({"world": self.world.id})

    def keep(self, document: pulumi.Output[str]) -> pulumi.Output[str]:
        """What the lab's chain began with: the first document ever given."""
        args = GenesisArgs(world=self.world.id, document=document)
        first = pulumi.ResourceOptions(ignore_changes=["document"])
        return Genesis("genesis", args, pulumi.ResourceOptions.merge(self.child(), first)).kept
