"""What is secret in a stack is nowhere in plain: whole programs run with planted secrets, and their states searched."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import offline
from diversite import keys, stackfile
from diversite.plan import Plan, plan
from offline import Recording, Secret, recording
from offline.checkpoint import Deployment
from offline.journal import Journal
from policies.boot import GZIP_IN_BASE64, documents
from tests.components.clouds import ACCOUNTS
from tests.components.recorded import COMPUTED, ROOT, TOKEN, _id
from tests.diversite.test_keys import whole

PLANTED = "planted.0123456789"
"""What every planted secret begins with; none looks like another, so that each can be told."""
COMES_BACK: Mapping[str, tuple[str, ...]] = {
    "random:index/randomPassword:RandomPassword": ("result",),
    "aws:ec2/vpnConnection:VpnConnection": (
        "customerGatewayConfiguration",
        "tunnel1PresharedKey",
        "tunnel2PresharedKey",
    ),
    "aws:directconnect/transitVirtualInterface:TransitVirtualInterface": ("bgpAuthKey",),
    "gcp:compute/interconnectAttachment:InterconnectAttachment": ("pairingKey",),
    "gcp:networkconnectivity/transport:Transport": ("generatedActivationKey",),
}
"""What providers tell that whoever reads it could use: the keys of tunnels, and of what a carrier delivers."""
CIRCUIT = "circuit-ap-northeast-1-asia-northeast2"
LINES = {CIRCUIT: [{"connection": f"dxcon-{number}0000000", "vlan": 100 + number, "asn": 65010} for number in (1, 2)]}
EXPECTED = {
    "europe": {"token"},
    "global": {"token", "pairingKey", "generatedActivationKey", "bgpAuthKey"},
    "regional": {
        "token",
        "result",
        "customerGatewayConfiguration",
        "tunnel1PresharedKey",
        "tunnel2PresharedKey",
        "generatedActivationKey",
    },
    "passive": {"token"},
}
"""The kinds of secrets that each stack is known to meet: a search that finds none of them would prove nothing."""
WITH_KEYS = "passive"
"""The stack that has a keys file, so that its hosts are told all that they run: validators, stores, queues, engines."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A stack's whole program after a simulated `up`."""

    recording: Recording
    state: str
    """The checkpoint, as it would be stored and exported."""
    told: tuple[str, ...]
    """Every text that a resource was given or gave; of a boot script, compressed or not, each file."""


@pytest.fixture(params=EXPECTED)
def stack(request: pytest.FixtureRequest) -> str:
    """Each stack that holds secrets."""
    return str(request.param)


def test_no_secret_is_in_a_states_text(stack: str) -> None:
    """What is stored and exported holds every planted secret encrypted, and no letter of one in plain."""
    assert PLANTED not in _run(stack).state
    assert TOKEN not in _run(stack).state
    assert "ciphertext" in _run(stack).state


def test_no_secret_is_in_a_boot_script(stack: str) -> None:
    """Compressed or not, none of its files holds a planted secret."""
    assert [text for text in _run(stack).told if PLANTED in text or TOKEN in text] == []


def test_boot_scripts_were_read() -> None:
    """Compressed ones too, and with all that hosts are told once there are keys: the search looked where keys were."""
    run, venue = _run(WITH_KEYS), _planned(WITH_KEYS)
    compressed = [it for it in _texts([it.inputs for it in run.recording]) if it.startswith(GZIP_IN_BASE64)]
    assert compressed
    assert not set(compressed) & set(run.told)
    halves, told = whole(venue), "".join(run.told)
    assert [name for name, half in halves.validators.items() if half.public_key not in told] == []
    assert [name for name, (text,) in halves.certificates.items() if text not in told] == []


