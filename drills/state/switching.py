"""Planned moves of an engine's work and of a store's primary, in the lab."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from diversite import ports
from diversite.errors import DiversiteError, LabError
from drills.state.keepers import Keepers
from lab import control
from lab.world import wait_until
from services.membership import CERTIFICATE, KEY
from services.patroni import MEMBERS

MOVED_SECONDS_MAX = 30.0
CURL = ["curl", "--silent", "--show-error", "--max-time", "30", "--request", "POST"]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What a planned move did."""

    before: str
    after: str
    seconds: float
    """From the request until the other member said that it is the one."""


def member_of(keepers: Keepers, wanted: str, *, store: bool) -> str:
    """The member that is meant by its key, host name or site; DiversiteError with what there is."""
    members = keepers.store.members if store else keepers.engine.members
    for name, site in members.items():
        if wanted in {name, site, keepers.plan.hosts[name].key}:
            return name
    known = ", ".join(f"{name} ({site})" for name, site in members.items())
    raise DiversiteError(f"--to {wanted}: no member of that name or site; there are {known}")


def move_engine(keepers: Keepers, to: str) -> Moved:
    """Have the member that works give its lease up for another; LabError where that does not take over."""
    return _move(keepers.worker, to, lambda before: _give_over(keepers, before, to), "engine")


def move_store(keepers: Keepers, to: str) -> Moved:
    """Have Patroni move the primary; LabError where it does not."""
    return _move(keepers.primary, to, lambda before: _switch(keepers, before, to), "store")


def _move(who: Callable[[], str | None], to: str, ask: Callable[[str], None], what: str) -> Moved:
    before = who()
    if before is None:
        raise LabError(f"{what}: nobody has it, so nobody can give it over; see `diversite lab status`")
    began = time.monotonic()
    if before != to:
        ask(before)
        if not wait_until(lambda: who() == to, MOVED_SECONDS_MAX, 0.05):
            raise LabError(f"{what}: {to} has not taken over within {MOVED_SECONDS_MAX:.0f} s; {who()} has it")
    return Moved(before=before, after=to, seconds=round(time.monotonic() - began, 2))


def _give_over(keepers: Keepers, before: str, to: str) -> None:
    address = keepers.plan.hosts[before].address
    _post(keepers.lab, before, f"http://{address}:{ports.ENGINE_HTTP}/give-over", {"to": to})


def _switch(keepers: Keepers, before: str, to: str) -> None:
    address = keepers.plan.hosts[before].address
    _post(keepers.lab, before, f"https://{address}:{ports.PATRONI}/switchover", {"leader": before, "candidate": to})


def _post(lab: str, host: str, url: str, body: dict[str, str]) -> None:
    home = f"/run/lab/hosts/{host}"
    shown = ["--cert", f"{home}/data/member/{CERTIFICATE}", "--key", f"{home}/data/member/{KEY}"]
    secured = [*shown, "--cacert", f"{home}/etc/patroni/{MEMBERS}"] if url.startswith("https") else []
    told = control.run(lab, host, [*CURL, *secured, "--fail-with-body", "--data", json.dumps(body), url])
    if told.returncode:
        raise LabError(f"host {host}: {url}: {told.stderr.strip()} {told.stdout.strip()}"[:400])
