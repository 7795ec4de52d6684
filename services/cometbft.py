"""CometBFT: a validator's configuration, the genesis of the chain, and how the process starts.

Only what differs from CometBFT's own defaults is written; it fills in the rest. The home is the `etc` directory, so
that nothing mutable lies beside the configuration: keys, the sign state and the chain are under `data` by absolute
path, where the keys were made (`<data>/config/priv_validator_key.json`, `<data>/config/node_key.json`,
`<data>/data/priv_validator_state.json`).
"""

from __future__ import annotations

import json

from diversite import ports
from diversite.errors import PlanError
from diversite.genesis import ORDER_BYTES_MAX, Genesis, GenesisValidator
from diversite.keys import address_of
from diversite.plan import Host, Plan
from services import statesync
from services.facts import Facts
from services.service import Paths, Ready, Service
from services.writing import Table, toml

NAME = "cometbft"

DOUBLE_SIGN_CHECK_BLOCKS = 200
"""How far a signer without a past looks back for its own signature. A far validator's vote is not in every commit when
`timeout_commit` is 0, but in every one that it proposes; 200 blocks hold dozens of turns of a venue of seven."""
BLOCKS_RETAINED = 100_000
MEMPOOL_ORDERS_MAX = 10_000
PEER_RATE_BYTES_PER_SECOND = 20_000_000
"""Four times the default, for a node that catches up; consensus itself needs a hundredth of it."""
INBOUND_PEERS_MIN = 40


def service(plan: Plan, host: Host, paths: Paths, facts: Facts) -> Service:
    """The validator process of a host; its engine must listen before it starts."""
    begun = _begun(host, facts)
    asked = statesync.servers(plan, host) if paths.cloud else ()
    joins = not begun.began_with(facts.validators[host.key].public_key)
    return Service(
        name=NAME,
        command=("sh", f"{paths.etc}/start"),
        files={
            f"{paths.etc}/config/config.toml": config(plan, host, paths, facts),
            f"{paths.etc}/config/genesis.json": genesis(begun, brief=paths.cloud),
            f"{paths.etc}/start": start(paths, asked, joins=joins),
        },
        ready=Ready(kind="http", address=f"{host.address}:{ports.COMETBFT_RPC}", path="/health"),
    )


def start(paths: Paths, asked: tuple[str, ...] = (), *, joins: bool = False) -> str:
    """The start script: CometBFT with its double-sign check, lifted where the sign state vouches for itself.

    With the check, a validator refuses to start while its signature is in the last blocks. After a halt that is true of
    every signer that stood in the last commit, and the chain that they wait for cannot go on without them: the check
    alone would turn a power cut of a third of the venue into an outage that only a person ends. The sign state is
    written and synced before a signature leaves, so a signer that has one needs no check. One without (a new disk under
    an old key) does, and keeps refusing until the chain shows no signature of that key. `asked`: from whom it learns
    what a snapshot must be true to; a lab's chain is young, and is replayed. `joins`: the chain began without it.
    """
    home = f"cometbft start --home {paths.etc}"
    return (
        "#!/bin/sh\n"
        f"{statesync.script(asked, f'{paths.data}/data/cs.wal/wal', joins=joins)}"
        "# A sign state with a height was synced before each signature: it guards by itself.\n"
        f"""if grep -q '"height": "[1-9]' {paths.data}/data/priv_validator_state.json; then\n"""
        f"  exec {home} --consensus.double_sign_check_height 0\n"
        "fi\n"
        "# No signature was made on this disk: refuse while another signer with this key may be alive.\n"
        f"exec {home}\n"
    )


def config(plan: Plan, host: Host, paths: Paths, facts: Facts) -> str:
    """`config.toml` of a validator."""
    tables = {
        "": _base(plan, host, paths),
        "rpc": _rpc(host),
        "p2p": _p2p(plan, host, paths, facts),
        "mempool": _mempool(),
        "consensus": _consensus(plan, paths),
        "storage": {"discard_abci_responses": False},  # they tell an order executed twice from one that a block repeats
        "tx_index": {"indexer": "null"},  # engines remember every order's outcome themselves
        "instrumentation": _instrumentation(plan, host),
    }
    if paths.cloud and len(asked := statesync.servers(plan, host)) > 1:
        tables["statesync"] = statesync.table(asked)
    return toml(tables)


def genesis(begun: Genesis, *, brief: bool = False) -> str:
    """`genesis.json`: who votes with which power, and the venue's markets. The same on every validator, for ever.

    `brief`: without names, and without the addresses that CometBFT works out; a boot script has little room.
    """
    document = {
        "genesis_time": begun.time,
        "chain_id": begun.chain,
        "initial_height": "1",
        "consensus_params": begun.consensus_params,
        "validators": [_genesis_validator(name, it, brief) for name, it in begun.validators.items()],
        "app_hash": "",
        "app_state": begun.app_state.model_dump(mode="json"),
    }
    return json.dumps(document, indent=None if brief else 2) + "\n"


