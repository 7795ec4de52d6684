"""The venue's operator, as drills play him: signed instructions that change voting power.

A stack file names operators by their public keys (`operators`). Whoever has the private half of one, a file with the
base64 of its 32 bytes, can take a dead validator out of the set and bring it back.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from diversite import ports
from diversite.errors import DiversiteError, LabError
from diversite.plan import Host, Plan
from lab import control
from workloads.engine import orders
from workloads.engine.orders import Operator

SECONDS_MAX = 15.0
_POST = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], sys.stdin.buffer.read(), {"Content-Type": "application/json"})
try:
    sys.stdout.write(urllib.request.urlopen(request, timeout=float(sys.argv[2])).read().decode())
except urllib.error.HTTPError as error:
    sys.stderr.write(error.read().decode())
    sys.exit(1)
"""


def read_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file; DiversiteError where it is none."""
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_text().strip(), validate=True))
    except (OSError, ValueError) as error:
        raise DiversiteError(f"{path}: not an operator's key, base64 of 32 bytes: {error}") from None


def require_known(key: Ed25519PrivateKey, plan: Plan) -> None:
    """DiversiteError for a key that is not one of the venue's operators."""
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    if public not in plan.topology.operators:
        raise DiversiteError(
            f"venue {plan.venue} has no operator {public}: list it in its stack file, under `operators`"
        )


def set_power(  # noqa: PLR0913, PLR0917  whose power becomes what, by whom, where
    lab: str, plan: Plan, through: Host, key: Ed25519PrivateKey, validator: str, power: int
) -> None:
    """Give a validator (by its base64 key) another voting power, through one engine; LabError where it is refused."""
    send(lab, through, instruction(plan.venue, key, validator, power))


def send(lab: str, through: Host, body: str) -> None:
    """Hand a signed instruction to one engine; LabError where it is refused."""
    url = f"http://{through.address}:{ports.ENGINE_HTTP}/orders"
    command = [sys.executable, "-I", "-S", "-c", _POST, url, str(SECONDS_MAX)]
    told = control.run(lab, through.name, command, stdin=body)
    if told.returncode or json.loads(told.stdout)["status"] != "acknowledged":
        raise LabError(f"{through.name} did not take the instruction: {told.stdout}{told.stderr}")


def instruction(chain: str, key: Ed25519PrivateKey, validator: str, power: int) -> str:
    """The signed transaction that gives a validator (by its base64 key) another voting power, as an engine takes it."""
    nonce = int(time.time() * 1000)
    unsigned = Operator(
        action="power", chain=chain, nonce=nonce, operator="", signature="", validator=validator, power=power
    )
    return orders.encode(orders.sign(unsigned, key)).decode()
