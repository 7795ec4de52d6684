"""Orders at a constant rate, whatever becomes of them: the open-loop load of every drill and of `make lab`.

    python -m drills.load --entrances http://10.0.0.3:8080,http://10.1.0.3:8080 --rate 20 --seconds 30 --seed 7

An order is sent when its time has come, not when the one before was answered, and its latency counts from that
intended time (no coordinated omission). When an entrance fails or is silent, the next one is asked with the same
idempotency key, so an order is executed at most once. One JSON line an order, in the order of the intended times;
times are seconds of the machine's monotonic clock, so a fault's instant compares with them.

Pure: `orders_of`, `summary`, `percentile`, `longest_gap_seconds`, `recovery_seconds`. I/O: `generate`, `main`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp

Fate = Literal["acknowledged", "refused", "indeterminate"]

RETRY_PAUSE_SECONDS = 0.05
"""Between the first two attempts of one order; each pause is twice the one before. A constant one floods a venue that
comes back: its entrances refuse clients that ask too often, and that keeps them refused."""
RETRY_PAUSE_SECONDS_MAX = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send where, and for how long."""

    entrances: tuple[str, ...]
    """URLs of gateways or of what stands before them; order i begins at entrance i modulo their number."""
    rate: float
    """Orders a second, over all entrances."""
    seconds: float
    seed: int = 7
    """Decides the orders, not their keys."""
    run: str = ""
    """Part of every key, so that two runs never share one; random when empty."""
    market: str = "BTC-PERP"
    clients: int = 10
    attempt_seconds_max: float = 2.0
    """How long one entrance may be silent."""
    order_seconds_max: float = 30.0
    """An order without an answer by then is indeterminate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one order. Times are monotonic seconds; `height` and `index` are None unless a block decided."""

    number: int
    key: str
    client: str
    fate: Fate
    entrance: str
    attempts: int
    intended_seconds: float
    settled_seconds: float
    code: str | None = None
    height: int | None = None
    index: int | None = None
    filled: int | None = None

    @property
    def latency_ms(self) -> float:
        """From the intended time of sending to the answer."""
        return (self.settled_seconds - self.intended_seconds) * 1000


def orders_of(load: Load) -> list[dict[str, Any]]:
    """The orders of a load, as POST /orders takes them: both sides around a wandering price, so that many trade."""
    chance = random.Random(load.seed)  # noqa: S311  a reproducible mix, not a secret
    middle, orders = 10_000, []
    for number in range(round(load.rate * load.seconds)):
        middle = max(1000, middle + chance.randint(-2, 2))
        orders.append(_order(load, number, middle, chance))
    return orders


async def generate(
    load: Load, sink: Callable[[Line], None] | None = None, stop: asyncio.Event | None = None
) -> list[Line]:
    """Send the load, or until `stop` is set, and wait for every fate; `sink` gets each line as it settles."""
    load = load if load.run else _replace_run(load)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector) as session:
        tasks = []
        start = time.monotonic() + 0.1
        for number, order in enumerate(orders_of(load)):
            intended = start + number / load.rate
            if await _is_stopped_before(intended, stop):
                break
            tasks.append(asyncio.create_task(_settle(session, load, number, order, intended, sink)))
        return list(await asyncio.gather(*tasks))


def summary(lines: Sequence[Line]) -> dict[str, Any]:
    """Counts by fate, latency percentiles of acknowledged orders in ms (None without any), the longest gap in s."""
    latencies = sorted(line.latency_ms for line in lines if line.fate == "acknowledged")
    fates = Counter(line.fate for line in lines)
    return {
        "orders": len(lines),
        "acknowledged": fates["acknowledged"],
        "refused": fates["refused"],
        "indeterminate": fates["indeterminate"],
        "retried": sum(line.attempts > 1 for line in lines),
        "p50_ms": percentile(latencies, 50),
        "p90_ms": percentile(latencies, 90),
        "p99_ms": percentile(latencies, 99),
        "max_ms": percentile(latencies, 100),
        "longest_gap_seconds": longest_gap_seconds(lines),
        "traded_share": _share(line.filled for line in lines if line.fate == "acknowledged"),
    }


