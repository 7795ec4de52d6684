"""The main job, measured: a running lab is watched, loses a site under load, and gets it back.

`Rehearsal` holds a lab and its plan; each method does one thing to it and returns what it measured as plain data.
Nothing is printed and nothing is decided: `cli/lab/show.py` shows the figures and says what is true.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from diversite import ports
from diversite.errors import LabError, NotWholeError
from diversite.plan import Host, Plan
from drills import load, safety
from drills.comparison import Safety
from drills.observer import Observer
from lab import commands, control, world

INTERNET = "internet"
"""The host that clients are on."""
POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The round trip between two sites: the catalogue's for the places, the plan's over the links, the observed one."""

    a: str
    b: str
    catalogue_ms: float
    planned_ms: float
    observed_ms: float
    via: tuple[str, ...]

    @property
    def is_true(self) -> bool:
        """Within 1 ms of the plan up to 40 ms, within 2 % beyond."""
        return abs(self.observed_ms - self.planned_ms) <= max(1.0, 0.02 * self.planned_ms)


@dataclass(frozen=True, kw_only=True)
class Books:
    """The hash of every engine's books after one height; None where an engine has not that height."""

    height: int
    hashes: Mapping[str, str | None]

    @property
    def are_equal(self) -> bool:
        """Does every engine hold the same?"""
        return len(set(self.hashes.values())) == 1 and None not in self.hashes.values()


@dataclass(frozen=True, kw_only=True)
class Phases:
    """How long each part of a rehearsal lasts, and under which load."""

    rate: float = 20
    """Orders a second over all entrances."""
    seed: int = 7
    calm_seconds: float = 20
    lost_seconds: float = 15
    back_seconds: float = 10
    return_seconds_max: float = 90

    @property
    def seconds_max(self) -> float:
        """How long clients send at most; the end of the last phase ends them."""
        return self.calm_seconds + self.lost_seconds + self.back_seconds + 2 * self.return_seconds_max


@dataclass(frozen=True, kw_only=True)
class Survival:
    """What the loss of a site did to a venue under load. Instants are monotonic seconds."""

    site: str
    lines: Sequence[load.Line]
    """What became of every order."""
    began_seconds: float
    """When the site began to go."""
    lost_seconds: float
    """When it was gone as a whole."""
    healed_seconds: float
    """When it began to be given back."""
    returned_seconds: float | None
    """When its engines could acknowledge again; None of a site that has none."""
    before: Books
    degraded: Books
    """Without the lost site."""
    after: Books
    safety: Safety
    """Every height since the load began, on every engine and validator."""
    carried_bytes_per_second: float
    """Over all links together, in the calm before."""

    @property
    def acknowledged(self) -> int:
        """How many orders clients were told are acknowledged."""
        return sum(line.fate == "acknowledged" for line in self.lines)

    @property
    def recovery_seconds(self) -> float | None:
        """From the loss to the first acknowledgement, before the heal, of an order sent after it; None without one."""
        settled = (line for line in self.lines if line.settled_seconds < self.healed_seconds)
        return load.recovery_seconds(settled, self.lost_seconds)

    @property
    def went_on(self) -> bool:
        """Were blocks and acknowledgements made without the site?"""
        return self.recovery_seconds is not None and self.degraded.height > self.before.height


