"""A rollout under way: one site after the other, each looked at before and waited for after, stopped at any trouble.

Nothing is remembered between runs. Whether a site is done, the engine tells: nothing of it would change. So whatever
stops a rollout, the same command goes on where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from diversite.errors import RolloutError
from diversite.plan import Plan
from diversite.rollout import Step, steps, without_power
from diversite.rotation import in_units
from rollout.monitors import SIGN_SECONDS_MAX, Monitors

Operation = Literal["change", "stop"]
"""`stop`: it is removed or made anew; `change`: anything less."""


class Hands(Protocol):
    """Who carries a step out."""

    def foresee(self, site: str) -> Mapping[str, Operation]:
        """What an `up` in which the site's hosts may change would do, by host name; hosts that stay are absent."""
        ...

    def take(self, site: str) -> None:
        """Run that `up` to its end; RolloutError where it fails."""
        ...


@dataclass(kw_only=True)
class Course:
    """A rollout of a venue."""

    plan: Plan
    hands: Hands
    monitors: Monitors
    tell: Callable[[str], None]
    sites: Sequence[str] = ()
    """Only these; empty for all."""
    halted: bool = False
    """Whether the venue is known to be halted: then its sites are taken without waiting for one another."""
    at_height: int | None = None
    """The height at which what is taken halts the venue: every site must have it before that block."""
    done: list[str] = field(default_factory=list)

    def run(self) -> tuple[str, ...]:
        """Take every site that differs; the sites that were taken.

        Raises:
            RolloutError: at the first trouble, with where the rollout stands and how to go on.
        """
        self.plan = self._as_it_votes()
        order = [step.site for step in steps(self.plan, self.sites)]
        if self.halted:
            self._require_halted()
        for position, site in enumerate(order):
            try:
                self._take(site)
            except RolloutError as error:
                raise self._stopped(site, order[position + 1 :], error) from error
        if self.halted:
            self._await(self._signers())
        return tuple(self.done)

    def _take(self, site: str) -> None:
        foreseen = self.hands.foresee(site)
        mine = {name for name in foreseen if self.plan.hosts[name].site == site}
        self._refuse_others(site, {name for name, operation in foreseen.items() if operation == "stop"} - mine)
        if not mine:
            self.tell(f"{site}: nothing differs")
            return
        self._require_before_the_halt()
        step = self._permitted(site)
        self.tell(f"{site}: {step.share} of the power; takes {', '.join(sorted(mine))}")
        self.hands.take(site)
        if not self.halted:
            self._await(step.validators)
        self.done.append(site)

    def _permitted(self, site: str) -> Step:
        signers = self._signers()
        down = signers if self.halted else self.monitors.silent(signers)
        if len(down) == len(signers) and not self.halted:
            raise RolloutError(
                "no validator signs: the venue is halted, and a rollout would not tell why. Mend it first; where it "
                "was halted on purpose, as at a halt height, say --halted"
            )
        (step,) = steps(self.plan, [site], down=down)
        if step.blockers:
            silent = f" ({', '.join(down)} signs nothing)" if down else ""
            raise RolloutError(f"{step.blockers[0]}{silent}")
        return step

    def _require_halted(self) -> None:
        signing = set(self._signers()) - set(self.monitors.silent(self._signers()))
        if signing:
            raise RolloutError(
                f"{self.plan.venue} is not halted: {', '.join(sorted(signing))} signs. Without --halted its sites are "
                "taken one after the other"
            )

    def _units(self, validators: Collection[str]) -> int:
        return sum(in_units(self.plan.hosts[name].voting_power) for name in validators)

    def _require_before_the_halt(self) -> None:
        height = self.monitors.height() if self.at_height else 0
        if self.at_height and height >= self.at_height:
            raise RolloutError(
                f"height {height} is there, and the halt was to be at {self.at_height}. Choose a height that every "
                "site can have before"
            )

    def _signers(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.plan.of_role("validator") if host.voting_power)

    def _as_it_votes(self) -> Plan:
        """The plan with the power that the chain knows of: a validator that joins has none until an operator gives it.

        Only where the chain's own total says so; a validator that is merely down keeps its power. While what monitors
        tell does not add up they are asked again: one that just began has not seen every validator.
        """
        planned = self._units(self._signers())
        self.monitors.wait_until(lambda: self._counted() == planned - self._units(self._unsigned()))
        counted, waiting = self._counted(), self._unsigned()
        if counted is not None and counted > planned:
            raise RolloutError(
                f"the chain counts {counted} units of voting power, the stack file {planned}: what left the stack file "
                "is down for ever, and counts. `diversite power` shows whose it is; take it first "
                "(docs/runbooks/joining.md, Leaving)"
            )
        if not waiting or counted != planned - self._units(waiting):
            return self.plan
        self.tell(f"{', '.join(waiting)} has no voting power yet, and is not waited for")
        return without_power(self.plan, waiting)

    def _counted(self) -> int | None:
        """The units of voting power in the chain's newest block; None where no monitor has seen them."""
        total = self.monitors.total_power()
        return None if total is None else in_units(total)

    def _unsigned(self) -> tuple[str, ...]:
        """Validators that never signed, as far as the monitors know."""
        seen = self.monitors.look()
        return tuple(name for name in self._signers() if seen[name].signed is None)

    def _refuse_others(self, site: str, others: Collection[str]) -> None:
        if others:
            raise RolloutError(
                f"the same `up` would also stop {', '.join(sorted(others))}, which stand elsewhere than {site}: more "
                "than images, releases and boot scripts differs. Run `up` for that first; it is judged by itself"
            )

    def _await(self, validators: tuple[str, ...]) -> None:
        silent = self.monitors.silent(validators, SIGN_SECONDS_MAX)
        if silent:
            raise RolloutError(
                f"{', '.join(silent)} signed nothing for {SIGN_SECONDS_MAX:.0f} s after it was taken. Read its log: a "
                "different application hash, a missing release or a full disk stops a validator by itself"
            )
        if validators:
            self.tell(f"  {', '.join(validators)} signs again, at height {self.monitors.height()}")

    def _stopped(self, site: str, left: Sequence[str], error: RolloutError) -> RolloutError:
        where = f"the rollout of {self.plan.venue} stopped at {site}: {error}."
        done = f"Taken in this run: {', '.join(self.done) or 'none'}; not yet: {', '.join([site, *left])}."
        return RolloutError(f"{where} {done} When it is mended, the same command goes on: what is done is passed over.")
