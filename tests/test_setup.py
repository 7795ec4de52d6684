"""The set-up script: it brings what the lab asks for, and takes no tool that is too old."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab.commands import REQUIRED

SETUP = Path(__file__).parents[1] / "scripts" / "setup"
ESSENTIAL = {"util-linux"}
"""On every Debian, because the distribution marks it so."""


def array(name: str) -> list[str]:
    """What a list of the script holds."""
    found = re.search(rf"^{name}=\((.*)\)$", SETUP.read_text(), re.MULTILINE)
    assert found, f"scripts/setup has no list {name}"
    return found[1].split()


def test_setup_brings_what_the_lab_needs() -> None:
    """Every package that the lab misses by name is installed by the script that its message names."""
    assert set(REQUIRED.values()) - ESSENTIAL <= set(array("DEBIAN_PACKAGES"))


def test_every_package_is_missed_by_a_command_of_its_own() -> None:
    """Packages and commands stand in pairs, and where the lab needs the command, it is of that package."""
    pairs = dict(zip(array("DEBIAN_COMMANDS"), array("DEBIAN_PACKAGES"), strict=True))
    assert {name: REQUIRED[name] for name in pairs.keys() & REQUIRED.keys()} == {
        name: pairs[name] for name in pairs.keys() & REQUIRED.keys()
    }


@pytest.mark.parametrize(
    ("said", "is_new_enough"),
    [
        ("go1.24.0", True),
        ("go1.26.8", True),
        ("go1.100.1", True),
        ("go1.22.5", False),
        ("go1.19.8", False),
        ("go1.9", False),
        ("", False),
    ],
)
def test_an_old_go_is_not_taken(said: str, is_new_enough: bool, tmp_path: Path) -> None:
    """CometBFT's module needs a newer Go than some distributions have: theirs is passed over."""
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho {said}\n")
    go.chmod(0o755)
    text = SETUP.read_text()
    least = re.search(r"^GO_LEAST=\S+", text, re.MULTILINE)
    function = re.search(r"^new_enough_go\(\) \{.*?^\}$", text, re.MULTILINE | re.DOTALL)
    assert least
    assert function
    script = f'{least[0]}\n{function[0]}\nnew_enough_go "$1"'
    ended = subprocess.run(["bash", "-euo", "pipefail", "-c", script, "bash", str(go)], check=False)
    assert (ended.returncode == 0) is is_new_enough


def test_what_was_installed_is_not_enabled(tmp_path: Path) -> None:
    """Each unit of a package is disabled by name; a package without units stops nothing."""
    programs = {
        "dpkg": 'case $2 in s6) echo /usr/bin/s6-svscan;; *) echo "/lib/systemd/system/$2.service"; esac',
        "systemctl": 'echo "$@"',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    function = re.search(r"^disable_services\(\) \{.*?^\}$", SETUP.read_text(), re.MULTILINE | re.DOTALL)
    assert function
    script = f'PATH="{tmp_path}:$PATH"\n{function[0]}\ndisable_services bird s6 haproxy'
    ended = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["disable --quiet bird.service", "disable --quiet haproxy.service"]
