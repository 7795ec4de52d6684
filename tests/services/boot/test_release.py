"""A release is what the topology says to the byte, or it is not used."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.boot.loopback import serving
from tests.services.boot.rooted import Rooted

PROGRAM = "#!/bin/sh\necho venue-1\n"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A directory to serve, with an archive of a release in it."""
    directory = tmp_path / "served"
    directory.mkdir()
    with tarfile.open(directory / "venue.tar.gz", "w:gz") as archive:
        for name in ("cometbft", "ls"):  # one of its own, and one that the system has
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.size, entry.mode = len(PROGRAM), 0o755
            archive.addfile(entry, io.BytesIO(PROGRAM.encode()))
    return directory


@pytest.fixture
def address(served: Path, tmp_path: Path) -> Iterator[str]:
    """Where it is served, encrypted."""
    with serving(served, tmp_path / "certificate.pem") as found:
        yield f"{found}/venue.tar.gz"


def _sum(served: Path) -> str:
    return hashlib.sha256((served / "venue.tar.gz").read_bytes()).hexdigest()


def _host(tmp_path: Path, address: str, sha256: str) -> Rooted:
    return Rooted(
        tmp_path / "host", "europe", "validator-par", release="venue-1", release_address=address, release_sha256=sha256
    )


def _run(host: Rooted, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return host.run("release", environment={"CURL_CA_BUNDLE": str(tmp_path / "certificate.pem")})


def test_a_release_is_fetched_checked_and_found(tmp_path: Path, served: Path, address: str) -> None:
    """Its programs are where services look, and where operators do, but hide none of the system's."""
    host = _host(tmp_path, address, _sum(served))
    result = _run(host, tmp_path)
    assert result.returncode == 0, result.stderr
    program = host.path("/opt/diversite/current/bin/cometbft")
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "venue-1\n"
    assert host.path("/usr/local/bin/cometbft").resolve() == program.resolve()
    assert not host.path("/usr/local/bin/ls").exists()


def test_a_release_is_fetched_once(tmp_path: Path, served: Path, address: str) -> None:
    """A second boot needs no network for it."""
    host = _host(tmp_path, address, _sum(served))
    assert _run(host, tmp_path).returncode == 0
    (served / "venue.tar.gz").unlink()
    assert _run(host, tmp_path).returncode == 0


def test_another_content_is_refused(tmp_path: Path, served: Path, address: str) -> None:
    """With another hash nothing is unpacked, and the log says both."""
    host = _host(tmp_path, address, "0" * 64)
    result = _run(host, tmp_path)
    assert result.returncode != 0
    assert f"has SHA-256 {_sum(served)}, the topology says {'0' * 64}; not used" in result.stderr
    assert list(host.path("/opt/diversite").iterdir()) == []


def test_what_is_not_there_is_tried_again(tmp_path: Path, served: Path, address: str) -> None:
    """A missing archive fails the step, which the next try mends."""
    archive = (served / "venue.tar.gz").read_bytes()
    host = _host(tmp_path, address, _sum(served))
    (served / "venue.tar.gz").unlink()
    assert _run(host, tmp_path).returncode != 0
    (served / "venue.tar.gz").write_bytes(archive)
    assert _run(host, tmp_path).returncode == 0


def test_no_release_comes_in_the_clear(tmp_path: Path, served: Path) -> None:
    """Not even the right one: the address must be https, and stay so."""
    with serving(served, tmp_path / "unused.pem", encrypted=False) as found:
        result = _run(_host(tmp_path, f"{found}/venue.tar.gz", _sum(served)), tmp_path)
    assert result.returncode != 0
    assert "not supported or disabled" in result.stderr


def test_an_unknown_server_is_not_believed(tmp_path: Path, served: Path, address: str) -> None:
    """Whose certificate nobody vouches for is refused before anything is fetched."""
    result = _host(tmp_path, address, _sum(served)).run("release")
    assert result.returncode != 0
    assert "certificate" in result.stderr
