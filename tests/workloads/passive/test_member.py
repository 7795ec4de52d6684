"""Members as processes: one is stopped in its work and woken when another has taken over."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.workloads.passive import servers
from tests.workloads.passive.conftest import Member
from tests.workloads.passive.members import Process, order
from tests.workloads.passive.servers import Servers, await_true


@pytest.fixture
def pair(member: Member, store: Servers, tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    """A member that works and one that follows."""
    del store
    both = Process(member("fra"), tmp_path), Process(member("lon"), tmp_path)
    try:
        await_true(both[0].works, what="the preferred member works")
        await_true(lambda: both[1].status().get("role") == "follows", what="the other follows")
        yield both
    finally:
        for one in both:
            one.process.send_signal(signal.SIGCONT)
            servers.end(one.process)


def test_a_paused_holder_that_wakes_up_writes_nothing(pair: tuple[Process, Process], store: Servers) -> None:
    """Orders sent to a standby go on after the holder was stopped; woken, it follows, with the same books."""
    first, second = pair
    assert first.order(0)[0] == 200
    first.process.send_signal(signal.SIGSTOP)
    answers = [second.order(number) for number in (1, 2)]
    assert [status for status, _ in answers] == [200, 200], answers
    first.process.send_signal(signal.SIGCONT)
    assert second.order(3)[0] == 200
    await_true(lambda: first.status().get("state_hash") == second.status()["state_hash"], what="the same books")
    assert first.status()["role"] == "follows"
    with psycopg.connect(store.store) as connection:
        query = "SELECT epoch FROM journal WHERE engine = %s ORDER BY height"
        epochs = [epoch for (epoch,) in connection.execute(query, (first.settings.engine,))]
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 2


def test_a_key_names_one_order(pair: tuple[Process, Process]) -> None:
    """The same order again gets the first answer, from whichever member; another order under its key is refused."""
    first, second = pair
    status, told = first.order(0)
    assert (status, second.order(0)) == (200, (200, told))
    fields = {name: getattr(order(0), name) for name in ("client", "key", "market", "side", "price")}
    status, told = second.post({**fields, "quantity": 7})
    assert (status, told["code"]) == (409, "key_reused")


def test_what_is_no_order_is_refused(pair: tuple[Process, Process]) -> None:
    """It is answered by the member itself, and takes no place in the queue."""
    status, told = pair[0].post({"client": "c"})
    assert (status, told["code"]) == (400, "malformed")
