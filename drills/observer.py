"""What a running lab says of itself: heights, hashes, committed blocks, readiness.

`Observer` keeps one process inside the lab (`drills.agent`) and asks through it. It decides nothing; a host that does
not answer is an answer too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from diversite import ports
from diversite.plan import Host, Plan
from lab import commands, world

TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a host said: a status and a body, or why it said nothing."""

    status: int | None
    body: str
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Did it answer with success?"""
        return self.status == 200

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


ENDED = Answer(status=None, body="", error="the observer inside the lab ended")


class Observer:
    """Asks the hosts of a lab; to be used as a context manager."""

    def __init__(self, lab: str, plan: Plan) -> None:
        self._plan = plan
        self._pending: dict[int, Future[Answer]] = {}
        self._number = 0
        self._writing = threading.Lock()
        self._agent = subprocess.Popen(
            [*world.require(lab).entering(), sys.executable, "-m", "drills.agent"],
            env=commands.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._agent.stdin is not None  # noqa: S101  # made by PIPE
        self._agent.stdin.close()
        try:
            self._agent.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._agent.kill()

    def statuses(self) -> Mapping[str, dict[str, Any] | None]:
        """Each engine's own status by host name; None where it does not answer."""
        engines = self._plan.of_role("engine")
        answers = self.ask((host, f"http://{host.address}:{ports.ENGINE_HTTP}/status") for host in engines)
        return {host.name: answer.json() if answer.ok else None for host, answer in zip(engines, answers, strict=True)}

    def ready(self, hosts: Iterable[Host]) -> Mapping[str, bool]:
        """Which of these engines could acknowledge an order now."""
        asked = list(hosts)
        path = self._plan.health_check.path
        answers = self.ask((host, f"http://{host.address}:{ports.ENGINE_HTTP}{path}") for host in asked)
        return {host.name: answer.ok for host, answer in zip(asked, answers, strict=True)}

    def hashes(self, height: int) -> Mapping[str, str | None]:
        """The hash of each engine's books after a height; None where it has not that height."""
        engines = self._plan.of_role("engine")
        answers = self.ask(
            (host, f"http://{host.address}:{ports.ENGINE_HTTP}/hashes?from={height}&to={height}") for host in engines
        )
        return {host.name: _hash(answer, height) for host, answer in zip(engines, answers, strict=True)}

    def ask(self, questions: Iterable[tuple[Host, str]]) -> list[Answer]:
        """Ask many hosts at once, each from its own network."""
        return _answers([self._send(host, {"url": url}) for host, url in questions])

    def round_trips(self, targets: Mapping[Host, Sequence[str]], count: int) -> Mapping[tuple[str, str], list[float]]:
        """Milliseconds from hosts to addresses, all at once, by host name and address; only of answers that came."""
        answers = _answers([self._send(host, {"addresses": [*to], "count": count}) for host, to in targets.items()])
        return {
            (host.name, address): [trip / 1e6 for trip in trips]
            for host, answer in zip(targets, answers, strict=True)
            if answer.ok
            for address, trips in answer.json().items()
        }

    def _send(self, host: Host, asked: Mapping[str, Any]) -> Future[Answer]:
        future: Future[Answer] = Future()
        with self._writing:
            self._number += 1
            self._pending[self._number] = future
            question = {"id": self._number, "host": host.name, "timeout_seconds": TIMEOUT_SECONDS, **asked}
            assert self._agent.stdin is not None  # noqa: S101  # made by PIPE
            try:
                self._agent.stdin.write(json.dumps(question) + "\n")
                self._agent.stdin.flush()
            except BrokenPipeError:
                self._pending.pop(self._number).set_result(ENDED)
        return future

    def _read(self) -> None:
        assert self._agent.stdout is not None  # noqa: S101  # made by PIPE
        for line in self._agent.stdout:
            said = json.loads(line)
            answer = Answer(status=said.get("status"), body=said.get("body", ""), error=said.get("error"))
            self._pending.pop(said["id"]).set_result(answer)
        for future in self._pending.values():
            future.set_result(ENDED)


def _answers(pending: Iterable[Future[Answer]]) -> list[Answer]:
    return [future.result(timeout=TIMEOUT_SECONDS * 30) for future in pending]


def _hash(answer: Answer, height: int) -> str | None:
    blocks = answer.json()["hashes"] if answer.ok else []
    return next((str(block["app_hash"]) for block in blocks if block["height"] == height), None)
