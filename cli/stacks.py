"""From what a user types to a stack file, to a stack of the engine, and to a stack of the lab.

A word names a stack (`stacks/Pulumi.<stack>.yaml`, whose `diversite:topology` names the file), a topology
(`stacks/<topology>.yaml`) or, with a slash or an ending, a file anywhere. A stack goes before a topology of its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diversite.errors import DiversiteError

if TYPE_CHECKING:
    from diversite.plan import Plan

PROJECT = Path(__file__).resolve().parent.parent
"""The checkout that this command line belongs to."""
STACKS = PROJECT / "stacks"
FLAGSHIP = "europe"
TOPOLOGY, SUBSTRATE, RESTORE = "diversite:topology", "diversite:substrate", "diversite:restore"
_ENDINGS = (".yaml", ".yml")
KEYS_ENDING = ".keys.yaml"
"""How the names of keys files end, which stand beside the stack files."""
_ENGINES = "Pulumi."
"""How the names of the engine's settings begin, which stand beside the stack files."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """A stack file, and the stack by which it was named, if any."""

    path: Path
    stack: str | None = None
    """The engine's stack; None where a topology or a file was named."""

    @property
    def name(self) -> str:
        """The topology's name, by its file."""
        return self.path.stem

    @property
    def is_of_project(self) -> bool:
        """Whether the program would find it by its name."""
        return self.path.resolve().parent == STACKS


@dataclass(frozen=True, kw_only=True)
class LabStack:
    """A stack of the lab: `lab` is the flagship's, `lab-<topology>` that of another topology."""

    topology: str
    restore: str | None = None
    """Up to where a store that is new is brought by its backups: `latest` or an instant; None: it begins empty."""

    @property
    def name(self) -> str:
        """The stack's name."""
        return "lab" if self.topology == FLAGSHIP else f"lab-{self.topology}"

    @property
    def config(self) -> dict[str, str]:
        """The settings that the program reads."""
        told = {TOPOLOGY: self.topology, SUBSTRATE: "lab"}
        return told if self.restore is None else {**told, RESTORE: self.restore}

    @cached_property
    def plan(self) -> Plan:
        """The venue, decided."""
        from diversite import stackfile
        from diversite.plan import plan

        return plan(stackfile.load(STACKS / f"{self.topology}.yaml"))


@dataclass(frozen=True, kw_only=True)
class Target:
    """A stack to run the program for."""

    stack: str
    file: StackFile
    config: Mapping[str, str] = field(default_factory=dict)
    """What the engine's settings file does not say, because there is none."""

    @property
    def settings(self) -> Path:
        """The engine's settings of the stack; where there are none, the program gets `config`."""
        return STACKS / f"{_ENGINES}{self.stack}.yaml"

    @property
    def is_lab(self) -> bool:
        """Whether it is a rehearsal on this machine."""
        told = _configuration(self.settings) if self.settings.is_file() else {}
        return {**told, **self.config}.get(SUBSTRATE) == "lab"


def of_lab(name: str) -> LabStack:
    """The stack of a lab by the lab's name."""
    return LabStack(topology=FLAGSHIP if name == "lab" else name.removeprefix("lab-"))


def lab_stack(text: str) -> LabStack:
    """The stack of the lab that a user means, by a topology's name or the lab's own."""
    return LabStack(topology=target(text).file.name)


def topologies() -> tuple[str, ...]:
    """Every topology in stacks/, by name."""
    found = (path for path in STACKS.glob("*.yaml") if not path.name.startswith(_ENGINES))
    return tuple(sorted(path.stem for path in found if not path.name.endswith(KEYS_ENDING)))


def stacks() -> tuple[str, ...]:
    """Every stack of the engine that has settings in stacks/."""
    return tuple(sorted(path.stem.removeprefix(_ENGINES) for path in STACKS.glob(f"{_ENGINES}*.yaml")))


def resolve(text: str) -> StackFile:
    """The stack file that a user means; DiversiteError with what is near where there is none."""
    path = Path(text)
    if path.name.startswith(_ENGINES) and path.suffix in _ENDINGS:
        return _of_stack(path.stem.removeprefix(_ENGINES), path)
    if "/" in text or path.suffix in _ENDINGS:
        return StackFile(path=path)
    if text in stacks():
        return _of_stack(text, STACKS / f"{_ENGINES}{text}.yaml")
    if text in topologies():
        return StackFile(path=near(STACKS / f"{text}.yaml"))
    if of_lab(text).name == text and of_lab(text).topology in topologies():
        return StackFile(path=near(STACKS / f"{of_lab(text).topology}.yaml"), stack=text)
    if path.is_file():
        return StackFile(path=path)
    raise _unknown(text)


def target(text: str) -> Target:
    """The stack to run the program for: a topology's is that of its lab."""
    file = resolve(text)
    if not file.is_of_project and file.path.exists():
        raise DiversiteError(
            f"{text}: the program reads stacks/<topology>.yaml of {PROJECT}; put the file there and name its topology, "
            "or judge the file alone: diversite check FILE"
        )
    if file.stack in stacks() and file.stack is not None:
        return Target(stack=file.stack, file=file)
    lab = LabStack(topology=file.name)
    return Target(stack=file.stack or lab.name, file=file, config=lab.config)


def configuration(file: StackFile) -> Mapping[str, Any]:
    """What the settings of a stack say, beside its stack file; empty where there are none."""
    path = file.path.parent / f"{_ENGINES}{file.stack or file.name}.yaml"
    return _configuration(path) if path.is_file() else {}


def near(path: Path) -> Path:
    """The path as a person in this directory would write it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _of_stack(stack: str, settings: Path) -> StackFile:
    topology = _setting(settings, TOPOLOGY) or stack
    path = settings.parent / f"{topology}.yaml"
    if not path.exists():
        raise DiversiteError(f"{near(settings)}: {TOPOLOGY} is {topology!r}, and {near(path)} is not there{_listed()}")
    return StackFile(path=near(path), stack=stack)


def _setting(path: Path, key: str) -> str | None:
    """A value of the engine's settings of a stack; None where they do not say it."""
    found = _configuration(path).get(key)
    return found if isinstance(found, str) else None


def _configuration(path: Path) -> Mapping[str, Any]:
    from diversite.stackfile import yamltext

    try:
        root, faults = yamltext.read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DiversiteError(f"{near(path)} cannot be read: {error}") from error
    if root is None and faults:
        raise DiversiteError(f"{near(path)}:{faults[0].line}: {faults[0].says}")
    data = root.data if root else None
    config = data.get("config") if isinstance(data, dict) else None
    return config if isinstance(config, dict) else {}


def _unknown(text: str) -> DiversiteError:
    from diversite.stackfile.closest import did_you_mean

    meant = did_you_mean(text, {*stacks(), *topologies()})
    return DiversiteError(f"{text!r} is no stack, no topology and no file{meant}{_listed()}")


def _listed() -> str:
    from diversite.stackfile.closest import listed

    return f"; stacks are {listed(stacks()) or 'none'}, topologies are {listed(topologies()) or 'none'}"
