"""A validator: holds its own keys, and joins the genesis that all of them make together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.component import Component
from components.contract import HoldsKeys, PublicKeys
from components.node import MatchingEngine, NodeArgs
from diversite.errors import PlanError
from services import Facts, Service, ValidatorKeys, services_of

SERVICE = "cometbft"
"""What a validator runs."""


class Validator(Component):
    """A validator's host, and its consensus engine once the keys of all are known."""

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.host = args.host
        self._ground = args.ground
        machine = args.ground.machine(args.host, (), self)
        if not isinstance(machine, HoldsKeys):
            raise PlanError(f"{name}: {type(machine).__name__} does not tell its public keys; genesis needs them.")
        self._machine: HoldsKeys = machine
        self.keys: pulumi.Output[PublicKeys] = machine.keys(SERVICE)
        self.register_outputs({"address": str(args.host.address), "votingPower": args.host.voting_power})

    def join(self, facts: pulumi.Output[Facts], engines: Mapping[str, MatchingEngine]) -> None:
        """Start consensus, after the engine that executes its blocks."""

        def render(known: Facts) -> Service:
            (service,) = services_of(self._ground.plan, self.host, self._ground.paths(self.host), known)
            return service

        engine = engines[self.host.partner or ""]
        self._machine.start(facts.apply(render), SERVICE, engine.machine.ready)


def genesis(validators: Sequence[Validator]) -> pulumi.Output[Facts]:
    """What is known once every validator has its keys. The genesis time is that of the last key made."""

    def together(known: Mapping[str, Any]) -> Facts:
        return Facts(
            validators={
                name: ValidatorKeys(
                    public_key=keys.validator_public_key, address=keys.validator_address, node_id=keys.node_id
                )
                for name, keys in known.items()
            },
            genesis_time=max(keys.created_at for keys in known.values()),
        )

    return pulumi.Output.all(**{validator.host.key: validator.keys for validator in validators}).apply(together)
