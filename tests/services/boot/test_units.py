"""systemd accepts every unit, each service runs as little as it can, and the steps of a boot are in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.boot import units
from tests.services.boot.venues import Booted, booted_venue
from tests.services.venues import run

SYSTEMD = "/etc/systemd/system/"
WRITES_TOO = {"patroni": ("pgbackrest",), "keeper": ("pgbackrest",)}
"""Who hands the log on and who takes backups use pgBackRest's own directory."""


def units_of(venue: Booted, host: str) -> dict[str, str]:
    """The unit files of a host by name."""
    files = venue.files[host]
    return {path.removeprefix(SYSTEMD): text for path, text in files.items() if path.startswith(SYSTEMD)}


@pytest.mark.parametrize("role", ["gateway", "validator", "engine", "entry", "monitor"])
@pytest.mark.parametrize("provider", ["aws", "gcp", "hetzner"])
def test_systemd_accepts_every_unit(role: str, provider: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` finds no fault; programs that are not on this machine are put in its place."""
    venue = booted_venue("hundred")
    host = next(it for it in venue.plan.hosts.values() if (it.role, it.provider) == (role, provider))
    _assert_verified(units_of(venue, host.name), tmp_path)


def _assert_verified(found: dict[str, str], tmp_path: Path) -> None:
    for name, text in found.items():
        (tmp_path / name).write_text(re.sub(r"^(Exec\w+=-?).*", r"\1/bin/true", text, flags=re.MULTILINE))
    names = [str(tmp_path / name.replace("@.", "@x.")) for name in found]
    assert run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names) == ""


@pytest.mark.parametrize("role", ["store", "queue", "passive"])
def test_systemd_accepts_every_unit_of_a_member(role: str, tmp_path: Path) -> None:
    """The same for what keeps state beside consensus."""
    venue = booted_venue("passive")
    for host in (it for it in venue.plan.hosts.values() if it.role == role):
        _assert_verified(units_of(venue, host.name), tmp_path)


def test_every_service_has_a_unit(venue: Booted) -> None:
    """Each is started by the target, waits for the host to be ready, and comes back when it ends."""
    for host in venue.files:
        found = units_of(venue, host)
        wanted = re.search(r"^Wants=(.*)$", found["diversite.target"], re.MULTILINE)
        assert wanted is not None
        for name in wanted[1].split():
            text = found[re.sub(r"@.*\.", "@.", name)]
            assert "After=diversite-prepare.service" in text
            assert "\nRestart=always\n" in text or "@" in name


def test_a_tunnel_waits_for_its_far_end(venue: Booted) -> None:
    """Before the keys came together its unit is passed over: it neither fails nor tries again."""
    for host in venue.plan.of_role("gateway"):
        for name, text in units_of(venue, host.name).items():
            if name == "diversite-tunnel@.service":
                assert "ConditionPathExists=/etc/diversite/wireguard/%i.conf" in text.partition("[Service]")[0]


def test_no_service_is_root(venue: Booted) -> None:
    """None may gain rights or write elsewhere than it must; only what needs the network's rights has them."""
    privileged = {"bird": "CAP_NET_ADMIN CAP_NET_RAW", "blackbox": "CAP_NET_RAW"}
    for host in venue.files:
        for name, text in units_of(venue, host).items():
            service = re.fullmatch(r"diversite-(.+)\.service", name)
            if "ExecSearchPath=" not in text or service is None:
                continue
            assert "\nUser=diversite\n" in text
            assert "\nNoNewPrivileges=yes\n" in text
            assert "\nProtectSystem=strict\n" in text
            own = [f"/var/lib/diversite/{name}" for name in (service[1], *WRITES_TOO.get(service[1], ()))]
            assert re.findall(r"^ReadWritePaths=(.*)$", text, re.MULTILINE) == [" ".join(own)]
            assert f"\nAmbientCapabilities={privileged.get(service[1], '')}\n" in text


def test_validators_and_engines_cannot_ask_for_credentials() -> None:
    """The provider's metadata service is out of reach of what handles orders."""
    for name, unit in (("validator-par", "cometbft"), ("engine-par", "engine"), ("entry-par", "haproxy")):
        assert "IPAddressDeny=169.254.169.254" in units_of(booted_venue("europe"), name)[f"diversite-{unit}.service"]


def test_a_boot_goes_in_order() -> None:
    """The packet filter before anything is fetched, the disk before the keys, the program before the keys."""
    text = units_of(booted_venue("europe"), "validator-par")["diversite-prepare.service"]
    steps = re.findall(r"^ExecStart=-?(?:\S*/)?(\S+)", text, re.MULTILINE)
    assert steps == ["settings", "packages", "nft", "access", "disk", "release", "keys", "homes"]


def test_every_step_is_there(venue: Booted) -> None:
    """A script that a unit names is written, and none is written that no unit names."""
    for files in venue.files.values():
        scripts = {path for path in files if path.startswith(units.SCRIPTS)}
        text = "\n".join(files.values())
        assert scripts == set(re.findall(rf"^ExecStart=-?({units.SCRIPTS}/\w+)$", text, re.MULTILINE))
