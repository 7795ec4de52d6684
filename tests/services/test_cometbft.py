"""CometBFT itself takes the rendered configuration: every key is one of its own, and a chain runs and recovers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from diversite import genesis
from diversite.plan import Plan
from services import Facts, ValidatorKeys, cometbft, services_of
from tests.services.venues import (
    europe,
    facts_of,
    genesis_with,
    in_own_network,
    paths_below,
    run,
    small,
    written,
)

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_binary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{PROJECT / '.tools/bin'}:{os.environ['PATH']}")


def test_every_key_is_one_of_cometbfts(tmp_path: Path) -> None:
    """No key is misspelt: CometBFT ignores what it does not know, and would run with its default."""
    run("cometbft", "init", "--home", str(tmp_path))
    known = tomllib.loads((tmp_path / "config/config.toml").read_text())
    for name, value in _config(europe(), "validator-par").items():
        if isinstance(value, dict):
            assert value.keys() <= known[name].keys()
            assert {key: type(item) for key, item in value.items()} == {key: type(known[name][key]) for key in value}
        else:
            assert name in known


def test_cometbft_reads_every_validators_files(venue: Plan, tmp_path: Path) -> None:
    """Its own validation of values passes; the node key is where the configuration says."""
    for host, service in written(venue, tmp_path, "validator"):
        paths = paths_below(tmp_path, host)(service.name)
        Path(f"{paths.data}/config").mkdir()
        run("cometbft", "gen-node-key", "--home", paths.etc)
        assert Path(f"{paths.data}/config/node_key.json").exists()


def test_time_outs_are_the_plans() -> None:
    """Consensus waits as long as the latency matrix of this venue needs, not as long as CometBFT's defaults."""
    venue = europe()
    consensus = _config(venue, "validator-hel")["consensus"]
    assert consensus["timeout_propose"] == f"{venue.timing.propose_ms}ms"
    assert consensus["timeout_precommit"] == f"{venue.timing.precommit_ms}ms"
    assert consensus["peer_gossip_sleep_duration"] == f"{venue.timing.gossip_sleep_ms}ms"


def test_the_engine_is_addressed_as_grpc_wants_it() -> None:
    """`proxy_app` has no scheme: with one, gRPC refuses it and the node waits for ever."""
    venue = small()
    for host in venue.of_role("validator"):
        assert _config(venue, host.name)["proxy_app"] == f"{venue.hosts[host.partner or ''].address}:26658"


def test_every_validator_dials_every_other() -> None:
    """The peers are all others by identity and address, and none is found by exchange."""
    venue = small()
    for host in venue.of_role("validator"):
        p2p = _config(venue, host.name)["p2p"]
        dialled = {peer.partition("@")[2].partition(":")[0] for peer in p2p["persistent_peers"].split(",")}
        assert dialled == {str(other.address) for other in venue.of_role("validator") if other != host}
        assert p2p["pex"] is False


def test_genesis_is_the_same_everywhere() -> None:
    """Powers are the plan's, in its order, and the chain is the venue's."""
    venue = europe()
    told = json.loads(cometbft.genesis(genesis_with(venue, facts_of(venue).validators)))
    assert told["chain_id"] == "europe"
    powers = {item["name"]: int(item["power"]) for item in told["validators"]}
    assert powers == {host.key: host.voting_power for host in venue.of_role("validator")}


def test_genesis_stays_when_a_validator_joins() -> None:
    """The newcomer has the first block's genesis; nobody dials it before its keys are known."""
    venue = small()
    whole = facts_of(venue)
    first = {key: it for key, it in whole.validators.items() if key != "c1"}
    began = genesis_with(venue, whole.validators)
    before = began.model_copy(update={"validators": {key: it for key, it in began.validators.items() if key != "c1"}})
    known = Facts(validators=whole.validators, genesis=before)
    files = {host.key: _files(venue, host.key, known) for host in venue.of_role("validator")}
    assert {text for each in files.values() for path, text in each.items() if path.endswith("genesis.json")} == {
        cometbft.genesis(before)
    }
    unknown = _files(venue, "a1", Facts(validators=first, genesis=before))
    assert whole.validators["c1"].node_id in "".join(files["a1"].values())
    assert whole.validators["c1"].node_id not in "".join(unknown.values())


def test_evidence_never_outlives_its_blocks() -> None:
    """What evidence refers to is still there: both limits lie within the blocks that are kept."""
    blocks_per_second_max = 20
    assert genesis.EVIDENCE_BLOCKS_MAX < cometbft.BLOCKS_RETAINED
    assert genesis.EVIDENCE_SECONDS_MAX * blocks_per_second_max < cometbft.BLOCKS_RETAINED


@pytest.mark.lab
def test_a_chain_runs_and_recovers_by_itself(tmp_path: Path) -> None:
    """All validators killed at once start again and go on; one with an old key and a new disk refuses to sign."""
    venue = small()
    _lay_down(venue, tmp_path)
    command = in_own_network("--pid", "--fork", "--kill-child", sys.executable, "-m", "tests.services.chain")
    result = subprocess.run(
        [*command, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, timeout=150, check=True
    )
    seen = json.loads(result.stdout)
    assert seen["began_at"] >= 3, seen["log"]
    assert seen["went_on_after_all_were_killed"], seen["log"]
    assert seen["newcomer_refused"], seen["log"]
    assert _alerting_metrics() <= set(seen["metrics"])


def _alerting_metrics() -> set[str]:
    return {
        "cometbft_consensus_latest_block_height",
        "cometbft_consensus_height",
        "cometbft_consensus_validator_last_signed_height",
        "cometbft_consensus_round_duration_seconds_count",
        "cometbft_p2p_peers",
    }


def _config(venue: Plan, name: str) -> Mapping[str, Any]:
    host = venue.hosts[name]
    return tomllib.loads(cometbft.config(venue, host, paths_below(Path("/srv"), host)("cometbft"), facts_of(venue)))


def _files(venue: Plan, key: str, known: Facts) -> Mapping[str, str]:
    host = next(it for it in venue.of_role("validator") if it.key == key)
    (service,) = services_of(venue, host, paths_below(Path("/srv"), host), known)
    return service.files


def _lay_down(venue: Plan, root: Path) -> None:
    validators = venue.of_role("validator")
    keys = {host.key: _made_keys(paths_below(root, host)("cometbft").data) for host in validators}
    facts = Facts(validators=keys, genesis=genesis_with(venue, keys))
    for host in validators:
        (service,) = services_of(venue, host, paths_below(root, host), facts)
        for path, content in service.files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(content)
    (root / "addresses.json").write_text(json.dumps({host.name: str(host.address) for host in validators}))


def _made_keys(data: str) -> ValidatorKeys:
    run("cometbft", "init", "--home", data)
    node_id = run("cometbft", "show-node-id", "--home", data).strip()
    made = json.loads(Path(f"{data}/config/priv_validator_key.json").read_text())
    return ValidatorKeys(public_key=made["pub_key"]["value"], address=made["address"], node_id=node_id)
