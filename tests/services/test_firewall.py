"""nftables accepts every host's ruleset, and it lets in what `ports.FLOWS` lists and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from diversite.plan import Plan
from diversite.ports import flows_into
from services import firewall, wireguard
from tests.services.venues import alone, europe, in_own_network, run, small


def test_nftables_accepts_every_host(venue: Plan, tmp_path: Path) -> None:
    """`nft -c` finds no fault, in a network namespace of its own."""
    for host in venue.hosts.values():
        path = tmp_path / f"{host.name}.nft"
        path.write_text(firewall.ruleset(venue, host))
    files = " ".join(f"-f {path}" for path in sorted(tmp_path.iterdir()))
    run(*in_own_network("sh", "-ec", f"for file in {files.replace('-f ', '')}; do nft -c -f $file; done"))


def test_a_ruleset_can_be_loaded_twice(tmp_path: Path) -> None:
    """Loading again replaces the table: no rule is there twice."""
    venue = small()
    path = tmp_path / "rules.nft"
    path.write_text(firewall.ruleset(venue, venue.gateway("par")))
    once, twice = (
        run(*in_own_network("sh", "-ec", f"{'; '.join([f'nft -f {path}'] * times)}; nft list ruleset"))
        for times in (1, 2)
    )
    assert once == twice


def test_only_listed_ports_are_open(venue: Plan) -> None:
    """Every port that a host accepts is in a flow into its role."""
    for host in venue.hosts.values():
        listed = {flow.port for flow in flows_into(host.role)} | set(wireguard.PORTS)
        opened = {int(port) for port in re.findall(r"dport \{? ?(\d+)", firewall.ruleset(venue, host))}
        assert opened <= listed


def test_an_engine_executes_only_its_own_sites_blocks() -> None:
    """The ABCI port, which changes the book, is open to validators of the same site alone."""
    venue = europe()
    text = firewall.ruleset(venue, venue.hosts["engine-par"])
    assert f"ip saddr {{ {venue.hosts['validator-par'].address} }} tcp dport 26658 accept" in text


def test_a_gateway_refuses_forged_sources() -> None:
    """What comes from outside under the site's own addresses, or from inside under others, is dropped."""
    venue = small()
    text = firewall.ruleset(venue, venue.gateway("par"))
    own = venue.sites["par"].network
    assert f'iifname "lan0" ip saddr != {own} drop' in text
    assert f'iifname != "lan0" ip saddr {own} drop' in text


def test_a_lone_site_passes_nothing_on() -> None:
    """Without links a gateway forwards nothing and opens no port."""
    venue = alone()
    text = firewall.ruleset(venue, venue.gateway("par"))
    assert "oifname" not in text
    assert "dport" not in text
