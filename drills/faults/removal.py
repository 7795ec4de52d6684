"""A dead validator taken out of the set, so that no turn is its any more, and brought back when it lives again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diversite.errors import DiversiteError
from diversite.outcome import Outcome
from diversite.plan import Host
from drills import asking, operator
from drills.faults.fault import Evidence, class_alone
from drills.faults.processes import Kill


class Remove(Kill):
    """Validators killed, and taken out of the set by the operator's transaction. Needs an operator's key."""

    word = "remove"
    operator_key: Path | None = None
    """Where the private key of one of the venue's operators is; to be set before it is drilled."""

    @property
    def validators(self) -> tuple[Host, ...]:
        """Those that are taken out."""
        return tuple(host for host in self.hosts if host.role == "validator")

    def require_targets(self) -> None:
        """Validators, of whom those that are left are a quorum."""
        super().require_targets()
        if not self.validators or super().predicted().outcome != "continues":
            raise DiversiteError(f"{self.name}: name validators without whom the rest still has a quorum")

    def predicted(self) -> Outcome:
        """The class: how it fares is between that of the loss and that of the calm."""
        return class_alone(super().predicted())

    def prepare(self) -> None:
        """Whether somebody may do it at all, and what is to be taken."""
        if self.operator_key is None:
            raise DiversiteError(f"{self.name}: say with --operator where the key of one of the venue's operators is")
        self._key = operator.read_key(self.operator_key)
        operator.require_known(self._key, self.plan)
        keys = {host.name: self._public_key(host) for host in self.validators}
        self._before = {keys[host.name]: host.voting_power for host in self.validators}

    def inject(self) -> float:
        """Kill first: that is what an operator answers."""
        instant = super().inject()
        self._set(dict.fromkeys(self._before, 0))
        return instant

    def evidence(self) -> Sequence[Evidence]:
        """Of the killing, and that no engine counts them any more."""
        powers = asking.engine(self.lab, self._through, "/status")["validators"]
        gone = [Evidence(what=f"{key}: out of the set", bit=key not in powers) for key in self._before]
        return [*super().evidence(), *gone]

    def heal(self) -> float:
        """Start them, and give them their power again."""
        instant = super().heal()
        self._set(self._before)
        return instant

    @property
    def _through(self) -> Host:
        struck = {host.name for host in self.hosts} | {host.partner for host in self.hosts}
        return next(host for host in self.plan.of_role("engine") if host.name not in struck)

    def _set(self, powers: dict[str, int]) -> None:
        for key, power in powers.items():
            operator.set_power(self.lab, self.plan, self._through, self._key, key, power)

    def _public_key(self, host: Host) -> str:
        told = asking.validator(self.lab, host, "/status")
        return str(told["validator_info"]["pub_key"]["value"])
