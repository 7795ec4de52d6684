"""What can be broken in a running lab, and how: one small class a fault, each on a failure domain of the topology.

    word        on                     what it does
    kill        hosts                  every process ended unwarned, and kept down
    pause       hosts                  every process stopped, its connections left open (a gray failure)
    cut-off     whole sites            every wire of the sites cut, nothing ended
    power-off   whole sites            both: nobody hears a farewell
    power-cut   hosts (root)           processes ended, and of the disks only what had been written down
    cut         links, carriers        wires cut silently, both ways
    one-way     links, carriers        wires cut silently, one way
    flap        links, carriers        cut and healed again every FLAP_SECONDS
    slow        links, carriers        SLOWER_MS more round trip
    loss        links, carriers        LOSS_PER_MILLION of all packets lost, each way
    duplicate   links, carriers        GARBLED_PER_MILLION of all packets sent twice (wires of the relay only)
    reorder     links, carriers        as many overtake those before them (wires of the relay only)
    corrupt     links, carriers        as many with one bit changed (wires of the relay only)

`parse` reads `word:kind:identity`, or several domains at once joined by `+`; without the word, what stops hosts is
powered off (whole sites) or killed, and what cuts links is cut. A fault is predicted, injected once, asked for evidence
while it lasts, and healed. When to add a class here: something else fails in another way; what merely fails elsewhere
is another domain.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from diversite.domains import CUTTING, FREEZING, Domain, domains_of
from diversite.domains import parse as parse_domain
from diversite.errors import DiversiteError
from diversite.outcome import Outcome, predict
from diversite.plan import Host, Plan
from drills import wires
from lab import control, service, supervision, world

SLOWER_MS = 60
"""Round trip that a slow link takes on top of its own: about that of a detour over an ocean's shore."""
LOSS_PER_MILLION = 50_000
GARBLED_PER_MILLION = 20_000
FLAP_SECONDS = 1.0
"""Long enough for BFD to see each change, short enough that routes have hardly settled when the next one comes."""
TOGETHER = "+"
"""Between domains that fail at the same time."""
COUNTED_SECONDS_MAX = 5.0
"""How long a wire's counters may take to show what was dropped: hellos are sent each second, counted each second."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One sign that a fault bit, looked for where it struck."""

    what: str
    bit: bool


class Fault(ABC):
    """Something that breaks a lab; every instant is in monotonic seconds."""

    word: ClassVar[str]

    def __init__(self, lab: str, plan: Plan, *domains: Domain) -> None:
        self.lab = lab
        self.plan = plan
        self.domains = domains
        membership = domains_of(plan)
        members = frozenset().union(*(membership.members(domain) for domain in domains))
        self.hosts: tuple[Host, ...] = tuple(host for host in plan.hosts.values() if host.name in members)
        self.links: tuple[str, ...] = tuple(name for name in plan.links if name in members)
        self.sites: tuple[str, ...] = tuple(host.site for host in self.hosts if host.role == "gateway")
        self._require_targets()

    @property
    def name(self) -> str:
        """How the fault is written."""
        return f"{self.word}:{self._where}"

    def predicted(self) -> Outcome:
        """What the model says of it. The faults of a lab leave disks and programs what they are, so nothing is gone."""
        return predict(self.plan, [], down=(*self._names, *self.links))

    @abstractmethod
    def inject(self) -> float:
        """Break it; the instant from which it was broken as a whole."""

    @abstractmethod
    def evidence(self) -> Sequence[Evidence]:
        """Whether it is broken, by what is seen there; asked while it lasts."""

    @abstractmethod
    def heal(self) -> float:
        """Mend it; the instant at which mending began."""

    def _require_targets(self) -> None:
        if not self.hosts or self.links:
            raise DiversiteError(
                f"{self.name}: {self._where} is not hosts alone, which {self.word} strikes; "
                f"links are struck by {', '.join(it.word for it in LINK_FAULTS)}"
            )

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts)

    @property
    def _where(self) -> str:
        return TOGETHER.join(map(str, self.domains))