class Rehearsal:
    """A lab under observation."""

    def __init__(self, lab: str, planned: Plan, observer: Observer) -> None:
        self.lab = lab
        self.plan = planned
        self.observer = observer

    def await_blocks(self, seconds_max: float) -> float:
        """Wait until every engine has a block and could acknowledge an order; how many seconds that took."""
        began = time.monotonic()
        engines = self.plan.of_role("engine")
        self._await(
            lambda: all(self.observer.ready(engines).values()),
            seconds_max,
            "every engine to commit blocks and be ready",
        )
        self._await(
            lambda: all(self._entrance_answers(it) for it in self.plan.of_role("entry")), seconds_max, "the entrances"
        )
        return time.monotonic() - began

    def heights(self) -> Mapping[str, int | None]:
        """The height of each engine by its site; None where it does not answer."""
        statuses = self.observer.statuses()
        return {self.plan.hosts[name].site: status["height"] if status else None for name, status in statuses.items()}

    def round_trips(self, count: int = 50) -> tuple[Pair, ...]:
        """Every pair of sites, measured between their routers."""
        pairs = [(a, b) for a, b in combinations(self.plan.sites, 2)]
        hosts = {site: self.plan.gateway(site).name for site in self.plan.sites}
        observed = control.observed_rtt(self.lab, [(hosts[a], hosts[b]) for a, b in pairs], count)
        return tuple(self._pair(a, b, observed[hosts[a], hosts[b]].p50_ms) for a, b in pairs)

    @property
    def entrances(self) -> tuple[str, ...]:
        """The addresses of all entrances, in the order in which clients take them."""
        return tuple(f"http://{it.address.ip}:{ports.ORDERS}" for it in self.plan.accesses.values())

    def start_load(
        self, rate: float, seconds_max: float, seed: int, out: Path, *, until_closed: bool = False
    ) -> subprocess.Popen[str]:
        """Start clients that send orders to every entrance, until their input is closed where `until_closed`."""
        asked = [
            "--entrances",
            ",".join(self.entrances),
            "--rate",
            str(rate),
            "--seconds",
            str(seconds_max),
            "--seed",
            str(seed),
        ]
        ending = ["--until-input-ends"] if until_closed else []
        command = [sys.executable, "-m", "drills.load", *asked, *ending, "--out", str(out)]
        inside = [*world.require(self.lab).entering(INTERNET), *command]
        return subprocess.Popen(
            inside,
            stdin=subprocess.PIPE if until_closed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=commands.environment(),
        )

    def survive(self, site: str, phases: Phases, out: Path) -> Survival:
        """Lose a site under load and get it back; the order log is written to `out`."""
        first = self.books().height + 1
        carried, counted = self.carried_bytes(), time.monotonic()
        with self._clients(phases, out):
            time.sleep(phases.calm_seconds)
            per_second = (self.carried_bytes() - carried) / (time.monotonic() - counted)
            before, began = self.books(), time.monotonic()
            lost = self.lose(site)
            time.sleep(phases.lost_seconds)
            degraded = self.books(without=site)
            healed = self.heal(site)
            returned = self.await_return(site, phases.return_seconds_max)
            time.sleep(phases.back_seconds)
        lines, after = load.read(out), self.books()
        return Survival(
            site=site,
            lines=lines,
            began_seconds=began,
            lost_seconds=lost,
            healed_seconds=healed,
            returned_seconds=returned,
            before=before,
            degraded=degraded,
            after=after,
            safety=safety.check(self.observer, self.plan, lines, range(first, after.height + 1), self._witnesses(site)),
            carried_bytes_per_second=per_second,
        )

    @contextmanager
    def _clients(self, phases: Phases, out: Path) -> Iterator[None]:
        """Clients that send all the while; LabError where they end by themselves."""
        clients = self.start_load(phases.rate, phases.seconds_max, seed=phases.seed, out=out, until_closed=True)
        try:
            yield
            if clients.poll() is not None:
                raise LabError(f"the clients ended early: {clients.communicate()[1][-500:]}")
            clients.communicate(timeout=phases.return_seconds_max)  # closes their input, which ends them
        finally:
            clients.kill()

    def lose(self, site: str) -> float:
        """Take a site away: every wire cut, every process ended unwarned. When it was gone, in monotonic seconds."""
        control.cut_wires(self.lab, self._wires(site))
        for host in self.plan.at_site(site):
            control.kill_host(self.lab, host.name)
        return time.monotonic()

    def heal(self, site: str) -> float:
        """Give a site back: wires first, then what ran there. When that began, in monotonic seconds."""
        instant = time.monotonic()
        control.heal_wires(self.lab, self._wires(site))
        for host in sorted(self.plan.at_site(site), key=lambda host: host.role == "validator"):
            control.start_host(self.lab, host.name)
        return instant

    def await_return(self, site: str, seconds_max: float) -> float | None:
        """Wait until a site's engines are at the head again and could acknowledge. When, in monotonic seconds."""
        engines = self.plan.at_site(site, "engine")
        self._await(lambda: all(self.observer.ready(engines).values()), seconds_max, f"site {site} to catch up")
        return time.monotonic() if engines else None

    def books(self, seconds_max: float = 20.0, without: str | None = None) -> Books:
        """The books of all engines (but those of a site that is lost) at the newest height that all of them have."""
        engines = {host.name for host in self.plan.of_role("engine") if host.site != without}
        statuses = self.observer.statuses()
        heights = [status["height"] for name, status in statuses.items() if status and name in engines]
        if not heights:
            raise LabError(f"lab {self.lab}: none of {', '.join(sorted(engines))} answers")
        height = max(heights)
        found: dict[str, str | None] = {}

        def reached() -> bool:
            known = self.observer.hashes(height)
            found.update({name: known[name] for name in engines})
            return None not in found.values()

        self._await(reached, seconds_max, f"every engine to reach height {height}")
        return Books(height=height, hashes=dict(found))

    def carried_bytes(self) -> int:
        """What the routers have sent over all links so far."""
        return sum(self._sent_bytes(site) for site in self.plan.sites)

    def _sent_bytes(self, site: str) -> int:
        told = control.run(self.lab, self.plan.gateway(site).name, ["ip", "-statistics", "-json", "link"])
        links = {here.interface for _, here, _ in self.plan.links_at(site)}
        return sum(it["stats64"]["tx"]["bytes"] for it in json.loads(told.stdout) if it["ifname"] in links)

    def _witnesses(self, site: str) -> tuple[Host, Host]:
        validators = self.plan.of_role("validator")
        survivor = next(host for host in validators if host.site != site)
        return survivor, next((host for host in validators if host.site == site), survivor)

    def _pair(self, a: str, b: str, observed_ms: float) -> Pair:
        route = self.plan.routes[a, b]
        direct = [link.rtt_ms for link in self.plan.links.values() if set(link.sites) == {a, b}]
        return Pair(
            a=a,
            b=b,
            catalogue_ms=min(direct, default=route.rtt_ms),
            planned_ms=route.rtt_ms,
            observed_ms=observed_ms,
            via=route.path[1:-1],
        )

    def _wires(self, site: str) -> Sequence[str]:
        links = [link.name for link, _, _ in self.plan.links_at(site)]
        return [*links, *(f"{host.name}-access" for host in self.plan.at_site(site, "entry"))]

    def _entrance_answers(self, host: Host) -> bool:
        answer = self.observer.ask([(host, f"http://{host.address}:{ports.ORDERS}/status")])[0]
        return answer.ok

    def _await(self, condition: Callable[[], bool], seconds_max: float, what: str) -> None:
        end = time.monotonic() + seconds_max
        while not condition():
            if time.monotonic() > end:
                raise NotWholeError(
                    f"lab {self.lab}: waited {seconds_max:.0f} s for {what}. "
                    f"See `diversite lab status {self.lab}` and `diversite lab logs HOST --topology {self.lab}`."
                )
            time.sleep(POLL_SECONDS)