def _begun(host: Host, facts: Facts) -> Genesis:
    if facts.genesis is None:
        raise PlanError(f"host {host.name}: its chain's genesis is not known; make the validators' keys first")
    return facts.genesis


def _base(plan: Plan, host: Host, paths: Paths) -> Table:
    return {
        "moniker": host.name,
        "proxy_app": f"{_engine(plan, host).address}:{ports.COMETBFT_ABCI}",  # gRPC refuses the form with tcp://
        "abci": "grpc",
        "db_dir": f"{paths.data}/data",
        "genesis_file": f"{paths.etc}/config/genesis.json",
        "priv_validator_key_file": f"{paths.data}/config/priv_validator_key.json",
        "priv_validator_state_file": f"{paths.data}/data/priv_validator_state.json",
        "node_key_file": f"{paths.data}/config/node_key.json",
        "log_level": "main:info,statesync:info,*:error",  # a line for each step of each block costs more than the block
        "log_format": "plain",
    }


def _engine(plan: Plan, host: Host) -> Host:
    return plan.hosts[host.partner or ""]


def _rpc(host: Host) -> Table:
    return {"laddr": f"tcp://{host.address}:{ports.COMETBFT_RPC}", "timeout_broadcast_tx_commit": "10s"}


def _p2p(plan: Plan, host: Host, paths: Paths, facts: Facts) -> Table:
    known = [other for other in plan.of_role("validator") if other.key in facts.validators]
    others = [other for other in known if other.name != host.name]
    ids = {other.key: facts.validators[other.key].node_id for other in others}
    return {
        "laddr": f"tcp://{host.address}:{ports.COMETBFT_P2P}",
        "persistent_peers": ",".join(f"{ids[it.key]}@{it.address}:{ports.COMETBFT_P2P}" for it in others),
        "unconditional_peer_ids": ",".join(ids.values()),
        "max_num_inbound_peers": max(INBOUND_PEERS_MIN, 2 * len(others)),
        "addr_book_file": f"{paths.data}/config/addrbook.json",
        "addr_book_strict": False,  # private addresses
        "allow_duplicate_ip": True,
        "pex": False,
        "flush_throttle_timeout": _milliseconds(plan.timing.flush_throttle_ms),
        "send_rate": PEER_RATE_BYTES_PER_SECOND,
        "recv_rate": PEER_RATE_BYTES_PER_SECOND,
        "dial_timeout": "2s",
        "handshake_timeout": "5s",
    }


def _mempool() -> Table:
    return {
        "recheck": False,  # an order that has become invalid is refused, with its reason, in the block that it is in
        "size": MEMPOOL_ORDERS_MAX,
        "max_txs_bytes": MEMPOOL_ORDERS_MAX * ORDER_BYTES_MAX,
        "max_tx_bytes": ORDER_BYTES_MAX,
        "cache_size": 2 * MEMPOOL_ORDERS_MAX,
    }


def _consensus(plan: Plan, paths: Paths) -> Table:
    timing = plan.timing
    return {
        "wal_file": f"{paths.data}/data/cs.wal/wal",
        "timeout_propose": _milliseconds(timing.propose_ms),
        "timeout_propose_delta": _milliseconds(timing.propose_delta_ms),
        "timeout_prevote": _milliseconds(timing.prevote_ms),
        "timeout_prevote_delta": _milliseconds(timing.prevote_delta_ms),
        "timeout_precommit": _milliseconds(timing.precommit_ms),
        "timeout_precommit_delta": _milliseconds(timing.precommit_delta_ms),
        "timeout_commit": _milliseconds(timing.commit_ms),
        "skip_timeout_commit": True,
        "double_sign_check_height": DOUBLE_SIGN_CHECK_BLOCKS,
        "create_empty_blocks": True,
        "create_empty_blocks_interval": _milliseconds(timing.empty_blocks_interval_ms),
        "peer_gossip_sleep_duration": _milliseconds(timing.gossip_sleep_ms),
    }


def _instrumentation(plan: Plan, host: Host) -> Table:
    return {
        "prometheus": True,
        "prometheus_listen_addr": f"{host.address}:{ports.COMETBFT_METRICS}",
        "max_open_connections": 2 * len(plan.of_role("monitor")) + 1,
    }


def _genesis_validator(name: str, validator: GenesisValidator, brief: bool) -> dict[str, object]:
    needed: dict[str, object] = {
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": validator.public_key},
        "power": str(validator.power),
    }
    return needed if brief else {"address": address_of(validator.public_key), **needed, "name": name}


def _milliseconds(value: float) -> str:
    return f"{value:g}ms"
