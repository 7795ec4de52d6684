"""`diversite power`: voting powers as the chain has them beside those of the stack file, and an operator's change.

A chain that has begun takes a validator in, takes one out, or gives one other power by a transaction that one of the
venue's operators signs. It is handed to one engine, and counts two blocks after the one that has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.stacks import KEYS_ENDING, LabStack, Target, target
from diversite.errors import DiversiteError

if TYPE_CHECKING:
    from rich.console import Console

    from diversite.plan import Host, Plan
    from drills.instructing import Way
    from rollout.monitors import Monitors

COUNTED_SECONDS_MAX = 30.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to become of whom."""

    planned: Plan
    keys: Mapping[str, str]
    """Base64 public keys by the validator's key in the topology; of those that left too."""
    way: Way
    to: int | None
    monitors: Monitors | None
    """Who see which validators sign; None where nobody is asked."""

    def key_of(self, name: str) -> str:
        """The public key of a validator, named by its key in the topology or by its public key itself."""
        from diversite.stackfile.closest import did_you_mean

        if name in self.keys:
            return self.keys[name]
        if name in self.keys.values() or name in self.way.powers():
            return name
        raise DiversiteError(f"validator {name}: its public key is not known{did_you_mean(name, self.keys)}")

    def wanted_power(self, name: str) -> int:
        """What is asked for, else what the stack file gives; DiversiteError where it has none of that name or key."""
        if self.to is not None:
            return self.to
        host = self.host_of(name)
        if host is None:
            raise DiversiteError(f"validator {name} is not in the stack file: say with --to what becomes of its power")
        return host.voting_power

    def host_of(self, name: str) -> Host | None:
        """The host of a validator, named by its key in the topology or by its public key; None where there is none."""
        key = self.key_of(name)
        return next((host for host in self.planned.of_role("validator") if self.keys.get(host.key) == key), None)


def power(  # noqa: PLR0913, PLR0917  a parameter an option
    stack: Annotated[str, typer.Argument(help="A stack of the clouds, or a lab: lab, lab-<topology>.")],
    validators: Annotated[
        list[str] | None, typer.Argument(help="Whose power; none: show every validator's.", show_default=False)
    ] = None,
    to: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="To this voting power; 0 takes it out. Default: the plan's.")
    ] = None,
    operator: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The private key of one of the venue's operators.")
    ] = None,
    through: Annotated[
        str | None, typer.Option(metavar="URL", help="Where an engine answers; a lab finds one by itself.")
    ] = None,
    prometheus: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Where a monitor answers; a lab finds its own by itself.")
    ] = None,
) -> None:
    """Show the chain's voting powers beside the stack file's, or change some by an operator's transaction.

    Exit code 0: they are alike, or were changed; 1: they differ; 2: an engine refuses, or does not answer.
    """
    from cli.console import new_console
    from diversite import stackfile
    from diversite.plan import plan

    wanted, console = target(stack), new_console()
    planned = plan(stackfile.load(wanted.file.path))
    way = _way(wanted, planned, through)
    monitors = _monitors(way, wanted, planned, prometheus or ())
    asked = Asked(planned=planned, keys=_keys(wanted), way=way, to=to, monitors=monitors)
    if not validators:
        raise typer.Exit(_show(asked, console))
    if operator is None:
        raise typer.BadParameter("say whose instruction it is: --operator FILE", param_hint="--operator")
    _change(asked, validators, operator, console)


def _change(asked: Asked, validators: Sequence[str], operator: Path, console: Console) -> None:
    from drills.operator import instruction, read_key, require_known

    signer = read_key(operator)
    require_known(signer, asked.planned)
    for name in validators:
        key, wanted = asked.key_of(name), asked.wanted_power(name)
        before = asked.way.powers().get(key, 0)
        if wanted == before:
            console.print(f"{name}: has {before:,} already", highlight=False)
            continue
        _require_counts(asked, name, before, wanted, console)
        asked.way.send(instruction(asked.planned.venue, signer, key, wanted))
        asked.way.await_power(key, wanted, COUNTED_SECONDS_MAX)
        console.print(f"{name}: {before:,} to {wanted:,}", highlight=False)


def _require_counts(asked: Asked, name: str, before: int, wanted: int, console: Console) -> None:
    """Power given is power that signs, and power taken is not what a block needs."""
    from diversite.rotation import in_units

    if before == 0 or in_units(wanted) > in_units(before):
        _require_follows(asked, name)
    elif wanted < before and asked.monitors:
        _require_quorum(asked, name, wanted, asked.monitors)
    elif wanted < before:
        console.print(
            f"{name}: whether those that sign now hold more than two thirds after it is not checked; --prometheus URL "
            "names a monitor that sees it",
            highlight=False,
        )


