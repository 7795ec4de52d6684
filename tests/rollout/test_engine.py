"""The Pulumi CLI as a rollout's hands: what it is asked, and what it leaves as it was."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from diversite.errors import RolloutError
from rollout.engine import Engine

SETTINGS = "config:\n  diversite:substrate: cloud  # by hand\n"
RECORDER = """#!/bin/sh
# As the CLI does: what --config says is written into the settings file that it was given.
echo "$@" >> "$RECORD"
while [ $# -gt 0 ]; do
    case "$1" in
        --config-file) file=$2; shift ;;
        --config=*) echo "  ${1#--config=}" >> "$file" ;;
    esac
    shift
done
[ -z "$FAILS" ] || { echo "error: no capacity" >&2; exit 255; }
cat "$ANSWER"
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Hands over a command that notes what it is asked."""
    command = tmp_path / "bin" / "pulumi"
    command.parent.mkdir()
    command.write_text(RECORDER, encoding="utf-8")
    command.chmod(0o755)
    settings = tmp_path / "stacks" / "Pulumi.europe.yaml"
    settings.parent.mkdir()
    settings.write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "answer").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("ANSWER", str(tmp_path / "answer"))
    monkeypatch.setenv("FAILS", "")
    return Engine(settings, "europe", ["validator-par"], {"diversite:haltHeight": "9"}, opened=["hel"])


def test_the_stacks_settings_stay_as_they_were(engine: Engine, tmp_path: Path) -> None:
    """The site and the height go into a copy: a plain `up` afterwards holds every site again."""
    engine.take("par")
    asked = (tmp_path / "record").read_text(encoding="utf-8")
    assert asked.startswith("up --config-file ")
    assert "--config=diversite:rolling=par --config=diversite:haltHeight=9" in asked
    assert "--yes --skip-preview --stack europe --non-interactive" in asked
    assert (tmp_path / "stacks" / "Pulumi.europe.yaml").read_text(encoding="utf-8") == SETTINGS


def test_a_site_that_must_be_opened_is_closed_again(engine: Engine, tmp_path: Path) -> None:
    """Where a plugin keeps a protected machine, three runs take the site: opened, made anew, protected as before."""
    engine.take("hel")
    runs = (tmp_path / "record").read_text(encoding="utf-8").splitlines()
    told = [[word for word in run.split() if word.startswith("--config=diversite:")] for run in runs]
    opened, rolling, height = (f"--config=diversite:{it}" for it in ("opened=hel", "rolling=hel", "haltHeight=9"))
    assert [set(words) for words in told] == [{opened, height}, {rolling, opened, height}, {height}]


def test_a_preview_tells_which_hosts_stop(engine: Engine, tmp_path: Path) -> None:
    """The steps of `pulumi preview --json` lead to hosts by their parents; components by themselves stop nothing."""

    def step(name: str, operation: str, parent: str = "", custom: bool = True) -> dict[str, object]:
        urn = f"urn:pulumi:europe::diversite::t::{name}"
        above = parent and f"urn:pulumi:europe::diversite::t::{parent}"
        return {"op": operation, "urn": urn, "newState": {"parent": above, "custom": custom}}

    steps = [
        step("validator-par", "update", custom=False),
        step("machine", "create-replacement", "validator-par"),
        step("route", "update"),
    ]
    (tmp_path / "answer").write_text(json.dumps({"steps": steps}), encoding="utf-8")
    assert engine.foresee("par") == {"validator-par": "stop"}
    (tmp_path / "answer").write_text(json.dumps({"steps": steps[:1]}), encoding="utf-8")
    assert engine.foresee("par") == {}


def test_what_the_cli_says_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure carries the CLI's own words."""
    monkeypatch.setenv("FAILS", "yes")
    with pytest.raises(RolloutError, match="`pulumi preview` ended 255: error: no capacity"):
        engine.foresee("par")


def test_without_the_cli_a_cloud_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else changes a cloud; that is said before anything is asked."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RolloutError, match="the Pulumi CLI is not on the PATH"):
        Engine(tmp_path / "stacks" / "Pulumi.europe.yaml", "europe", [])