def percentile(ascending: Sequence[float], percent: float) -> float | None:
    """Nearest-rank percentile of values sorted ascending; None of nothing."""
    if not ascending:
        return None
    rank = max(1, -(-len(ascending) * percent // 100))
    return round(ascending[int(rank) - 1], 3)


def longest_gap_seconds(lines: Iterable[Line]) -> float | None:
    """The longest time without an acknowledgement, from the first intended order to the last acknowledgement."""
    ordered = list(lines)
    moments = sorted(line.settled_seconds for line in ordered if line.fate == "acknowledged")
    if not moments:
        return None
    begin = min(line.intended_seconds for line in ordered)
    gaps = [after - before for before, after in zip([begin, *moments], moments, strict=False)]
    return round(max(gaps), 3)


def recovery_seconds(lines: Iterable[Line], fault_seconds: float) -> float | None:
    """From the fault (monotonic seconds) to the first acknowledgement of an order meant to be sent after it.

    An acknowledgement that was on its way already does not count as recovery. None when there was none.
    """
    after = [
        line.settled_seconds - fault_seconds
        for line in lines
        if line.fate == "acknowledged" and line.intended_seconds >= fault_seconds
    ]
    return round(min(after), 3) if after else None


def between(lines: Iterable[Line], start_seconds: float, end_seconds: float) -> list[Line]:
    """The orders whose intended time is in [start, end)."""
    return [line for line in lines if start_seconds <= line.intended_seconds < end_seconds]


def to_json(line: Line) -> str:
    """One line of the log, with the latency written out."""
    return json.dumps(asdict(line) | {"latency_ms": round(line.latency_ms, 3)})


def from_json(text: str) -> Line:
    """The inverse of `to_json`."""
    fields = json.loads(text)
    del fields["latency_ms"]
    return Line(**fields)


def read(path: Path) -> list[Line]:
    """All lines of a log file, by number."""
    return sorted(map(from_json, path.read_text().splitlines()), key=lambda line: line.number)


def main() -> int:
    """Send the load of the command line; 0 if every order's fate is known."""
    arguments = _arguments()
    load = Load(
        entrances=tuple(arguments.entrances.split(",")),
        rate=arguments.rate,
        seconds=arguments.seconds,
        seed=arguments.seed,
        market=arguments.market,
        attempt_seconds_max=arguments.attempt_seconds_max,
        order_seconds_max=arguments.order_seconds_max,
    )
    with arguments.out.open("w") if arguments.out else sys.stdout as out:
        lines = asyncio.run(
            _send(load, lambda line: print(to_json(line), file=out, flush=True), arguments.until_input_ends)
        )
    print(json.dumps(summary(lines)), file=sys.stderr)
    return 0 if all(line.fate != "indeterminate" for line in lines) else 1


async def _send(load: Load, sink: Callable[[Line], None], until_input_ends: bool) -> list[Line]:
    stop = asyncio.Event()
    if until_input_ends:
        asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    return await generate(load, sink, stop)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m drills.load", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--entrances", required=True, metavar="URL,URL", help="gateways to send to, in turn")
    parser.add_argument("--rate", type=float, default=20, help="orders a second over all entrances")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=7, help="decides the mix of orders")
    parser.add_argument("--market", default="BTC-PERP")
    parser.add_argument("--attempt-seconds-max", type=float, default=2.0, help="patience with one entrance")
    parser.add_argument("--order-seconds-max", type=float, default=30.0, help="then an order is indeterminate")
    parser.add_argument(
        "--until-input-ends", action="store_true", help="stop sending when standard input closes, if that is earlier"
    )
    parser.add_argument("--out", type=Path, help="file for the lines; standard output without it")
    return parser.parse_args()


def _order(load: Load, number: int, middle: int, chance: random.Random) -> dict[str, Any]:
    side = chance.choice(("buy", "sell"))
    towards = chance.randint(-3, 4)  # more often across the middle than short of it, so that the book stays small
    return {
        "client": f"load-{number % load.clients}",
        "key": f"{load.run}-{number}",
        "market": load.market,
        "side": side,
        "price": middle + towards if side == "buy" else middle - towards,
        "quantity": chance.randint(1, 10),
        "lifetime": "ioc" if chance.random() < 0.2 else "gtc",
    }


async def _is_stopped_before(moment: float, stop: asyncio.Event | None) -> bool:
    seconds = max(0.0, moment - time.monotonic())
    if stop is None:
        await asyncio.sleep(seconds)
        return False
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _replace_run(load: Load) -> Load:
    return Load(**{**asdict(load), "run": secrets.token_hex(6)})


async def _settle(  # noqa: PLR0913, PLR0917  one order's whole life
    session: aiohttp.ClientSession,
    load: Load,
    number: int,
    order: dict[str, Any],
    intended: float,
    sink: Callable[[Line], None] | None,
) -> Line:
    life = _Life(load, number, json.dumps(order).encode())
    fate, answer = await life.run(session, intended + load.order_seconds_max)
    line = Line(
        number=number,
        key=order["key"],
        client=order["client"],
        fate=fate,
        entrance=life.entrance,
        attempts=life.attempts,
        intended_seconds=intended,
        settled_seconds=time.monotonic(),
        **{field: answer.get(field) for field in ("code", "height", "index", "filled")},
    )
    if sink is not None:
        sink(line)
    return line


class _Life:
    """The attempts of one order, until its fate is known or its time is over."""

    def __init__(self, load: Load, number: int, body: bytes) -> None:
        self.attempts = 0
        self.entrance = ""
        self._load = load
        self._number = number
        self._body = body
        self._may_be_under_way = False

    async def run(self, session: aiohttp.ClientSession, deadline: float) -> tuple[Fate, dict[str, Any]]:
        while (left := deadline - time.monotonic()) > 0:
            status, answer = await self._attempt(session, min(left, self._load.attempt_seconds_max))
            if status == 200:
                return "acknowledged", answer
            if 400 <= status < 500 and ("height" in answer or not self._may_be_under_way):
                return "refused", answer
            self._may_be_under_way |= status != 503
            await asyncio.sleep(self._pause_seconds)
        return "indeterminate", {}

    @property
    def _pause_seconds(self) -> float:
        doublings = min(self.attempts - 1, 10)
        return float(min(RETRY_PAUSE_SECONDS_MAX, RETRY_PAUSE_SECONDS * 2**doublings))

    async def _attempt(self, session: aiohttp.ClientSession, seconds_max: float) -> tuple[int, dict[str, Any]]:
        entrances = self._load.entrances
        self.entrance = entrances[(self._number + self.attempts) % len(entrances)]
        self.attempts += 1
        timeout = aiohttp.ClientTimeout(total=seconds_max)
        try:
            async with session.post(f"{self.entrance}/orders", data=self._body, timeout=timeout) as response:
                return response.status, _object(await response.text())
        except aiohttp.ClientConnectorError:
            return 503, {}  # no connection, so nothing was sent
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 504, {}


def _object(text: str) -> dict[str, Any]:
    """An answer's fields; none of a proxy's page, which says with its status alone that no engine had the order."""
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _share(filled: Iterable[int | None]) -> float | None:
    amounts = list(filled)
    return round(sum(bool(amount) for amount in amounts) / len(amounts), 3) if amounts else None


if __name__ == "__main__":
    sys.exit(main())
