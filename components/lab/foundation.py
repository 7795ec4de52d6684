"""The lab's ground: one world that holds every host, and records which stack owns it."""

from __future__ import annotations

import pulumi

from components.component import Component
from components.contract import FoundationArgs
from components.lab.resources import World, WorldArgs


class Foundation(Component):
    """The lab's world."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        stack = args.owner.rsplit("/", 1)[-1]
        self.world = World("world", WorldArgs(name=stack, owner=args.owner), self.child())
        self.register_outputs({"world": self.world.id})
