"""etcd is led from another site than the primary's, as soon as somebody there can."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from workloads.keeper.leaders import Leaders, candidates
from workloads.keeper.settings import Settings, Tls

SITES = {"a": "fra", "b": "lon", "c": "hel", "d": "fra"}
IDS = {"a": "1", "b": "2", "c": "3"}
SETTINGS = Settings(
    store="ledger",
    member="a",
    sites={name: SITES[name] for name in IDS},
    http="127.0.0.1:0",
    patroni="patroni",
    etcd={name: f"etcd-{name}" for name in IDS},
    tls=Tls(key="", certificate="", members=""),
    database="",
)


def test_who_should_lead() -> None:
    """Nobody else where the primary is elsewhere or nowhere; else whoever is at another site, in their order."""
    assert candidates(SITES, "a", primary="b") == ()
    assert candidates(SITES, "a", primary="") == ()
    assert candidates(SITES, "a", primary="a") == candidates(SITES, "a", primary="d") == ("b", "c")


class Cluster:
    """etcd and Patroni as they would answer; members of etcd that are `down` do not."""

    def __init__(self, leader: str, primary: str, down: frozenset[str] = frozenset()) -> None:
        self.leader, self._primary, self._down = leader, primary, down

    def answer(self, method: str, url: str, **options: Any) -> requests.Response:
        """What is answered; a move is carried out."""
        name = url.split("/")[2].removeprefix("etcd-")
        if name in self._down:
            raise requests.ConnectionError(name)
        if method == "get":
            return _said({"members": [{"name": self._primary, "role": "leader"}, {"name": "c", "role": "replica"}]})
        if url.endswith("transfer-leadership"):
            self.leader = next(it for it, number in IDS.items() if number == options["json"]["targetID"])
        return _said({"leader": IDS[self.leader], "header": {"member_id": IDS[name]}})


@pytest.mark.parametrize(
    ("cluster", "looks", "leader"),
    [
        (Cluster("a", "a"), False, "b"),
        (Cluster("a", "a", frozenset({"b"})), False, "c"),
        (Cluster("a", "a", frozenset({"b", "c"})), True, "a"),
        (Cluster("a", "b"), True, "a"),
        (Cluster("b", "a"), False, "b"),
        (Cluster("a", "a", frozenset({"a"})), None, "a"),
    ],
)
def test_the_leader_gives_over(
    cluster: Cluster, looks: bool | None, leader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it leads from the primary's site, to the first that answers; it leads on where nobody does."""
    monkeypatch.setattr(requests.Session, "get", lambda _, url, **options: cluster.answer("get", url, **options))
    monkeypatch.setattr(requests.Session, "post", lambda _, url, **options: cluster.answer("post", url, **options))
    assert Leaders(SETTINGS).look() is looks
    assert cluster.leader == leader


def _said(body: Mapping[str, Any]) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = 200, json.dumps(body).encode()
    return response
