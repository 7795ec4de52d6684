"""A validator: holds its own keys, and joins the genesis that all of them make together.

Where the machine tells its keys while it is deployed (the lab), genesis comes together within one `up`. In a cloud the
public keys were brought together before (`diversite keys`), and the boot script holds what they make; until then a
validator makes its keys and waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.component import Component
from components.contract import HoldsKeys, PublicKeys
from components.node import MatchingEngine, NodeArgs
from services import Facts, Service, ValidatorKeys, services_of

SERVICE = "cometbft"
"""What a validator runs."""


class Validator(Component):
    """A validator's host, and its consensus engine once the keys of all are known."""

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.host = args.host
        self._ground = args.ground
        self.machine = args.ground.machine(args.host, self._services(args.ground.known), self)
        self.register_outputs({"address": str(args.host.address), "votingPower": args.host.voting_power})

    def join(self, machine: HoldsKeys, facts: pulumi.Output[Facts], engines: Mapping[str, MatchingEngine]) -> None:
        """Start consensus, after the engine that executes its blocks."""
        engine = engines[self.host.partner or ""]
        machine.start(facts.apply(lambda known: self._services(known)[0]), SERVICE, engine.machine.ready)

    def _services(self, known: Facts | None) -> tuple[Service, ...]:
        paths = self._ground.paths(self.host)
        return services_of(self._ground.plan, self.host, paths, known) if known else ()


def begin(validators: Sequence[Validator], engines: Mapping[str, MatchingEngine]) -> None:
    """Let the validators whose machines tell their keys begin together."""
    telling = [(it, it.machine) for it in validators if isinstance(it.machine, HoldsKeys)]
    if not telling:
        return
    facts = genesis({validator.host.key: machine.keys(SERVICE) for validator, machine in telling})
    for validator, machine in telling:
        validator.join(machine, facts, engines)


def genesis(keys: Mapping[str, pulumi.Output[PublicKeys]]) -> pulumi.Output[Facts]:
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

    return pulumi.Output.all(**keys).apply(together)
