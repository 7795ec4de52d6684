"""`scripts/release` builds what hosts fetch: the lines that it prints name archives to the byte, with all that runs."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are a separate package

from diversite.plan import plan
from diversite.topology import Release
from services.boot import variables
from tests.services import venues
from tests.services.boot.loopback import serving
from tests.services.boot.rooted import Rooted

CHECKOUT = Path(__file__).parents[2]
PROGRAM = "#!/bin/sh\necho a program of {architecture}\n"
OURS = ("workloads", "diversite", "services", "components", "lab", "offline", "policies", "drills", "cli")

Build = Callable[..., dict[str, Any]]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, which compiles no Go and asks no package index."""
    loader = SourceFileLoader("scripts_release", str(CHECKOUT / "scripts" / "release"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "_build_go", _written_program)
    monkeypatch.setattr(module, "_install_wheels", lambda _architecture, library, _needs: library.mkdir())
    return module


@pytest.fixture
def build(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Build:
    """Builds, and gives the printed lines as a stack file's reader has them."""

    def run(*arguments: str, out: Path = tmp_path / "out") -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["release", *arguments, "--out", str(out)])
        script.main()
        found: dict[str, Any] = yaml.safe_load(capfd.readouterr().out)
        return found

    return run


@pytest.mark.parametrize("program", ["cometbft", "engine"])
def test_the_lines_name_the_archives_to_the_byte(build: Build, tmp_path: Path, program: str) -> None:
    """They are a stack file's `releases`; each hash is that of the archive at its address; again, it is the same."""
    told = build(program, "--address", "https://releases.example/venue/")
    (release,) = told["releases"].values()
    assert Release.model_validate(release).model_dump(exclude_none=True) == release
    for each in release.values():
        archive = tmp_path / "out" / each["address"].removeprefix("https://releases.example/venue/")
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == each["sha256"]
    again = build(program, "--address", "https://releases.example/venue/", out=tmp_path / "again")
    assert again == told


def test_what_is_built_is_what_a_host_fetches(build: Build, tmp_path: Path) -> None:
    """From the printed lines through stack file and boot script to a program that runs; another byte is not used."""
    out = tmp_path / "out"
    out.mkdir()
    with serving(out, tmp_path / "certificate.pem") as address:
        ((name, release),) = build("cometbft", "--address", address)["releases"].items()
        given = _variables_of(name, release)
        host = Rooted(tmp_path / "host", "europe", "validator-par", **given)
        trusting = {"CURL_CA_BUNDLE": str(tmp_path / "certificate.pem")}
        fetched = host.run("release", environment=trusting)
        assert fetched.returncode == 0, fetched.stderr
        program = host.path("/opt/diversite/current/bin/cometbft")
        said = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        assert said == "a program of x86_64\n"
        (archive,) = (path for path in out.iterdir() if path.name in given["release_address"])
        archive.write_bytes(archive.read_bytes() + b"\0")
        other = Rooted(tmp_path / "other", "europe", "validator-par", **given)
        refused = other.run("release", environment=trusting)
        assert (refused.returncode, "not used" in refused.stderr) == (1, True)


@pytest.mark.parametrize("program", ["engine", "patroni"])
def test_an_archive_holds_all_of_ours_that_it_runs(build: Build, tmp_path: Path, program: str) -> None:
    """Every module of this project that a shipped one imports is shipped too, and nothing that was only built."""
    build(program)
    archive = next((tmp_path / "out").glob(f"{program}-*-amd64.tar.gz"))
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "tree", filter="data")
    library = tmp_path / "tree" / "lib"
    shipped = list(library.rglob("*.py"))
    missing = {name for path in shipped for name in _imported(path) if not _is_there(library, name)}
    assert shipped
    assert missing == set()
    assert (tmp_path / "tree" / "bin" / "python").stat().st_mode & 0o777 == 0o755
    assert not [path for path in library.rglob("*") if path.suffix in (".pyc", ".proto") or path.name == "tests"]


def test_what_nobody_can_build_is_told(build: Build, capfd: pytest.CaptureFixture[str]) -> None:
    """With what there is."""
    with pytest.raises(SystemExit):
        build("comet")
    assert "comet is nothing to build; there are cometbft, engine" in capfd.readouterr().err


def _written_program(architecture: str, directory: Path, _package: str, program: str) -> None:
    path = directory / "bin" / program
    path.parent.mkdir()
    path.write_text(PROGRAM.format(architecture=architecture))
    path.chmod(0o755)


def _variables_of(name: str, release: dict[str, Any]) -> dict[str, str]:
    """What a validator's boot script knows of its release, by a stack file that has the printed lines."""
    topology = venues.europe().topology
    validators = {key: it.model_copy(update={"release": name}) for key, it in topology.validators.items()}
    venue = plan(
        topology.model_copy(update={"validators": validators, "releases": {name: Release.model_validate(release)}})
    )
    text = variables.variables(venue, venue.hosts["validator-par"], ())
    lines = dict(line.split("=", 1) for line in text.splitlines())
    return {key: lines[key].strip("'") for key in ("release", "release_address", "release_sha256")}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (it.name for it in node.names if it.name.split(".")[0] in OURS)


def _is_there(library: Path, name: str) -> bool:
    place = library.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or place.is_dir()