class Kill(Fault):
    """Every process of the hosts ended at once, unwarned, and kept down."""

    word = "kill"

    def inject(self) -> float:
        running = _processes(self.lab, self._names)
        self._had = {name: len(pids) for name, pids in running.items()}
        _run_once(self.lab, self._names)
        _signal(running, signal.SIGKILL)
        instant = time.monotonic()
        for name in self._names:
            control.kill_host(self.lab, name)
        return instant

    def evidence(self) -> Sequence[Evidence]:
        left = {name: len(pids) for name, pids in _processes(self.lab, self._names).items()}
        return [
            Evidence(what=f"{name}: {had} processes ran, {left[name]} run", bit=had > 0 and left[name] == 0)
            for name, had in self._had.items()
        ]

    def heal(self) -> float:
        instant = time.monotonic()
        for host in sorted(self.hosts, key=lambda host: host.role == "validator"):
            control.start_host(self.lab, host.name)
        return instant


class PowerCut(Kill):
    """The hosts without power: processes ended, and of each disk only what had been written down. Needs root."""

    word = "power-cut"

    def inject(self) -> float:
        instant = super().inject()
        self._lost = {name: control.power_cut_host(self.lab, name) for name in self._disks}
        return instant

    def evidence(self) -> Sequence[Evidence]:
        lost = [
            Evidence(what=f"{name}: {count} bytes of its disk lost", bit=True) for name, count in self._lost.items()
        ]
        whole = Evidence(what=f"{sum(self._lost.values())} bytes lost on all disks", bit=sum(self._lost.values()) > 0)
        return [*super().evidence(), *lost, whole]

    @property
    def _disks(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts if host.data_gib)

    def _require_targets(self) -> None:
        super()._require_targets()
        if not self._disks:
            raise DiversiteError(f"{self.name}: none of {', '.join(self._names)} keeps anything on a disk; kill it")


class Pause(Fault):
    """Every process of the hosts stopped: connections stay, nothing answers."""

    word = "pause"

    def inject(self) -> float:
        self._paused = _processes(self.lab, self._names)
        _signal(self._paused, signal.SIGSTOP)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        return [
            Evidence(what=f"{name}: {_stopped(pids)} of {len(pids)} processes are stopped", bit=_stopped(pids) > 0)
            for name, pids in _processes(self.lab, self._names).items()
        ]

    def heal(self) -> float:
        instant = time.monotonic()
        _signal(self._paused, signal.SIGCONT)
        return instant


class CutOff(Fault):
    """Every wire of whole sites cut silently; what runs there goes on alone."""

    word = "cut-off"

    def inject(self) -> float:
        self._before = wires.dropped(self.lab, self._wires)
        control.cut_wires(self.lab, self._wires)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        return _cut_evidence(self.lab, self._before)

    def heal(self) -> float:
        instant = time.monotonic()
        control.heal_wires(self.lab, self._wires)
        return instant

    @property
    def _wires(self) -> tuple[str, ...]:
        return wires.of_sites(self.plan, self.sites)

    def _require_targets(self) -> None:
        super()._require_targets()
        if not self.sites or {host.site for host in self.hosts} - set(self.sites):
            raise DiversiteError(
                f"{self.name}: {self.word} needs whole sites, and {self._where} has "
                f"{', '.join(host.name for host in self.hosts) or 'no hosts'}; strike hosts with kill or pause"
            )


class PowerOff(CutOff):
    """Whole sites gone at once: cut first, so that nobody hears the processes end."""

    word = "power-off"

    def __init__(self, lab: str, plan: Plan, *domains: Domain) -> None:
        super().__init__(lab, plan, *domains)
        self._kill = Kill(lab, plan, *domains)

    def inject(self) -> float:
        instant = super().inject()
        self._kill.inject()
        return instant

    def evidence(self) -> Sequence[Evidence]:
        return [*super().evidence(), *self._kill.evidence()]

    def heal(self) -> float:
        instant = super().heal()
        self._kill.heal()
        return instant


class LinkFault(Fault):
    """What strikes links."""

    def _require_targets(self) -> None:
        if not self.links or self.hosts:
            raise DiversiteError(
                f"{self.name}: {self._where} is not links alone, which {self.word} strikes; "
                f"hosts are struck by {', '.join(it.word for it in HOST_FAULTS)}"
            )


class Cut(LinkFault):
    """Links cut silently, both ways."""

    word = "cut"
    way: ClassVar[str] = "both"

    def inject(self) -> float:
        self._before = wires.dropped(self.lab, self.links)
        control.cut_wires(self.lab, self.links, self.way)
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        return _cut_evidence(self.lab, self._before)

    def heal(self) -> float:
        instant = time.monotonic()
        control.heal_wires(self.lab, self.links)
        return instant


