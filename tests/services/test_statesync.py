"""A validator whose disk has no chain takes a snapshot that others vouch for, and nothing else."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from diversite import ports
from diversite.plan import Plan, plan
from diversite.topology import Topology
from services import Paths, cometbft, statesync
from tests.services.venues import alone, europe, facts_of, run, small
from tests.support.topologies import topologies

SHELLCHECK = Path(__file__).parents[2] / ".venv" / "bin" / "shellcheck"
HASHES = {letter: letter * 64 for letter in "AB"}
NONE_TRUSTED = "enable= height= hash="


def status(height: int) -> str:
    """What `/status` says, as far as it is read."""
    return (
        f'{{"result":{{"sync_info":{{"latest_app_hash":"00","latest_block_height":"{height}","catching_up":false}}}}}}'
    )


def commit(height: int, block_hash: str) -> str:
    """What `/commit` says, as far as it is read: the block before it has a hash as well."""
    before = f'"header":{{"height":"{height}","last_block_id":{{"hash":"{"F" * 64}","parts":{{"total":1}}}}}}'
    block = f'"commit":{{"height":"{height}","round":0,"block_id":{{"hash":"{block_hash}","parts":{{"total":1}}}}}}'
    return f'{{"result":{{"signed_header":{{{before},{block}}},"canonical":true}}}}'


class Beginner:
    """A validator with an empty disk, and what the others would tell it."""

    def __init__(self, root: Path, signed: int = 0) -> None:
        self.root = root
        self.paths = Paths(etc=f"{root}/etc", data=f"{root}/data", cloud=True)
        (root / "bin").mkdir()
        (root / "data/data").mkdir(parents=True)
        (root / "data/data/priv_validator_state.json").write_text(f'{{\n  "height": "{signed}",\n}}\n')
        self._stub(
            "cometbft",
            'echo "enable=$CMT_STATESYNC_ENABLE height=$CMT_STATESYNC_TRUST_HEIGHT '
            'hash=$CMT_STATESYNC_TRUST_HASH"; echo "$*" >&2',
        )
        self._stub("curl", f'for url; do :; done; cat "{root}/answers/$(echo "$url" | tr / _)" 2>/dev/null')
        self.asked = statesync.servers(europe(), europe().hosts["validator-par"])
        (root / "answers").mkdir()

    def told(self, server: int, height: int, block_hash: str, trusted: int) -> None:
        """Let one of the others be at a height, and tell a hash for the block that is to be trusted."""
        for path, text in (("status", status(height)), (f"commit?height={trusted}", commit(trusted, block_hash))):
            name = f"{self.asked[server]}/{path}".replace("/", "_")
            (self.root / "answers" / name).write_text(text)

    def starts(self, *, joins: bool = False) -> subprocess.CompletedProcess[str]:
        """Run the start script."""
        script = self.root / "start"
        script.write_text(cometbft.start(self.paths, self.asked, joins=joins))
        path = f"{self.root}/bin:/usr/bin:/bin"
        return subprocess.run(["sh", script], env={"PATH": path}, capture_output=True, text=True, check=False)

    def _stub(self, name: str, script: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def test_what_all_tell_alike_is_trusted(tmp_path: Path) -> None:
    """The block lies below a snapshot that even the lowest of them has; its hash is the block's own."""
    beginner = Beginner(tmp_path)
    for server, height in enumerate((5_000_100, 5_000_000, 5_000_050)):
        beginner.told(server, height, HASHES["A"], 4_998_000)
    assert beginner.starts().stdout.strip() == f"enable=true height=4998000 hash={HASHES['A']}"


def test_nobody_is_trusted_against_another(tmp_path: Path) -> None:
    """Where two tell different hashes the validator does not start, and says which."""
    beginner = Beginner(tmp_path)
    beginner.told(0, 5_000_000, HASHES["A"], 4_998_000)
    beginner.told(1, 5_000_000, HASHES["B"], 4_998_000)
    result = beginner.starts()
    assert result.returncode == 1
    assert "no hash that two others agree on" in result.stderr
    assert result.stdout == ""


def test_one_alone_is_not_believed(tmp_path: Path) -> None:
    """A single answer would make one other validator the judge of the chain."""
    beginner = Beginner(tmp_path)
    beginner.told(0, 5_000_000, HASHES["A"], 4_998_000)
    assert beginner.starts().returncode == 1


