"""The provider does what the Pulumi engine asks, over its own protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pulumi.runtime import rpc

from lab import world
from lab.provider import version
from lab.world import wait_until
from tests.lab.builder import answering
from tests.lab.conftest import NAME, OWNER, machine, router, wire_between
from tests.lab.engine import EXECUTABLE, Engine, Properties, engine

WORLD: Properties = {"name": NAME, "owner": OWNER}
KEYS: Properties = {"world": NAME, "host": "h1", "path": "/run/lab/hosts/h1/data/c", "kind": "cometbft"}
ALL: list[tuple[str, Properties]] = [
    ("World", WORLD),
    ("Host", router("r1").record()),
    ("Host", router("r2").record()),
    ("Host", machine("h1", sysctls={"net.ipv4.tcp_retries2": "9"}).record()),
    ("Wire", wire_between("r1", "r2", delay_microseconds=1000).record()),
    ("Keys", KEYS),
    ("Service", answering("h1").record()),
]
IDENTITIES = [NAME, "r1", "r2", "h1", "r1-r2", "h1/run/lab/hosts/h1/data/c", "h1/web"]
PLUGIN_ENDS_SECONDS_MAX = 10.0


@pytest.fixture
def engine_of(labs: Path) -> Iterator[Engine]:
    """A provider whose labs are the test's."""
    with engine() as running:
        yield running


@pytest.mark.lab
def test_a_whole_life(engine_of: Engine) -> None:
    """Every kind is checked, created, created again, read, found unchanged, deleted, and deleted again."""
    made = [(kind, *_created(engine_of, kind, inputs), inputs) for kind, inputs in ALL]
    assert [identity for _, identity, _, _ in made] == IDENTITIES
    for kind, identity, state, inputs in made:
        assert engine_of.create(kind, inputs) == (identity, state)
        assert engine_of.read(kind, identity, state) == (identity, inputs, state)
        assert engine_of.diff(kind, identity, state, inputs).changes == 1  # DIFF_NONE
    for _ in range(2):
        for kind, identity, state, _ in reversed(made):
            engine_of.delete(kind, identity, state)
    assert world.find(NAME) is None


@pytest.mark.lab
def test_an_import_names_the_world(engine_of: Engine) -> None:
    """Without a state, an identity with its world finds the resource and its inputs."""
    for kind, inputs in ALL[:4]:
        engine_of.create(kind, inputs)
    identity, inputs, _ = engine_of.read("Host", f"{NAME}/h1")
    assert (identity, inputs) == ("h1", ALL[3][1])


@pytest.mark.lab
def test_what_is_gone_is_told_by_an_empty_identity(engine_of: Engine) -> None:
    """After a reboot a refresh finds nothing, of any kind."""
    made = [(kind, *engine_of.create(kind, inputs)) for kind, inputs in ALL]
    assert world.require(NAME).process.kill()
    assert [engine_of.read(kind, identity, state)[0] for kind, identity, state in made] == [""] * len(made)


@pytest.mark.lab
def test_an_update_is_in_place(engine_of: Engine) -> None:
    """A new delay is an update, and what is read then is new."""
    for kind, inputs in ALL[:4]:
        engine_of.create(kind, inputs)
    inputs = ALL[4][1]
    identity, state = engine_of.create("Wire", inputs)
    wanted = {**inputs, "delayMicroseconds": 2000}
    answer = engine_of.diff("Wire", identity, state, wanted)
    assert (list(answer.diffs), list(answer.replaces)) == (["delayMicroseconds"], [])
    state = engine_of.update("Wire", identity, state, wanted)
    assert engine_of.read("Wire", identity, state) == (identity, wanted, state)


@pytest.mark.lab
def test_a_failure_is_told_in_its_own_words(engine_of: Engine) -> None:
    """What the user can mend comes without a traceback."""
    engine_of.create("World", WORLD)
    with pytest.raises(grpc.RpcError) as refused:
        engine_of.create("World", {**WORLD, "owner": "other/stack"})
    said = refused.value.details() or ""
    assert f"belongs to '{OWNER}'" in said
    assert "Traceback" not in said
    assert ".py" not in said


