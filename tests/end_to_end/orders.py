"""Orders sent as a client of the venue would: from the lab's internet, to an entrance, over HTTP."""

from __future__ import annotations

import json
from typing import Any

from diversite import ports
from drills.rehearsal import INTERNET, Rehearsal
from lab import control, world

PAUSE_SECONDS = 0.5
CLIENT = """
import json, sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], data=sys.argv[2].encode(), method="POST")
try:
    with urllib.request.urlopen(request, timeout=20) as answer:
        print(json.dumps([answer.status, json.load(answer)]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, json.load(error)]))
"""


def order(key: str, **changes: object) -> dict[str, Any]:
    """A small order, whose key decides once what becomes of it."""
    fields = {"client": "tester", "key": key, "market": "BTC-PERP", "side": "buy", "price": 10_000, "quantity": 2}
    return {**fields, **changes}


def send(rehearsal: Rehearsal, entrance: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Send an order to the entrance of a site: the HTTP status and the answer."""
    address = rehearsal.plan.accesses[f"entry-{entrance}"].address.ip
    url = f"http://{address}:{ports.ORDERS}/orders"
    told = control.run(rehearsal.lab, INTERNET, ["python", "-c", CLIENT, url, json.dumps(fields)])
    assert told.returncode == 0, told.stderr
    status, answer = json.loads(told.stdout)
    return status, answer


def place(rehearsal: Rehearsal, entrance: str, fields: dict[str, Any], *, seconds_max: float = 60) -> dict[str, Any]:
    """Send an order until it is acknowledged: the answer.

    A machine that starts a second lab may starve the first one for long enough that its venue refuses what it holds for
    stale, or an entrance finds no engine ready; a client tries again then, with a new order.
    """
    told: list[tuple[int, dict[str, Any]]] = []

    def is_acknowledged() -> bool:
        told.append(send(rehearsal, entrance, {**fields, "key": f"{fields['key']}-{len(told)}"}))
        return told[-1][0] == 200

    assert world.wait_until(is_acknowledged, seconds_max, PAUSE_SECONDS), told
    return told[-1][1]