@pytest.mark.parametrize("height", [0, 1, 2_999])
def test_a_young_chain_is_replayed(height: int, tmp_path: Path) -> None:
    """All of its blocks are there, and perhaps no snapshot."""
    beginner = Beginner(tmp_path)
    for server in range(3):
        beginner.told(server, height, HASHES["A"], max(0, height - statesync.BACK_BLOCKS))
    assert beginner.starts().stdout.strip() == NONE_TRUSTED


def test_a_venue_begins_with_nobody_to_ask(tmp_path: Path) -> None:
    """At genesis no validator answers, and each starts all the same."""
    assert Beginner(tmp_path).starts().stdout.strip() == NONE_TRUSTED


def test_who_joins_later_waits_for_an_answer(tmp_path: Path) -> None:
    """The first blocks may be nowhere any more: it does not begin with them because a tunnel is not up yet."""
    beginner = Beginner(tmp_path)
    alone = beginner.starts(joins=True)
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "none of the others answers" in alone.stderr
    for server in range(3):
        beginner.told(server, 5_000_000, HASHES["A"], 4_998_000)
    assert beginner.starts(joins=True).stdout.strip() == f"enable=true height=4998000 hash={HASHES['A']}"


def test_who_has_a_chain_asks_nobody(tmp_path: Path) -> None:
    """A validator that took part in consensus goes on from its own disk, whatever others tell."""
    beginner = Beginner(tmp_path, signed=4_999_999)
    (tmp_path / "data/data/cs.wal").mkdir()
    (tmp_path / "data/data/cs.wal/wal").touch()
    for server in range(3):
        beginner.told(server, 5_000_000, HASHES["A"], 4_998_000)
    result = beginner.starts()
    assert result.stdout.strip() == NONE_TRUSTED
    assert "double_sign_check_height 0" in result.stderr


def test_a_lost_chain_is_no_lost_past(tmp_path: Path) -> None:
    """A signer whose chain was emptied takes a snapshot, and its sign state still guards it."""
    beginner = Beginner(tmp_path, signed=4_999_999)
    for server in range(3):
        beginner.told(server, 5_000_000, HASHES["A"], 4_998_000)
    result = beginner.starts()
    assert result.stdout.startswith("enable=true")
    assert "double_sign_check_height 0" in result.stderr


def test_the_shell_checker_finds_no_fault(tmp_path: Path) -> None:
    """In the start script of a cloud's validator."""
    host = europe().hosts["validator-par"]
    (tmp_path / "start").write_text(cometbft.start(Beginner(tmp_path).paths, statesync.servers(europe(), host)))
    run(str(SHELLCHECK), "--shell=sh", str(tmp_path / "start"))


def test_those_asked_stand_elsewhere(venue: Plan) -> None:
    """Each at another site: what a site tells of itself proves nothing after its loss."""
    _assert_elsewhere(venue)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topologies())
def test_those_asked_stand_elsewhere_in_any_venue(topology: Topology) -> None:
    """The same over venues of every shape that a stack file may state."""
    _assert_elsewhere(plan(topology))


def test_it_is_off_until_it_is_needed() -> None:
    """The configuration names whom to ask; the start script turns it on. A lab, and a single site, have none."""
    venue = small()
    host = venue.hosts["validator-b1"]
    paths = Paths(etc="/etc/x", data="/var/x", cloud=True)
    table = tomllib.loads(cometbft.config(venue, host, paths, facts_of(venue)))["statesync"]
    assert table["enable"] is False
    assert len(table["rpc_servers"].split(",")) == 2
    lab = tomllib.loads(cometbft.config(venue, host, Paths(etc="/etc/x", data="/var/x"), facts_of(venue)))
    assert "statesync" not in lab
    one = tomllib.loads(cometbft.config(alone(), alone().hosts["validator-one"], paths, facts_of(alone())))
    assert "statesync" not in one


def _assert_elsewhere(venue: Plan) -> None:
    at = {str(host.address): host.site for host in venue.hosts.values()}
    for host in venue.of_role("validator"):
        asked = statesync.servers(venue, host)
        sites = [at[re.sub(r"http://(.*):\d+", r"\1", server)] for server in asked]
        assert host.site not in sites
        assert len(sites) == len(set(sites)) == min(statesync.SERVERS_MAX, len(venue.power_by_site) - 1)
        assert all(server.endswith(f":{ports.COMETBFT_RPC}") for server in asked)