def _require_quorum(asked: Asked, name: str, wanted: int, monitors: Monitors) -> None:
    from rollout.monitors import LOOK_SECONDS_MAX

    silent = monitors.silent(seconds_max=LOOK_SECONDS_MAX)
    signers = [host.key for host in asked.planned.of_role("validator") if host.name not in silent]
    after = {**asked.way.powers(), asked.key_of(name): wanted}
    signing, total = sum(after.get(asked.keys.get(it, ""), 0) for it in signers), sum(after.values())
    if 3 * signing <= 2 * total:
        raise DiversiteError(
            f"validator {name} keeps its power: after it those that sign now ({', '.join(signers) or 'none'}) would "
            f"hold {signing:,} of {total:,}, and a block needs more than two thirds. Take those first that do not "
            f"sign: {', '.join(silent) or 'none of the stack file'}"
        )


def _require_follows(asked: Asked, name: str) -> None:
    """Power for a validator that does not follow the chain is power lost: what it needs is an engine that is ready."""
    host = asked.host_of(name)
    if host is None:
        raise DiversiteError(f"validator {name} is not in the stack file: only those that are get power")
    obstacles = asked.way.obstacles(host)
    if obstacles:
        raise DiversiteError(
            f"validator {name} gets no power before it follows the chain: {'; '.join(obstacles)}. Without it, its "
            "power would count as that of a validator that is down"
        )


def _show(asked: Asked, console: Console) -> int:
    from cli.console import new_table
    from diversite.rotation import in_units

    chain, names = asked.way.powers(), {key: name for name, key in asked.keys.items()}
    planned = {host.key: host.voting_power for host in asked.planned.of_role("validator")}
    rows = {name: (chain.get(asked.keys.get(name, ""), 0), share) for name, share in planned.items()}
    rows |= {names.get(key, key): (share, 0) for key, share in chain.items() if names.get(key) not in planned}
    table = new_table("validator", "in the chain", "in the stack file")
    for name, (there, here) in rows.items():
        table.add_row(name, f"{there:,}", f"{here:,}")
    console.print(table)
    differ = [name for name, (there, here) in rows.items() if in_units(there) != in_units(here) or not there]
    if differ:
        console.print(f"differ: {', '.join(differ)}", highlight=False)
    return 1 if differ else 0


def _way(wanted: Target, planned: Plan, through: str | None) -> Way:
    from drills.instructing import Address, Lab

    if wanted.is_lab:
        return Lab(LabStack(topology=wanted.file.name).name, planned)
    if through is None:
        raise DiversiteError(
            "say where an engine answers: --through http://localhost:8080, with a way to it open meanwhile "
            "(docs/runbooks/joining.md); that of the validator that joins"
        )
    return Address(through)


def _monitors(way: Way, wanted: Target, planned: Plan, prometheus: Sequence[str]) -> Monitors | None:
    from diversite import ports
    from rollout.monitors import Monitors

    validators = [host.name for host in planned.of_role("validator")]
    of_lab = [f"http://{host.address}:{ports.PROMETHEUS}" for host in planned.of_role("monitor")]
    addresses = of_lab if wanted.is_lab else prometheus
    return Monitors(validators, addresses, way.fetch) if addresses else None


def _keys(wanted: Target) -> dict[str, str]:
    """Of those that the chain began with, and of those that are there now."""
    return _keys_of_lab(wanted.stack) if wanted.is_lab else _keys_of_file(wanted.file.path.with_suffix(KEYS_ENDING))


def _keys_of_file(path: Path) -> dict[str, str]:
    from diversite import keys

    halves = keys.read(path)
    if halves is None:
        raise DiversiteError(f"{path} is not there: the venue's keys have not come together (docs/runbooks/genesis.md)")
    began = {name: it.public_key for name, it in halves.genesis.validators.items()}
    return began | {name: it.public_key for name, it in halves.validators.items()}


def _keys_of_lab(stack: str) -> dict[str, str]:
    import offline
    from cli.stacks import PROJECT
    from diversite.genesis import Genesis

    found: dict[str, str] = {}
    resources = offline.state(offline.Project.load(PROJECT), stack).resources
    for kept in (item for item in resources if item.type == "lab:index:Genesis"):
        began = Genesis.model_validate_json(_text(kept.outputs, "kept"))
        found |= {name: it.public_key for name, it in began.validators.items()}
    for made in (item for item in resources if item.type == "lab:index:Keys"):
        name = _text(made.inputs, "host").removeprefix("validator-")
        found[name] = _text(made.outputs, "validatorPublicKey")
    return found


def _text(properties: Mapping[str, Any], name: str) -> str:
    return str(properties[name])