class OneWay(Cut):
    """Links cut silently from their first end to their second; the other way carries on."""

    word = "one-way"
    way = "aToB"


class Flap(Cut):
    """Links cut and healed over and over."""

    word = "flap"

    def inject(self) -> float:
        self._ended = threading.Event()
        self._flapping = threading.Thread(target=self._flap, daemon=True)
        instant = super().inject()
        self._flapping.start()
        return instant

    def heal(self) -> float:
        self._ended.set()
        self._flapping.join()
        return super().heal()

    def predicted(self) -> Outcome:
        return _class_alone(self.plan)

    def _flap(self) -> None:
        is_cut = True
        while not self._ended.wait(FLAP_SECONDS):
            is_cut = not is_cut
            control.cut_wires(self.lab, self.links, self.way if is_cut else "")


class Impaired(LinkFault):
    """Links that carry, but badly."""

    def inject(self) -> float:
        self._inputs = wires.impair(self.lab, dict.fromkeys(self.links, self._change))
        return time.monotonic()

    def heal(self) -> float:
        instant = time.monotonic()
        wires.restore(self.lab, self._inputs)
        return instant

    @property
    @abstractmethod
    def _change(self) -> Callable[[wires.WireInputs], wires.WireInputs]: ...

    def predicted(self) -> Outcome:
        return _class_alone(self.plan)


