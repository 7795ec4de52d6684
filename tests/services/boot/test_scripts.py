"""The boot's scripts are sound shell, and those that make keys, take disks and fetch packages do what they should."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from diversite import certificates, keys
from services import boot
from services.boot import units
from tests.services.boot.rooted import Rooted
from tests.services.boot.venues import Booted, booted_venue
from tests.services.venues import run

SHELLCHECK = Path(__file__).parents[3] / ".venv" / "bin" / "shellcheck"
MEMBER = "store-ledger-lon"
MEBIBYTE = 1024 * 1024

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")


def test_the_shell_checker_finds_no_fault(venue: Booted, tmp_path: Path) -> None:
    """In every script as hosts get it, and in what brings cloud-init to Google's images."""
    scripts = {path: text for files in venue.files.values() for path, text in files.items() if _is_shell(text)}
    for number, text in enumerate({*scripts.values(), boot.startup_script()}):
        (tmp_path / str(number)).write_text(text)
    excluded = (
        "SC1091,SC2154,SC2086,SC2046"  # the host's file is not here; the two are explained where the script stands
    )
    run(str(SHELLCHECK), "--shell=sh", f"--exclude={excluded}", *map(str, sorted(tmp_path.iterdir())))


def test_scripts_come_without_comments() -> None:
    """A boot script has little room; why a line is there stands in the project."""
    script = booted_venue("europe").files["gateway-par"][f"{units.SCRIPTS}/keys"]
    assert script.startswith("#!/bin/sh\n")
    assert not re.search(r"^\s*#", script.removeprefix("#!/bin/sh\n"), re.MULTILINE)


def test_a_validator_makes_its_keys_once(tmp_path: Path) -> None:
    """CometBFT's keys, for root alone; a second boot finds them, and tells the same public halves."""
    host = Rooted(tmp_path, "europe", "validator-par")
    assert _ran(host, "keys") == ""
    first = host.path("/var/lib/diversite/public.json").read_text()
    (told,) = keys.told(first, "public.json")
    assert (told.venue, told.host) == ("europe", "validator-par")
    assert told.validator is not None
    home = host.path("/var/lib/diversite/cometbft")
    private = json.loads((home / "config/priv_validator_key.json").read_text())
    assert (told.validator.public_key, told.validator.address) == (private["pub_key"]["value"], private["address"])
    assert private["priv_key"]["value"] not in first
    assert stat.S_IMODE((home / "config/priv_validator_key.json").stat().st_mode) == 0o600
    assert json.loads((home / "data/priv_validator_state.json").read_text())["height"] == "0"
    assert not (home / "config/genesis.json").exists()
    assert _ran(host, "keys") == ""
    assert host.path("/var/lib/diversite/public.json").read_text() == first


def test_keys_half_made_are_made_anew(tmp_path: Path) -> None:
    """A power cut before the keys were in their place leaves nothing that counts."""
    host = Rooted(tmp_path, "europe", "validator-par")
    half = host.path("/var/lib/diversite/cometbft.new/config")
    half.mkdir(parents=True)
    (half / "priv_validator_key.json").write_text("{")
    assert _ran(host, "keys") == ""
    assert keys.told(host.path("/var/lib/diversite/public.json").read_text(), "public.json")


def test_a_chain_without_its_key_is_for_a_person(tmp_path: Path) -> None:
    """A disk on which a chain is and no key gets no new identity by itself."""
    host = Rooted(tmp_path, "europe", "validator-par")
    chain = host.path("/var/lib/diversite/cometbft/data/blockstore.db")
    chain.mkdir(parents=True)
    assert host.run("keys").returncode != 0
    assert not host.path("/var/lib/diversite/public.json").exists()


def test_a_gateway_makes_a_key_for_each_link(tmp_path: Path) -> None:
    """One for each interface, for root alone, and each link's public half is that of its interface."""
    venue = booted_venue("europe").plan
    host = Rooted(tmp_path, "europe", "gateway-nbg")
    assert _ran(host, "keys") == ""
    (told,) = keys.told(host.path("/var/lib/diversite/public.json").read_text(), "public.json")
    for link, here, _ in venue.links_at("nbg"):
        key = host.path(f"/var/lib/diversite/wireguard/{here.interface}.key")
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert told.tunnels is not None
        assert told.tunnels[link.name] == _public(key.read_text())
    before = host.path("/var/lib/diversite/public.json").read_text()
    _ran(host, "keys")
    assert host.path("/var/lib/diversite/public.json").read_text() == before


def test_a_gateway_without_links_has_no_keys(tmp_path: Path) -> None:
    """One site alone has nothing to join."""
    host = Rooted(tmp_path, "alone", "gateway-par")
    assert _ran(host, "keys") == ""
    (told,) = keys.told(host.path("/var/lib/diversite/public.json").read_text(), "public.json")
    assert told.tunnels == {}


