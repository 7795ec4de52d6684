"""`diversite power` shows the chain beside the stack file, and changes it by an operator's instruction only."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from cli.main import app
from diversite import keys, ports, stackfile
from diversite.errors import DiversiteError
from diversite.plan import Host, Plan, plan
from rollout.monitors import HEIGHT
from tests.diversite.test_keys import public, whole
from workloads.engine import orders
from workloads.engine.orders import Operator

SIGNER = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"an operator of this test").digest())
STRANGER = public("a validator that left")
PUBLIC = base64.b64encode(SIGNER.public_key().public_bytes_raw()).decode()


@dataclass
class Engine:
    """An engine's HTTP, as far as an operator meets it."""

    powers: dict[str, int]
    chain: str
    hosts: dict[str, Host]
    site: str = "nbg"
    height: int = 100
    operators: tuple[str, ...] = (PUBLIC,)
    obstacles: list[str] = field(default_factory=list)
    taken: list[Operator] = field(default_factory=list)
    taken_at: int = 0
    asked_to: int = 0
    refuses: bool = False
    silent: tuple[str, ...] = ()
    """Hosts of validators that sign nothing, as the monitor beside it tells."""

    def status(self) -> dict[str, Any]:
        """Where it stands."""
        self.height += 1
        return {
            "site": self.site,
            "rpc": f"http://{self.hosts[self.site].address}:{ports.COMETBFT_RPC}",
            "height": self.height,
            "ready": not self.obstacles,
            "obstacles": self.obstacles,
            "validators": self.powers,
        }

    def samples(self, query: str) -> dict[str, Any]:
        """What a monitor has of one metric of every validator: heights, or the last ones signed."""
        self.height += 1
        names = [host.name for host in self.hosts.values()]
        stands = {name: self.height if HEIGHT in query else self.height * (name not in self.silent) for name in names}
        result = [{"metric": {"node": name}, "value": [0, str(value)]} for name, value in stands.items()]
        return {"data": {"result": result}}

    def take(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """An instruction, as the state would take it."""
        read = orders.decode(body, 1024)
        assert isinstance(read, Operator)
        self.asked_to += 1
        if read.chain != self.chain:
            return 422, {"status": "refused", "code": "wrong_chain"}
        if self.refuses or read.operator not in self.operators or not orders.signature_holds(read):
            return 403, {"status": "refused", "code": "not_authorised"}
        self.taken.append(read)
        self.taken_at = self.height
        self.powers = {name: it for name, it in {**self.powers, read.validator: read.power}.items() if it}
        return 200, {"status": "acknowledged"}


@pytest.fixture
def venue() -> Plan:
    """The flagship, with an operator."""
    text = Path("stacks/europe.yaml").read_text()
    return plan(stackfile.loads(f"{text}operators: [{PUBLIC}]\n"))


@pytest.fixture
def engine(venue: Plan) -> Engine:
    """One whose chain began as planned."""
    began = whole(venue).genesis
    hosts = {host.key: host for host in venue.of_role("validator")}
    return Engine({it.public_key: it.power for it in began.validators.values()}, venue.venue, hosts)


@pytest.fixture
def url(engine: Engine) -> Iterator[str]:
    """Where it answers."""
    server = HTTPServer(("127.0.0.1", 0), _handler(engine))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(venue: Plan, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command for a stack of the clouds, whose keys came together."""
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    (stacks / "europe.yaml").write_text(stackfile.dumps(venue.topology))
    (stacks / "europe.keys.yaml").write_text(keys.dumps(whole(venue)))
    (stacks / "Pulumi.europe.yaml").write_text("config:\n  diversite:substrate: cloud\n")
    (tmp_path / "operator.key").write_text(base64.b64encode(SIGNER.private_bytes_raw()).decode())
    monkeypatch.setattr("cli.stacks.STACKS", stacks)

    def command(*arguments: str, operator: bool = True) -> Result:
        signer = ("--operator", str(tmp_path / "operator.key")) if operator and arguments else ()
        result = CliRunner().invoke(app, ["power", "europe", *arguments, *signer, "--through", url])
        if isinstance(result.exception, DiversiteError):
            raise result.exception
        return result

    return command


def test_a_chain_that_is_as_planned_is_alike(run: Callable[..., Result]) -> None:
    """Every validator is shown, and nothing differs."""
    result = run()
    assert result.exit_code == 0, result.output
    assert "differ" not in result.output


def test_a_validator_without_power_differs_until_it_has_it(
    run: Callable[..., Result], engine: Engine, venue: Plan
) -> None:
    """The operator's instruction gives exactly the stack file's power, to exactly its key."""
    key = whole(venue).validators["nbg"].public_key
    del engine.powers[key]
    shown = run()
    assert (shown.exit_code, "differ: nbg" in shown.output) == (1, True)
    assert run("nbg").exit_code == 0
    (instruction,) = engine.taken
    assert (instruction.validator, instruction.power) == (key, venue.hosts["validator-nbg"].voting_power)
    assert run().exit_code == 0
    assert "already" in run("nbg").output


def test_power_is_taken_by_name_or_by_key(run: Callable[..., Result], engine: Engine, venue: Plan) -> None:
    """Whoever left the stack file has no name any more."""
    key = whole(venue).validators["par"].public_key
    engine.powers[STRANGER] = 7
    assert run("par", STRANGER, "--to", "0").exit_code == 0
    assert not {key, STRANGER} & set(engine.powers)


def test_a_public_key_means_the_validator_that_has_it(run: Callable[..., Result], engine: Engine, venue: Plan) -> None:
    """A key stands for its name: without --to a live validator keeps the stack file's power, and is not taken out."""
    key = whole(venue).validators["par"].public_key
    before = dict(engine.powers)
    assert "already" in run(key).output
    engine.powers[key] -= 1
    engine.site = "par"
    assert run(key).exit_code == 0
    assert engine.powers == before


def test_who_has_no_name_gets_what_is_said(run: Callable[..., Result], engine: Engine) -> None:
    """The stack file says nothing of a key that left it, so nothing is taken for granted."""
    engine.powers[STRANGER] = 7
    with pytest.raises(DiversiteError, match="is not in the stack file: say with --to"):
        run(STRANGER)
    assert engine.powers[STRANGER] == 7
    assert run(STRANGER, "--to", "0").exit_code == 0
    assert STRANGER not in engine.powers


def test_who_does_not_follow_gets_no_power(run: Callable[..., Result], engine: Engine, venue: Plan) -> None:
    """Neither while its engine catches up, nor where another engine is asked, which cannot know."""
    del engine.powers[whole(venue).validators["nbg"].public_key]
    engine.obstacles = ["the validator is catching up"]
    with pytest.raises(DiversiteError, match=r"is not ready, so its powers may be old: the validator is catching up"):
        run("nbg")
    engine.obstacles, engine.site = [], "par"
    with pytest.raises(DiversiteError, match=r"an engine of par, .*; name that of nbg in nbg"):
        run("nbg")
    assert engine.taken == []


def test_more_power_asks_the_validators_own_engine(run: Callable[..., Result], engine: Engine, venue: Plan) -> None:
    """One that died keeps its share, and gets no more; a difference in the order alone asks nobody."""
    key = whole(venue).validators["par"].public_key
    with pytest.raises(DiversiteError, match="validator par gets no power before it follows the chain"):
        run("par", "--to", str(2 * engine.powers[key]))
    assert engine.taken == []
    assert run("par", "--to", str(engine.powers[key] + 1)).exit_code == 0


def test_an_engine_that_is_behind_is_not_believed(run: Callable[..., Result], engine: Engine) -> None:
    """Neither to show what the chain has, nor to change it."""
    engine.obstacles = ["no block for 3 s or more"]
    for arguments in ((), ("par", "--to", "0")):
        with pytest.raises(DiversiteError, match="is not ready, so its powers may be old: no block for 3 s or more"):
            run(*arguments)
    assert engine.taken == []


def test_power_that_a_block_needs_is_not_taken(
    run: Callable[..., Result], engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of seven with two that sign nothing, one of the two may go, and none of the five before."""
    monkeypatch.setattr("rollout.monitors.LOOK_SECONDS_MAX", 0.0)
    engine.silent = ("validator-par", "validator-sto")
    with pytest.raises(DiversiteError, match=r"validator hel keeps its power: .* two thirds\. Take those first .*par"):
        run("hel", "--to", "0", "--prometheus", url)
    assert engine.taken == []
    assert run("par", "--to", "0", "--prometheus", url).exit_code == 0
    assert run("hel", "--to", "0", "--prometheus", url).exit_code == 0


def test_what_nobody_sees_is_said(run: Callable[..., Result]) -> None:
    """Without a monitor power is taken all the same, and it is told what was not looked at."""
    assert "is not checked; --prometheus URL" in run("par", "--to", "0").output


def test_a_change_is_waited_for_until_it_counts(run: Callable[..., Result], engine: Engine) -> None:
    """CometBFT counts it two blocks after the one that has it."""
    assert run("par", "--to", "0").exit_code == 0
    assert engine.height >= engine.taken_at + 3


def test_a_refusal_is_told(run: Callable[..., Result], engine: Engine) -> None:
    """What the engine says, as it says it."""
    engine.refuses = True
    with pytest.raises(DiversiteError, match=r"refuses: .*not_authorised"):
        run("par", "--to", "0")


def test_only_the_venues_operators_instruct(run: Callable[..., Result], engine: Engine, tmp_path: Path) -> None:
    """Another key is refused before anything is sent, and by an engine that began with other operators or elsewhere."""
    other = tmp_path / "other.key"
    other.write_text(base64.b64encode(hashlib.sha256(b"somebody").digest()).decode())
    with pytest.raises(DiversiteError, match="has no operator"):
        run("par", "--to", "0", "--operator", str(other), operator=False)
    assert engine.asked_to == 0
    engine.operators = ()
    with pytest.raises(DiversiteError, match="not_authorised"):
        run("par", "--to", "0")
    engine.operators, engine.chain = (PUBLIC,), "another"
    with pytest.raises(DiversiteError, match="wrong_chain"):
        run("par", "--to", "0")
    assert (engine.asked_to, engine.taken) == (2, [])


def test_an_unknown_validator_is_told(run: Callable[..., Result]) -> None:
    """With the one that may be meant; and nothing is changed without an operator's key."""
    with pytest.raises(DiversiteError, match=r"validator pat: its public key is not known \(did you mean par"):
        run("pat", "--to", "0")
    assert run("par", "--to", "0", operator=False).exit_code == 2


def _handler(engine: Engine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/api"):
                self._answer(200, engine.samples(self.path))
            else:
                self._answer(200, engine.status())

        def do_POST(self) -> None:
            self._answer(*engine.take(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the base class's
            pass

        def _answer(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
