"""A validator: holds its own keys, and joins the genesis that the first of them made together.

Where the machine tells its keys while it is deployed (the lab), genesis comes together within the first `up`, and its
sibling's foundation keeps it. In a cloud the public keys were brought together before (`diversite keys`), their file
keeps genesis, and the boot script holds what they make; until then a validator makes its keys and waits. A validator
that comes later gets the same genesis, and its power by an operator's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.component import Component
from components.contract import HoldsKeys, KeepsGenesis, PublicKeys
from components.node import Ground, MatchingEngine, NodeArgs
from diversite.errors import TopologyError
from diversite.genesis import Genesis, changes_of, genesis_of, require_kept
from diversite.plan import Plan
from services import Facts, Service, ValidatorKeys, services_of

SERVICE = "cometbft"
"""What a validator runs."""
Known = Mapping[str, PublicKeys]
"""The public keys of the validators, by key."""


class Validator(Component):
    """A validator's host, and its consensus engine once the keys of all are known."""

    def __init__(self, name: str, args: NodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.host = args.host
        self.ground: Ground = args.ground
        self.machine = args.ground.machine(args.host, self._services(args.ground.known), self)
        self.register_outputs({"address": str(args.host.address), "votingPower": args.host.voting_power})

    def join(self, machine: HoldsKeys, facts: pulumi.Output[Facts], engines: Mapping[str, MatchingEngine]) -> None:
        """Start consensus, after the engine that executes its blocks."""
        engine = engines[self.host.partner or ""]
        machine.start(facts.apply(lambda known: self._services(known)[0]), SERVICE, engine.machine.ready)

    def _services(self, known: Facts | None) -> tuple[Service, ...]:
        """None before its own keys are known: in a cloud one that joins makes them at its first boot, and waits."""
        paths = self.ground.paths(self.host)
        mine = known is not None and self.host.key in known.validators
        return services_of(self.ground.plan, self.host, paths, known) if mine else ()


def begin(validators: Sequence[Validator], engines: Mapping[str, MatchingEngine]) -> None:
    """Let the validators whose machines tell their keys begin together, or join what they began."""
    telling = [(it, it.machine) for it in validators if isinstance(it.machine, HoldsKeys)]
    if not telling:
        return
    facts = begun(telling[0][0].ground, {validator.host.key: machine.keys(SERVICE) for validator, machine in telling})
    for validator, machine in telling:
        validator.join(machine, facts, engines)


def begun(ground: Ground, keys: Mapping[str, pulumi.Output[PublicKeys]]) -> pulumi.Output[Facts]:
    """What is known once every validator has its keys, and what the chain began with is kept."""
    known: pulumi.Output[Any] = pulumi.Output.all(**keys)
    (keeper,) = (it for it in {*ground.foundations.values()} if isinstance(it, KeepsGenesis))
    kept = keeper.keep(known.apply(lambda told: _first(ground.plan, told).model_dump_json()))
    return pulumi.Output.all(known, kept).apply(lambda both: _facts(ground.plan, *both))


def tell(genesis: Genesis, plan: Plan, keys: Mapping[str, str]) -> None:
    """What of the plan an operator's transaction brings to the chain, to whoever deploys."""
    for change in changes_of(genesis, plan, keys, pulumi.get_stack()):
        pulumi.log.info(change)


def _first(plan: Plan, told: Known) -> Genesis:
    """The genesis time is that of the last key made."""
    keys = {name: it.validator_public_key for name, it in told.items()}
    return genesis_of(plan, keys, max(it.created_at for it in told.values()))


def _facts(plan: Plan, told: Known, kept: str) -> Facts:
    genesis = Genesis.model_validate_json(kept)
    try:
        require_kept(genesis, plan, "this chain")
    except TopologyError as error:
        raise pulumi.RunError(str(error)) from error
    tell(genesis, plan, {name: it.validator_public_key for name, it in told.items()})
    return Facts(validators={name: _keys(it) for name, it in told.items()}, genesis=genesis)


def _keys(told: PublicKeys) -> ValidatorKeys:
    return ValidatorKeys(public_key=told.validator_public_key, address=told.validator_address, node_id=told.node_id)