class Slow(Impaired):
    """Links with more round trip; routes stay, because their costs do."""

    word = "slow"

    def predicted(self) -> Outcome:
        return predict(wires.slower(self.plan, frozenset(self.links), SLOWER_MS), [])

    def evidence(self) -> Sequence[Evidence]:
        planned = {name: self.plan.links[name].rtt_ms for name in self.links}
        seen = {name: wires.observed(self.lab, self.plan.links[name]).p50_ms for name in self.links}
        return [
            Evidence(what=f"{name}: {seen[name]:.1f} ms, planned {ms:.1f} ms", bit=seen[name] >= ms + 0.9 * SLOWER_MS)
            for name, ms in planned.items()
        ]

    @property
    def _change(self) -> Callable[[wires.WireInputs], wires.WireInputs]:
        return lambda inputs: inputs.model_copy(
            update={"delay_microseconds": inputs.delay_microseconds + SLOWER_MS * 1000 // 2}
        )


class Loss(Impaired):
    """Links that lose a share of their packets."""

    word = "loss"

    def evidence(self) -> Sequence[Evidence]:
        seen = {name: wires.observed(self.lab, self.plan.links[name], count=100) for name in self.links}
        return [
            Evidence(what=f"{name}: {trip.answered} of {trip.sent} pings answered", bit=trip.answered < trip.sent)
            for name, trip in seen.items()
        ]

    @property
    def _change(self) -> Callable[[wires.WireInputs], wires.WireInputs]:
        return lambda inputs: inputs.model_copy(update={"loss_per_million": LOSS_PER_MILLION})


class Garbled(LinkFault):
    """Links that deliver, but not what was sent as it was sent."""

    counted: ClassVar[str]
    """The relay's counter of it."""

    def inject(self) -> float:
        self._before = wires.counted(self.lab, self.links, self.counted)
        fault = {f"{self.word}PerMillion": GARBLED_PER_MILLION}
        control.set_wire_faults(self.lab, dict.fromkeys(self.links, fault))
        return time.monotonic()

    def evidence(self) -> Sequence[Evidence]:
        now = wires.counted(self.lab, self.links, self.counted)
        return [
            Evidence(what=f"{name}: {now[name] - count} packets {self.counted}", bit=now[name] > count)
            for name, count in self._before.items()
        ]

    def heal(self) -> float:
        instant = time.monotonic()
        control.heal_wires(self.lab, self.links)
        return instant

    def predicted(self) -> Outcome:
        return _class_alone(self.plan)


class Duplicate(Garbled):
    """Links that deliver some packets twice."""

    word = "duplicate"
    counted = "duplicated"


class Reorder(Garbled):
    """Links on which some packets overtake others."""

    word = "reorder"
    counted = "reordered"


class Corrupt(Garbled):
    """Links that change a bit of some packets."""

    word = "corrupt"
    counted = "corrupted"


HOST_FAULTS: tuple[type[Fault], ...] = (Kill, PowerCut, Pause, CutOff, PowerOff)
LINK_FAULTS: tuple[type[Fault], ...] = (Cut, OneWay, Flap, Slow, Loss, Duplicate, Reorder, Corrupt)
FAULTS: Mapping[str, type[Fault]] = {it.word: it for it in (*HOST_FAULTS, *LINK_FAULTS)}
"""Every fault by its word."""


def parse(text: str, lab: str, plan: Plan) -> Fault:
    """The fault that a person names; DiversiteError with what is known where nothing is meant."""
    word, _, rest = text.partition(":")
    if word in FAULTS:
        return FAULTS[word](lab, plan, *_domains(rest, plan))
    domains = _domains(text, plan)
    if any(domain.kind in FREEZING for domain in domains):
        raise DiversiteError(f"{text}: a lab has no control plane that could fail; hosts and links can be struck")
    if all(domain.kind in CUTTING for domain in domains):
        return Cut(lab, plan, *domains)
    try:
        return PowerOff(lab, plan, *domains)
    except DiversiteError:
        return Kill(lab, plan, *domains)


def _domains(text: str, plan: Plan) -> tuple[Domain, ...]:
    return tuple(parse_domain(part, plan) for part in text.split(TOGETHER))


def standard_set(lab: str, plan: Plan) -> tuple[Fault, ...]:
    """A validator, its site, the heaviest grid that may be lost, a link, a provider, an entrance.

    The validator is the first proposer, the link the one that most routes take, the provider the one with most power.
    """
    validator = next(host for host in plan.of_role("validator") if host.key == plan.proposer_order[0])
    return (
        Kill(lab, plan, Domain("host", validator.name)),
        PowerOff(lab, plan, parse_domain(f"site:{validator.site}", plan)),
        *_heaviest_grid(lab, plan),
        Cut(lab, plan, Domain("link", _busiest_link(plan))),
        PowerOff(lab, plan, _heaviest(plan, domains_of(plan).all("provider"))),
        *(Kill(lab, plan, Domain("host", host.name)) for host in plan.of_role("entry")[:1]),
    )


def _class_alone(plan: Plan) -> Outcome:
    """That a venue goes on and loses nothing; the model knows no figure for it, and says none."""
    return replace(predict(plan, []), rto_seconds=None, gap_seconds=None, latency=None)


def _heaviest_grid(lab: str, plan: Plan) -> Iterable[Fault]:
    membership = domains_of(plan)
    grids = [*membership.all("synchronous_area"), *membership.all("control_area"), *membership.all("local_grid")]
    survived = [grid for grid in grids if predict(plan, [grid]).outcome == "continues"]
    return [PowerOff(lab, plan, _heaviest(plan, survived))] if survived else []


def _heaviest(plan: Plan, domains: Iterable[Domain]) -> Domain:
    membership = domains_of(plan)
    return max(
        domains, key=lambda it: sum(h.voting_power for h in plan.hosts.values() if h.name in membership.members(it))
    )


def _busiest_link(plan: Plan) -> str:
    return max(plan.links, key=lambda name: sum(name in route.links for route in plan.routes.values()))


def _processes(lab: str, hosts: Iterable[str]) -> dict[str, list[int]]:
    found = world.require(lab)
    return {name: found.processes(name) for name in hosts}


def _run_once(lab: str, hosts: Iterable[str]) -> None:
    """Have nothing on the hosts started again when it ends."""
    found = world.require(lab)
    for host in hosts:
        for name in service.names(found, host):
            supervision.control(found, service.unit(host, name), "-O")


def _signal(processes: Mapping[str, Sequence[int]], number: signal.Signals) -> None:
    for pids in processes.values():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _stopped(pids: Iterable[int]) -> int:
    return sum(_state(pid) == "T" for pid in pids)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _cut_evidence(lab: str, before: Mapping[str, int]) -> Sequence[Evidence]:
    """A cut wire has dropped something since. What nobody sends over tells nothing, so it is waited for a while."""
    now = dict(before)

    def risen() -> bool:
        now.update(wires.dropped(lab, tuple(before)))
        return all(now[name] > count for name, count in before.items())

    world.wait_until(risen, COUNTED_SECONDS_MAX, 0.2)
    return [
        Evidence(what=f"{name}: {now[name] - count} packets dropped", bit=now[name] > count)
        for name, count in before.items()
    ]