def test_a_member_makes_its_key_and_a_certificate_once(tmp_path: Path) -> None:
    """For the services' own account alone; what is told is what others take, and a second boot tells the same."""
    venue = booted_venue("passive").plan
    host = Rooted(tmp_path, "passive", MEMBER)
    assert _member(host) == ""
    before = host.path("/var/lib/diversite/public.json").read_text()
    (told,) = keys.told(before, "public.json")
    assert told.certificate is not None
    assert list(certificates.problems_of(venue.hosts[MEMBER], told.certificate)) == []
    assert stat.S_IMODE(host.path("/var/lib/diversite/member/key.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in before
    _member(host)
    assert host.path("/var/lib/diversite/public.json").read_text() == before


def test_a_member_gets_a_new_key_in_two_steps(tmp_path: Path) -> None:
    """The next certificate is told beside the one in use, and taken once others believe it; told again, all stays."""
    host = Rooted(tmp_path, "passive", MEMBER)
    home = host.path("/var/lib/diversite/member")
    _member(host)
    old = (home / "certificate.pem").read_text()
    _member(host, "--new")
    newer = (home / "next/certificate.pem").read_text()
    assert _shown(host) == (old, newer)
    _member(host)
    assert _shown(host) == (old, newer)
    assert (home / "certificate.pem").read_text() == old
    for _ in range(2):
        _member(host, "--take")
        assert _shown(host) == (newer,)
        assert _is_pair(home)
    assert not (home / "next").exists()


def test_a_member_makes_no_second_next_key(tmp_path: Path) -> None:
    """Others may believe the first one already; who asks again is told what to do."""
    host = Rooted(tmp_path, "passive", MEMBER)
    _member(host)
    _member(host, "--new")
    before = _shown(host)
    result = host.run("member", words=("--new",))
    assert result.returncode != 0
    assert "member --take; or give it up: remove" in result.stderr
    _member(host)
    assert _shown(host) == before


@pytest.mark.parametrize("words", [("--take",), (), ("--new",)], ids=str)
def test_a_key_half_taken_is_taken_whole(words: tuple[str, ...], tmp_path: Path) -> None:
    """A power cut between key and certificate: whatever runs the script next, a boot too, ends what was begun."""
    host = Rooted(tmp_path, "passive", MEMBER)
    home = host.path("/var/lib/diversite/member")
    _member(host)
    _member(host, "--new")
    newer = (home / "next/certificate.pem").read_text()
    host.stub("mv", 'case "$*" in */next/certificate.pem*) exit 1 ;; *) exec /bin/mv "$@" ;; esac')
    assert host.run("member", words=("--take",)).returncode != 0
    assert not _is_pair(home)
    host.stub("mv", 'exec /bin/mv "$@"')
    _member(host, *words)
    assert _is_pair(home)
    assert _shown(host)[0] == newer


def test_a_next_certificate_without_its_key_is_not_taken(tmp_path: Path) -> None:
    """Whoever removed it alone keeps the pair that is in use."""
    host = Rooted(tmp_path, "passive", MEMBER)
    home = host.path("/var/lib/diversite/member")
    _member(host)
    _member(host, "--new")
    (home / "next/key.pem").unlink()
    _member(host)
    assert host.run("member", words=("--take",)).returncode != 0
    assert _is_pair(home)


def test_a_next_key_half_made_is_made_anew(tmp_path: Path) -> None:
    """Without its certificate it was told to nobody."""
    host = Rooted(tmp_path, "passive", MEMBER)
    home = host.path("/var/lib/diversite/member")
    _member(host)
    (home / "next").mkdir()
    (home / "next/key.pem").write_text("half")
    _member(host)
    assert len(_shown(host)) == 1
    _member(host, "--new")
    assert _is_pair(home / "next")


def _shown(host: Rooted) -> tuple[str, ...]:
    (told,) = keys.told(host.path("/var/lib/diversite/public.json").read_text(), "public.json")
    return told.shown


def _is_pair(home: Path) -> bool:
    """Whether a key and a certificate belong together."""
    certificate = x509.load_pem_x509_certificate((home / "certificate.pem").read_bytes())
    return certificate.public_key() == load_pem_private_key((home / "key.pem").read_bytes(), None).public_key()


def _member(host: Rooted, *words: str) -> str:
    host.stub("chown", "exit 0")
    result = host.run("member", words=words)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_what_hosts_tell_makes_a_keys_file(tmp_path: Path) -> None:
    """The way of genesis: from the hosts' own scripts to a file that is whole."""
    venue = booted_venue("alone").plan
    text = ""
    for name in ("validator-one", "gateway-par"):
        host = Rooted(tmp_path / name, "alone", name)
        _ran(host, "keys")
        text += host.path("/var/lib/diversite/public.json").read_text()
    halves = keys.joined(venue, keys.told(text, "all"), None)
    assert list(keys.problems_of(halves, venue)) == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A blank disk that is no disk of this machine's."""
    image = tmp_path / "image"
    image.write_bytes(b"")
    os.truncate(image, 16 * MEBIBYTE)
    device = run("losetup", "--show", "--find", str(image)).strip()
    yield Path(device)
    run("losetup", "--detach", device)


def _with_disks(host: Rooted, *devices: Path) -> None:
    """Let the host see these disks beside a root disk of its own."""
    rows = "".join(f"{device} disk 0\\n" for device in ("/dev/root0", *devices))
    host.stub("findmnt", "echo /dev/root0p1")
    host.stub("lsblk", f"case $* in *--inverse*) echo '/dev/root0 disk' ;; *) printf '{rows}' ;; esac")


@pytest.mark.root
@root_only
def test_a_blank_disk_becomes_the_hosts_and_is_never_formatted_again(tmp_path: Path, disk: Path) -> None:
    """Formatted and mounted at the first boot; a second finds what the first left."""
    host = Rooted(tmp_path / "host", "europe", "validator-par")
    _with_disks(host, disk)
    place = host.path("/var/lib/diversite")
    script = host.path(f"{units.SCRIPTS}/disk")
    script.write_text(script.read_text() + f"[ -e {place}/mine ] && echo found\ntouch {place}/mine\nsync\n")
    first, second = (host.run("disk", "unshare", "--mount") for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert ("formatting" in first.stdout, "found" in first.stdout) == (True, False)
    assert ("formatting" in second.stdout, "found" in second.stdout) == (False, True)


CONTENTS = {
    "a partition table": (446, b"\0\0\2\0\x83\0\0\0" + (64).to_bytes(4, "little") * 2 + bytes(48) + b"\x55\xaa"),
    "data": (4096, b"not zero"),
}
"""What else may be on a disk: where, and which bytes."""


@pytest.mark.root
@root_only
@pytest.mark.parametrize("holds", ["another filesystem", *CONTENTS])
def test_what_is_not_blank_is_left_as_it_is(holds: str, tmp_path: Path, disk: Path) -> None:
    """Whatever is on a disk, nothing of it is touched unless it is the host's own."""
    host = Rooted(tmp_path / "host", "europe", "validator-par")
    _with_disks(host, disk)
    if holds == "another filesystem":
        run("mkfs.ext4", "-q", "-L", "theirs", str(disk))
    else:
        at, content = CONTENTS[holds]
        with disk.open("r+b") as file:
            file.seek(at)
            file.write(content)
    before = disk.read_bytes()
    result = host.run("disk", "unshare", "--mount")
    assert result.returncode != 0
    assert "left as it is" in result.stderr
    assert disk.read_bytes() == before


@pytest.mark.parametrize("count", [0, 2])
def test_which_disk_is_meant_is_never_guessed(count: int, tmp_path: Path) -> None:
    """None yet: the host waits. Two: a person decides."""
    host = Rooted(tmp_path, "europe", "validator-par")
    _with_disks(host, *(Path(f"/dev/data{number}") for number in range(count)))
    result = host.run("disk")
    assert result.returncode != 0
    assert ("waiting for it" if count == 0 else "2 disks are attached") in result.stderr


def test_a_host_without_a_data_disk_asks_for_none(tmp_path: Path) -> None:
    """An entrance keeps nothing."""
    host = Rooted(tmp_path, "europe", "entry-par")
    assert _ran(host, "disk") == ""
    assert host.path("/var/lib/diversite").is_dir()


def test_packages_are_installed_once_and_start_nothing(tmp_path: Path) -> None:
    """The packaged units are masked before anything is installed; once all is there, no network is asked."""
    host = Rooted(tmp_path, "europe", "monitor-dub")
    log = tmp_path / "log"
    host.stub("systemctl", f'echo "systemctl $*" >>{log}')
    host.stub("apt-get", f'echo "apt-get $*" >>{log}')
    host.stub("dpkg-query", "false")
    assert "prometheus-node-exporter" in _ran(host, "packages")
    lines = log.read_text().splitlines()
    assert lines[0].startswith("systemctl mask --quiet")
    assert "prometheus.service" in lines[0]
    assert re.fullmatch(r"apt-get .* update", lines[1])
    assert "--no-install-recommends install" in lines[2]
    host.stub("dpkg-query", "echo installed")
    log.unlink()
    assert _ran(host, "packages") == ""
    assert "apt-get" not in log.read_text()


def test_data_belongs_to_the_programs_user(tmp_path: Path) -> None:
    """Also where the disk comes from a machine that knew the user by another number, and only then."""
    host = Rooted(tmp_path, "europe", "monitor-dub")
    log = tmp_path / "log"
    host.stub("chown", f'echo "$*" >>{log}')
    _ran(host, "homes")
    assert len(log.read_text().splitlines()) == 4
    log.unlink()
    host.stub("stat", "echo diversite")
    _ran(host, "homes")
    assert not log.exists()


def _is_shell(text: str) -> bool:
    return text.startswith("#!/bin/sh")


def _ran(host: Rooted, step: str) -> str:
    result = host.run(step)
    assert result.returncode == 0, result.stderr
    return result.stdout


def _public(private: str) -> str:
    return subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout.strip()
