"""Blocks of transactions as a venue meets them: crossing orders, cancellations, repeated keys, expiry, garbage."""

from __future__ import annotations

from hypothesis import strategies as st

from workloads.engine.orders import Cancel, New, encode
from workloads.engine.settings import MarketRules, Rules
from workloads.engine.state import State

MARKETS = ("BTC-PERP", "ETH-PERP")
RULES = Rules(markets=dict.fromkeys(MARKETS, MarketRules()), idempotency_heights=64)
SECOND_NS = 1_000_000_000

clients = st.sampled_from(["ann", "bob"])
keys = st.integers(0, 30).map(lambda number: f"k{number}")
markets = st.sampled_from([*MARKETS, "NO-SUCH"])

new_orders = st.builds(
    New,
    client=clients,
    key=keys,
    market=markets,
    side=st.sampled_from(["buy", "sell"]),
    price=st.integers(95, 105),
    quantity=st.integers(1, 20),
    expiry=st.one_of(st.just(0), st.integers(1, 12)),
) | st.builds(
    New,
    client=clients,
    key=keys,
    market=markets,
    side=st.sampled_from(["buy", "sell"]),
    price=st.integers(95, 105),
    quantity=st.integers(1, 20),
    lifetime=st.just("ioc"),
)
cancels = st.builds(Cancel, client=clients, key=keys, market=markets, order=keys)
transactions = st.one_of(new_orders.map(encode), new_orders.map(encode), cancels.map(encode), st.binary(max_size=40))
blocks = st.lists(st.lists(transactions, max_size=12), min_size=1, max_size=12)


def fresh_state(rules: Rules = RULES) -> State:
    """A state at genesis with one validator."""
    return State(rules, "venue", {"validator": 10})


def run(state: State, chain: list[list[bytes]]) -> list[bytes]:
    """Execute the blocks that follow the state's height, a second apart; the application hashes."""
    return [state.execute(state.height + 1, (state.height + 1) * SECOND_NS, block).app_hash for block in chain]