def test_a_preview_makes_nothing(engine_of: Engine, labs: Path) -> None:
    """In a preview outputs are unknown, and no lab is started."""
    identity, state = engine_of.create("World", WORLD, preview=True)
    assert identity == NAME
    assert state["pid"] == state["wireKind"] == rpc.UNKNOWN
    assert state["owner"] == OWNER
    assert not labs.exists()


def test_a_preview_takes_unknown_inputs(engine_of: Engine) -> None:
    """What another resource will produce is unknown in a preview, and no failure."""
    inputs = {**machine("h1").record(), "world": rpc.UNKNOWN}
    assert engine_of.check("Host", inputs) == []
    identity, state = engine_of.create("Host", inputs, preview=True)
    assert identity == ""
    assert state["world"] == rpc.UNKNOWN


def test_a_replacement_deletes_first(engine_of: Engine) -> None:
    """Two hosts of one name cannot stand at the same time."""
    old = machine("h1").record()
    answer = engine_of.diff("Host", "h1", old, {**old, "site": "s2"})
    assert (list(answer.replaces), answer.deleteBeforeReplace) == (["site"], True)


def test_wrong_inputs_are_named(engine_of: Engine) -> None:
    """Check tells each wrong property by its path."""
    assert engine_of.check("Host", {**machine("h1").record(), "kind": "x", "dataMebibytes": 1}) == [
        "kind",
        "dataMebibytes",
    ]


def test_the_schema_describes_every_kind(engine_of: Engine) -> None:
    """`pulumi package get-schema` has every kind, with their required inputs, and no dangling reference."""
    told = engine_of.schema()
    schema = json.loads(told)
    assert schema["version"] == version()
    assert set(schema["resources"]) == {
        f"lab:index:{kind}" for kind in ("World", "Host", "Wire", "Keys", "Certificate", "Genesis", "Service")
    }
    assert schema["resources"]["lab:index:Wire"]["requiredInputs"] == ["world", "name", "a", "b", "delayMicroseconds"]
    references = {part.split('"')[0] for part in told.split('"#/types/')[1:]}
    assert references <= set(schema["types"])


def test_the_plugin_ends_with_its_engine(labs: Path) -> None:
    """An engine that is killed leaves no plugin behind."""
    script = (
        "import subprocess, sys; p = subprocess.Popen([sys.argv[1], 'x'], stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid)"
    )
    started = subprocess.run([sys.executable, "-c", script, EXECUTABLE], capture_output=True, text=True, check=True)
    plugin = Path("/proc", started.stdout.strip())
    assert wait_until(lambda: not plugin.exists() or _is_zombie(plugin), PLUGIN_ENDS_SECONDS_MAX)


def test_a_missing_environment_is_told(tmp_path: Path) -> None:
    """A checkout that was not set up says which command sets it up."""
    (tmp_path / "lab" / "plugin").mkdir(parents=True)
    copy = shutil.copy(EXECUTABLE, tmp_path / "lab" / "plugin")
    ended = subprocess.run([copy, "x"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "scripts/setup" in ended.stderr


def test_a_link_to_the_plugin_finds_the_project(tmp_path: Path) -> None:
    """The executable works through a symbolic link and from any directory."""
    link = tmp_path / "pulumi-resource-lab"
    link.symlink_to(EXECUTABLE)
    with subprocess.Popen([link, "x"], stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=_bare()) as plugin:
        assert plugin.stdout is not None
        assert int(plugin.stdout.readline()) > 0
        plugin.kill()


def _created(running: Engine, kind: str, inputs: Properties) -> tuple[str, Properties]:
    assert running.check(kind, inputs) == []
    return running.create(kind, inputs)


def _is_zombie(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
