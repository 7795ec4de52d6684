"""Who signs, as the venue's monitors tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from diversite.errors import RolloutError
from rollout.monitors import HEIGHT, SIGNED, Monitors
from tests.rollout.chain import Chain, Clock

NAMES = ("validator-par", "validator-dub", "validator-hel")


def watching(chain: Chain, *addresses: str) -> Monitors:
    """Monitors over a chain that moves while they pause."""
    return Monitors(NAMES, addresses or ("http://m1:9090",), chain.fetch, chain.clock.now, chain.clock.pause)


def test_heights_and_signatures_are_those_of_the_metrics() -> None:
    """What a validator's metrics say is told by its host's name."""
    chain = Chain(NAMES)
    seen = watching(chain).look()
    assert {name: (each.height, each.signed) for name, each in seen.items()} == dict.fromkeys(NAMES, (100, 100))


def test_those_who_sign_are_not_waited_for() -> None:
    """As soon as every validator has a signature newer than the first look, the wait is over."""
    chain = Chain(NAMES)
    assert watching(chain).silent(seconds_max=60) == ()
    assert chain.clock.seconds < 10


def test_one_that_signs_nothing_new_is_told() -> None:
    """A validator that follows and does not sign is silent, however high it is."""
    chain = Chain(NAMES, silent={"validator-dub"})
    assert watching(chain).silent(seconds_max=60) == ("validator-dub",)
    assert chain.clock.seconds >= 60


def test_only_those_that_were_asked_about_are_waited_for() -> None:
    """A silent validator elsewhere does not hold up the wait for others."""
    chain = Chain(NAMES, silent={"validator-dub"})
    assert watching(chain).silent(["validator-par"]) == ()


def test_a_halted_chain_has_no_signers() -> None:
    """Where no block is made, nobody's signature is new."""
    chain = Chain(NAMES, blocks_per_second=0)
    assert watching(chain).silent(seconds_max=20) == NAMES


def test_one_monitor_that_answers_is_enough() -> None:
    """A monitor that is away, as one whose site is being taken, is passed over."""
    chain = Chain(NAMES, away={"m1"})
    assert watching(chain, "http://m1:9090", "http://m2:9090/").silent() == ()


def test_without_a_monitor_nothing_is_guessed() -> None:
    """Where none answers within the time, that is told, with each refusal and what to do."""
    chain = Chain(NAMES, away={"m1", "m2"})
    with pytest.raises(RolloutError, match=r"no monitor answers.*m1:9090: away.*m2:9090: away.*--prometheus"):
        watching(chain, "http://m1:9090", "http://m2:9090").silent(seconds_max=10)


def test_a_monitor_that_comes_back_in_time_is_waited_for() -> None:
    """A single monitor that is made anew answers again before the time is over."""
    chain = Chain(NAMES, away={"m1"})
    chain.clock.at(20, chain.away.clear)
    assert watching(chain).silent(seconds_max=60) == ()


def test_an_answer_that_is_none_counts_as_no_answer() -> None:
    """A page of something else behind the address does not end in a traceback."""
    clock = Clock()
    monitors = Monitors(NAMES, ("http://m1",), lambda _url: "<html>", clock.now, clock.pause)
    with pytest.raises(RolloutError, match="no monitor answers"):
        monitors.look()


def test_queries_are_what_prometheus_takes() -> None:
    """Each look asks for two series by the interface of instant queries, with what failed scrapes would hide."""
    asked: list[str] = []

    def fetch(url: str) -> str:
        asked.append(url)
        return json.dumps({"data": {"result": []}})

    Monitors(NAMES, ("http://m1:9090/",), fetch).look()
    parts: list[Mapping[str, list[str]]] = [parse_qs(urlsplit(url).query) for url in asked]
    assert [part["query"] for part in parts] == [[f"last_over_time({metric}[60s])"] for metric in (HEIGHT, SIGNED)]
    assert {urlsplit(url).path for url in asked} == {"/api/v1/query"}
