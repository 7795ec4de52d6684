"""The chain carried out again from genesis, beside the engines: does it give their hashes, their orders, their books?

What an engine holds in memory may be right by luck. What follows from the blocks alone must be the same, or a restart
with an empty disk would tell another story. The replayed state is kept between repetitions, so each height is carried
out once a course.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diversite import ports
from diversite.errors import NotWholeError
from diversite.plan import Host, Plan
from drills.load import Line
from drills.observer import Observer
from workloads.engine.orders import Code
from workloads.engine.settings import parse_app_state
from workloads.engine.state import State

HEIGHTS_MAX = 30_000
"""A lab that has run for longer before its first drill is not replayed, which fails: begin with a new one."""
HEIGHTS_AT_ONCE = 200
ATTEMPTS_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What the replay found."""

    height: int
    """Up to which the chain was carried out; 0: it was too long to be, which is `wrong`."""
    wrong: tuple[str, ...]
    """Hashes, orders and books that are not what follows from the blocks."""


class Replay:
    """A state that follows a lab's chain."""

    def __init__(self, observer: Observer, plan: Plan) -> None:
        self._observer = observer
        self._plan = plan
        self._state: State | None = None
        self._rounds: dict[int, int] = {}

    def check(self, lines: Sequence[Line], witness: Host, head: int) -> Replayed:
        """Carry out the blocks up to `head` as one validator has them; compare its hashes, these orders, all books."""
        if head - (self._state.height if self._state else 0) > HEIGHTS_MAX:
            return Replayed(height=0, wrong=(f"nothing was replayed: {head} heights, and {HEIGHTS_MAX} are the most",))
        state = self._state = self._state or self._genesis(witness)
        wrong = [*self._follow(state, witness, head), *_missing(state, lines), *self._stale(state)]
        return Replayed(height=state.height, wrong=tuple(wrong))

    def rounds(self, heights: range) -> Mapping[int, int]:
        """The round in which each of these heights was committed, as far as they were read; 0 is the first."""
        return {height: self._rounds[height] for height in heights if height in self._rounds}

    def _genesis(self, witness: Host) -> State:
        told = self._rpc(witness, ["/genesis"])[0]["genesis"]
        powers = {it["pub_key"]["value"]: int(it["power"]) for it in told["validators"]}
        rules = parse_app_state(json.dumps(told["app_state"]).encode())
        return State(rules, told["chain_id"], powers, int(told["initial_height"]))

    def _follow(self, state: State, witness: Host, head: int) -> Iterator[str]:
        """Block h tells the hash of what was before it, so the last height's hash is left for the next time."""
        for heights in _runs(range(state.height + 1, head + 1)):
            for told in self._rpc(witness, [f"/block?height={height}" for height in heights]):
                header = told["block"]["header"]
                if state.height >= state.initial_height and header["app_hash"] != state.app_hash.hex().upper():
                    yield f"{witness.name} at {state.height}: {header['app_hash'][:16]}, replayed {_short(state)}"
                self._rounds[state.height] = int(told["block"]["last_commit"]["round"])
                transactions = [base64.b64decode(text) for text in told["block"]["data"]["txs"] or []]
                state.execute(int(header["height"]), nanoseconds(header["time"]), transactions)

    def _stale(self, state: State) -> Iterator[str]:
        """Clients have stopped sending, so every engine's book is the replayed one, whatever its height by now."""
        engines = self._plan.of_role("engine")
        for market, book in state.books.items():
            url = "http://{}:" + f"{ports.ENGINE_HTTP}/book?market={market}&levels=1"
            urls = {host.name: url.format(host.address) for host in engines}
            told = self._answers([(host, urls[host.name]) for host in engines])
            for name, at in urls.items():
                if at not in told:
                    yield f"{name} serves no book of {market}"
                elif told[at]["book_hash"] != book.digest().hex():
                    yield f"{name} serves another book of {market} than follows from the blocks"

    def _rpc(self, host: Host, paths: Iterable[str]) -> list[Mapping[str, Any]]:
        asked = [(host, f"http://{host.address}:{ports.COMETBFT_RPC}{path}") for path in paths]
        known = self._answers(asked)
        if len(known) < len(asked):
            raise NotWholeError(
                f"{host.name} answered {len(known)} of {len(asked)} questions for its blocks; is it whole?"
            )
        return [known[url]["result"] for _, url in asked]

    def _answers(self, asked: Sequence[tuple[Host, str]]) -> Mapping[str, Mapping[str, Any]]:
        """What was answered, by URL; what was not is asked again."""
        known: dict[str, Mapping[str, Any]] = {}
        for _ in range(ATTEMPTS_MAX):
            missing = [question for question in asked if question[1] not in known]
            for (_, url), answer in zip(missing, self._observer.ask(missing), strict=True):
                if answer.ok:
                    known[url] = answer.json()
        return known


def nanoseconds(moment: str) -> int:
    """Since 1970, of a moment such as 2026-11-22T14:02:03.123456789Z, exactly."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    seconds = int(datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * 10**9 + int((fraction + "0" * 9)[:9])


def _missing(state: State, lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        if line.fate == "acknowledged":
            outcome = state.outcomes.find(f"{line.client}/{line.key}")
            if outcome is None or outcome.code is not Code.ACCEPTED:
                yield f"{line.client}/{line.key} was acknowledged, and the replayed chain does not have it"


def _runs(heights: range) -> Iterator[range]:
    for start in range(0, len(heights), HEIGHTS_AT_ONCE):
        yield heights[start : start + HEIGHTS_AT_ONCE]


def _short(state: State) -> str:
    return state.app_hash.hex()[:16].upper()
