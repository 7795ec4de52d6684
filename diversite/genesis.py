"""What a chain began with, and what the stack file may still change of it.

    genesis_of(plan, keys, time)   what a chain of this plan begins with, decided once
    problems_of(genesis, plan)     what the plan asks of a chain that has begun, and cannot get
    changes_of(genesis, plan)      what it asks for and gets by an operator's transaction

A chain's genesis is the same on every validator for the whole life of the chain, and a plan changes. So genesis is
kept as it was first made (in a stack's keys file, or in a lab's state), and never rendered from an edited plan. A
validator that is planned and not in it joins later: it boots with the same genesis, takes the chain over from the
others, and gets its power by a transaction (`diversite power`, docs/runbooks/joining.md).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from diversite.errors import TopologyError
from diversite.plan import Plan
from diversite.rotation import in_units

KEY_BYTES = 32
"""An ed25519 or curve25519 public key."""
NOT_TRUE = frozenset({base64.b64encode(bytes(KEY_BYTES)).decode()})
"""What a tool that failed may print for a key."""
POWER_MAX = 2**53 - 1
"""Exact as a JSON number."""

ORDER_BYTES_MAX = 1024
BLOCK_BYTES_MAX = 512 * 1024
"""At least 500 orders a block. Larger blocks would outlast the propose time-out, which is made for small ones."""
EVIDENCE_BLOCKS_MAX = 50_000
EVIDENCE_SECONDS_MAX = 3600
"""Both within the blocks that a validator retains (20 a second at most), without which evidence cannot be verified."""


def _key(text: str) -> str:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base64") from None
    if len(key) != KEY_BYTES or base64.b64encode(key).decode() != text or text in NOT_TRUE:
        raise ValueError(f"is not the base64 of a public key, {KEY_BYTES} bytes")
    return text


Key = Annotated[str, AfterValidator(_key)]
Time = Annotated[str, StringConstraints(pattern=r"^20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{1,9})?Z$")]

Texts = Annotated[tuple[str, ...], Field(strict=False)]


class Part(BaseModel):
    """A part of a keys file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class GenesisValidator(Part):
    """A validator of the first block."""

    public_key: Key
    power: Annotated[int, Field(ge=1, le=POWER_MAX)]


class GenesisMarket(Part):
    """A market of the first block."""

    tick: Annotated[int, Field(ge=1)]
    lot: Annotated[int, Field(ge=1)]


class GenesisState(Part):
    """What all engines agree on from the first block: the `app_state`."""

    markets: dict[str, GenesisMarket]
    operators: Annotated[tuple[Key, ...], Field(strict=False)]
    """Who may change voting powers."""
    order_bytes_max: Annotated[int, Field(ge=1)]


class Genesis(Part):
    """What a chain began with."""

    chain: str
    """The venue's name then."""
    time: Time
    """RFC 3339, UTC: when the last validator's key was made. It never changes in the life of a chain."""
    validators: dict[str, GenesisValidator]
    """By the validator's key in the topology of then."""
    app_state: GenesisState
    consensus_params: dict[str, dict[str, str | Texts]]
    """As genesis.json has them."""

    def began_with(self, public_key: str) -> bool:
        """Whether a key voted on the first block."""
        return any(it.public_key == public_key for it in self.validators.values())


def genesis_of(plan: Plan, keys: Mapping[str, str], time: str) -> Genesis:
    """What a chain of this plan begins with; `keys`: the base64 public key of each validator, by its key."""
    return Genesis(
        chain=plan.venue,
        time=time,
        validators={
            host.key: GenesisValidator(public_key=keys[host.key], power=host.voting_power)
            for host in plan.of_role("validator")
        },
        app_state=_state_of(plan),
        consensus_params=_consensus_params(),
    )


def require_kept(genesis: Genesis, plan: Plan, where: str) -> None:
    """`TopologyError` where a plan asks of a chain what it cannot become any more; `where` says who told genesis."""
    found = tuple(f"{where}: {problem}" for problem in problems_of(genesis, plan))
    if found:
        raise TopologyError(found)


def problems_of(genesis: Genesis, plan: Plan) -> Iterator[str]:
    """What of a plan is other than what the chain began with, and no transaction changes."""
    wanted = _state_of(plan)
    if genesis.chain != plan.venue:
        yield f"genesis.chain: the chain is {genesis.chain}, and the stack file's venue {plan.venue}; {_BEGUN}"
    if (here := wanted.markets) != (there := genesis.app_state.markets):
        differ = sorted(name for name in {**here, **there} if here.get(name) != there.get(name))
        yield f"genesis.app_state.markets: the stack file's markets differ in {', '.join(differ)}; {_BEGUN}"
    if set(wanted.operators) != set(genesis.app_state.operators):
        differ = sorted(set(wanted.operators) ^ set(genesis.app_state.operators))
        yield f"genesis.app_state.operators: the stack file's operators differ in {', '.join(differ)}; {_BEGUN}"


def changes_of(genesis: Genesis, plan: Plan, keys: Mapping[str, str], stack: str) -> Iterator[str]:
    """What an operator's transaction brings, or has brought, to the chain, each with its command: who joins, who left,
    whose power is another.

    `keys`: the validators' base64 public keys as far as they are known. Powers that differ only by the offsets that fix
    the order of proposers are the same power to people, and are not told: a validator that joins moves some of them.
    """
    for name, says, options in _changes(genesis, plan, keys):
        yield f"{says}. Unless it is done: diversite power {stack} {name}{options} --operator FILE"


def _changes(genesis: Genesis, plan: Plan, keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    planned = {host.key: host.voting_power for host in plan.of_role("validator")}
    for name in planned:
        if name not in genesis.validators:
            yield name, f"validator {name} joins: the chain began without it", ""
    for name, began in genesis.validators.items():
        if name not in planned:
            yield began.public_key, f"validator {name} left: the chain began with it", " --to 0"
        elif keys.get(name, began.public_key) != began.public_key:
            yield name, f"validator {name} has a new key, and power by none yet", ""
            yield began.public_key, f"validator {name} has its old key no more", " --to 0"
        elif (now := in_units(planned[name])) != (then := in_units(began.power)):
            yield name, f"validator {name} has a power of {then} in genesis and {now} in the stack file", ""


_BEGUN = (
    "a chain that has begun keeps what it began with. Put the stack file back, or begin another chain "
    "(docs/runbooks/joining.md, What no transaction changes)"
)


def _state_of(plan: Plan) -> GenesisState:
    return GenesisState(
        markets={name: GenesisMarket(tick=it.tick, lot=it.lot) for name, it in plan.topology.markets.items()},
        operators=tuple(plan.topology.operators),
        order_bytes_max=ORDER_BYTES_MAX,
    )


def _consensus_params() -> dict[str, dict[str, str | Texts]]:
    return {
        "block": {"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": "-1"},
        "evidence": {
            "max_age_num_blocks": str(EVIDENCE_BLOCKS_MAX),
            "max_age_duration": str(EVIDENCE_SECONDS_MAX * 10**9),
            "max_bytes": str(BLOCK_BYTES_MAX // 8),
        },
        "validator": {"pub_key_types": ("ed25519",)},
        "version": {"app": "0"},
        "abci": {"vote_extensions_enable_height": "0"},
    }
