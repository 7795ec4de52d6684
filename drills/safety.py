"""Is there one truth, and is every acknowledged order in it? Asked of every engine and every validator of a lab."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from diversite import ports
from diversite.errors import NotWholeError
from diversite.plan import Host, Plan
from drills.comparison import Safety
from drills.load import Line
from drills.observer import Observer
from workloads.engine import orders

ATTEMPTS_MAX = 5
BLOCKS_PER_ANSWER = 20
"""How many block identities CometBFT tells at once."""
HASHES_PER_ANSWER = 500
"""Half of how many an engine tells at once."""
Truths = Mapping[int, Mapping[str, str]]
"""What each host says of each height."""


def check(  # noqa: PLR0913, PLR0917  what is asked of whom
    observer: Observer,
    plan: Plan,
    lines: Sequence[Line],
    heights: range,
    witnesses: Sequence[Host],
    absent: Collection[str] = (),
) -> Safety:
    """Compare these heights, and look in them for every acknowledged order, in each witness's own chain.

    Every host but those named `absent` must have them; what was acknowledged above them counts as missing.
    """
    books, blocks = _books(observer, plan, heights, absent), _blocks(observer, plan, heights, absent)
    keys = [f"{line.client}/{line.key}" for line in lines if line.fate == "acknowledged"]
    sent = [f"{line.client}/{line.key}" for line in lines]  # one that nobody answered was tried again somewhere else
    missing, repeated = set[str](), set[str]()
    for witness in witnesses:
        found = _executions(observer, witness, heights)
        missing |= {key for key in keys if not found[key]}
        repeated |= {key for key in sent if found[key] > 1}
    return Safety(
        heights=len(books),
        forks=(*forks("books", books), *forks("block", blocks)),
        missing=tuple(sorted(missing)),
        repeated=tuple(sorted(repeated)),
        witnesses=tuple(host.name for host in witnesses),
    )


def forks(what: str, truths: Truths) -> Iterable[str]:
    """The heights at which two hosts say different things."""
    for height, said in sorted(truths.items()):
        if len(set(said.values())) > 1:
            yield f"{what} at {height}: " + ", ".join(f"{host} {value[:16]}" for host, value in sorted(said.items()))


def executions(blocks: Iterable[tuple[str, int]]) -> Counter[str]:
    """How often each order was carried out: its transaction may stand in several blocks, accepted in one alone."""
    return Counter(identity for identity, code in blocks if code == orders.Code.ACCEPTED)


def _books(observer: Observer, plan: Plan, heights: range, absent: Collection[str]) -> Truths:
    truths: dict[int, dict[str, str]] = defaultdict(dict)
    urls = [
        (host, f"http://{host.address}:{ports.ENGINE_HTTP}/hashes?from={run[0]}&to={run[-1]}")
        for host in plan.of_role("engine")
        if host.name not in absent
        for run in _runs(heights, HASHES_PER_ANSWER)
    ]
    for (host, _), answer in zip(urls, _ask(observer, urls), strict=True):
        for block in answer["hashes"]:
            truths[block["height"]][host.name] = block["app_hash"]
    return truths


def _blocks(observer: Observer, plan: Plan, heights: range, absent: Collection[str]) -> Truths:
    truths: dict[int, dict[str, str]] = defaultdict(dict)
    urls = [
        (host, f"{_rpc(host)}/blockchain?minHeight={run[0]}&maxHeight={run[-1]}")
        for host in plan.of_role("validator")
        if host.name not in absent
        for run in _runs(heights, BLOCKS_PER_ANSWER)
    ]
    for (host, _), answer in zip(urls, _ask(observer, urls), strict=True):
        for meta in answer["result"]["block_metas"]:
            truths[int(meta["header"]["height"])][host.name] = meta["block_id"]["hash"]
    return truths


def _runs(heights: range, length: int) -> list[range]:
    return [heights[at : at + length] for at in range(0, len(heights), length)]


def _executions(observer: Observer, validator: Host, heights: range) -> Counter[str]:
    """How often a validator's chain has each order accepted; results are read only where a transaction repeats."""
    blocks = _ask(observer, [(validator, f"{_rpc(validator)}/block?height={height}") for height in heights])
    standing = {height: _identities(block) for height, block in zip(heights, blocks, strict=True)}
    times = Counter(identity for identities in standing.values() for identity in identities)
    doubtful = [height for height, found in standing.items() if any(times[identity] > 1 for identity in found)]
    results = _ask(observer, [(validator, f"{_rpc(validator)}/block_results?height={height}") for height in doubtful])
    codes = {height: _codes(result) for height, result in zip(doubtful, results, strict=True)}
    accepted = [int(orders.Code.ACCEPTED)]
    return executions(
        pair
        for height, found in standing.items()
        for pair in zip(found, codes.get(height, accepted * len(found)), strict=True)
    )


def _identities(block: Mapping[str, Any]) -> list[str]:
    transactions = [base64.b64decode(text) for text in block["result"]["block"]["data"]["txs"] or []]
    return [orders.identity(orders.decode(each, len(each))) for each in transactions]


def _codes(results: Mapping[str, Any]) -> list[int]:
    return [int(each.get("code", 0)) for each in results["result"]["txs_results"] or []]


def _rpc(validator: Host) -> str:
    return f"http://{validator.address}:{ports.COMETBFT_RPC}"


def _ask(observer: Observer, questions: Sequence[tuple[Host, str]]) -> list[Any]:
    """Every answer, decoded; what was not answered is asked again."""
    answers: dict[tuple[Host, str], Any] = {}
    for _ in range(ATTEMPTS_MAX):
        open_questions = [question for question in questions if question not in answers]
        for question, answer in zip(open_questions, observer.ask(open_questions), strict=True):
            if answer.ok:
                answers[question] = answer.json()
    if len(answers) < len(set(questions)):
        host, url = next(question for question in questions if question not in answers)
        raise NotWholeError(f"{host.name} did not answer {url} in {ATTEMPTS_MAX} attempts; is it at the head again?")
    return [answers[question] for question in questions]