def test_no_secret_is_in_what_is_shown(stack: str) -> None:
    """Inputs, outputs, the stack's own outputs and what the program says show none."""
    found = _run(stack).recording
    for it in found:
        shown = json.dumps(_hidden([it.inputs, it.outputs]), default=str)
        assert PLANTED not in shown, it.urn
        assert TOKEN not in shown, it.urn
    said = "".join(it.message for it in found.diagnostics)
    exported = json.dumps(_hidden(dict(found.outputs)), default=str)
    assert PLANTED not in exported + said
    assert TOKEN not in exported + said


def test_the_planted_secrets_were_met(stack: str) -> None:
    """Each kind is there, as a secret: the search looked where secrets are."""
    found = _run(stack).recording
    held = " ".join(str(secret) for it in found for secret in _secrets([it.inputs, it.outputs]))
    kinds = {word for names in COMES_BACK.values() for word in names if f"{PLANTED}.{word}" in held}
    assert kinds | ({"token"} if TOKEN in held else set()) == EXPECTED[stack]


def test_no_private_key_is_ever_the_engines(stack: str) -> None:
    """Tunnels and validators make their keys on their hosts: no boot script brings one."""
    for text in (_run(stack).state, *_run(stack).told):
        assert "PRIVATE KEY" not in text
        assert "PrivateKey =" not in text
        assert not re.search(r'priv_key\\?"', text)


@cache
def _run(stack: str) -> Run:
    journals: list[Journal] = []

    class Kept(Journal):
        def __init__(self, base: Deployment, path: Path | None) -> None:
            super().__init__(base, path)
            journals.append(self)

    settings: dict[str, str | Secret] = {
        "diversite:topology": stack,
        "diversite:substrate": "cloud",
        "diversite:accounts": json.dumps({name: ACCOUNTS[name] for name in ("aws", "gcp", "hetzner")}),
        "diversite:circuits": json.dumps(LINES if stack == "global" else {}),
        "hcloud:token": Secret(TOKEN),
    }
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as directory:
        program = _project(Path(directory), stack)
        patch.setattr(recording, "Journal", Kept)
        patch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase of this test")
        found = offline.record(program, project="diversite", stack=stack, config=settings, answer=_answer)
        (journal,) = journals
        state = Deployment(crypter=journal.crypter, resources=journal.resources()).render()
    texts = (text for it in found for text in _texts(_hidden([it.inputs, it.outputs])))
    return Run(recording=found, state=state, told=tuple(file for text in texts for file in documents(text)))


def _project(directory: Path, stack: str) -> Callable[[], None]:
    """The program and its stack, beside a keys file where it has one."""
    program, stacks = directory / "__main__.py", directory / "stacks"
    stacks.mkdir()
    shutil.copy(ROOT / program.name, program)
    shutil.copy(ROOT / "stacks" / f"{stack}.yaml", stacks)
    if stack == WITH_KEYS:
        (stacks / f"{stack}.keys.yaml").write_text(keys.dumps(whole(_planned(stack))))

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    return run


def _planned(stack: str) -> Plan:
    return plan(stackfile.load(ROOT / "stacks" / f"{stack}.yaml"))


TOLD: Mapping[str, Mapping[str, Any]] = {
    "gcp:compute/haVpnGateway:HaVpnGateway": {
        "vpnInterfaces": [{"id": number, "ipAddress": f"198.51.100.{number + 10}"} for number in range(2)]
    },
    **COMPUTED,
}
"""What else the program asks of what was made."""


def _answer(type_: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    planted = {word: f"{PLANTED}.{word}.{name}" for word in COMES_BACK.get(type_, ())}
    return {"id": _id(type_, name, inputs), **TOLD.get(type_, {}), **planted}


def _hidden(value: Any) -> Any:
    if isinstance(value, Secret):
        return "<secret>"
    if isinstance(value, Mapping):
        return {key: _hidden(item) for key, item in value.items()}
    return [_hidden(item) for item in value] if isinstance(value, list | tuple) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _secrets(value: Any) -> Iterator[Any]:
    if isinstance(value, Secret):
        yield value.value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets(item)
