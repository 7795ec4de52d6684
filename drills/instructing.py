"""Two ways for an operator's instruction into a venue: a lab's own network, or the address of one engine."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from diversite import ports
from diversite.errors import DiversiteError, LabError
from diversite.plan import Host, Plan
from drills import asking, operator

SECONDS_MAX = 15.0
POLL_SECONDS = 0.5
HEIGHTS_UNTIL_COUNTED = 2
"""A change that block H carries out is that of the validators of block H + 2 (ABCI, FinalizeBlock)."""


class Way(Protocol):
    """How the chain is asked for its voting powers, and told others."""

    def powers(self) -> Mapping[str, int]:
        """Voting power by base64 public key, as an engine has it now; DiversiteError where none is ready."""
        ...

    def obstacles(self, host: Host) -> Sequence[str]:
        """Why a validator does not follow the chain, as its own engine tells; empty where it does."""
        ...

    def send(self, body: str) -> None:
        """Hand in a signed instruction; DiversiteError where it is refused."""
        ...

    def await_power(self, key: str, power: int, seconds_max: float) -> None:
        """Wait until the chain counts it; DiversiteError where it does not."""
        ...

    def fetch(self, url: str) -> str:
        """The body of a monitor's URL; OSError where it does not answer."""
        ...


class _Way:
    """What both ways share."""

    def powers(self) -> Mapping[str, int]:
        """Voting power by base64 public key; one that is behind tells what was."""
        told = self.status()
        if not told["ready"]:
            raise DiversiteError(
                f"the engine of {told['site']} is not ready, so its powers may be old: {'; '.join(told['obstacles'])}. "
                "Ask another one, or wait"
            )
        found: Mapping[str, int] = told["validators"]
        return found

    def await_power(self, key: str, power: int, seconds_max: float) -> None:
        """Ask until the engine has it, and then until the heights have passed after which CometBFT counts it."""
        end, counted_at = time.monotonic() + seconds_max, None
        while True:
            told = self.status()
            if counted_at is None and told["validators"].get(key, 0) == power:
                counted_at = told["height"] + HEIGHTS_UNTIL_COUNTED
            if counted_at is not None and told["height"] >= counted_at:
                return
            if time.monotonic() > end:
                raise DiversiteError(f"{key}: its power of {power} does not count after {seconds_max:.0f} s; ask again")
            time.sleep(POLL_SECONDS)

    def status(self) -> Any:
        """Where an engine stands."""
        raise NotImplementedError


class Lab(_Way):
    """Into a lab, by the first engine that is ready."""

    def __init__(self, lab: str, planned: Plan) -> None:
        self._lab = lab
        self._planned = planned

    def status(self) -> Any:
        """Where the engine stands that takes instructions."""
        return asking.engine(self._lab, self._through(), "/status")

    def obstacles(self, host: Host) -> Sequence[str]:
        """As the validator's own engine tells."""
        told = asking.engine(self._lab, self._planned.hosts[host.partner or ""], "/status")
        return [str(it) for it in told["obstacles"]]

    def send(self, body: str) -> None:
        """By the lab's own network."""
        operator.send(self._lab, self._through(), body)

    def fetch(self, url: str) -> str:
        """From the monitor's own network."""
        parts = urlsplit(url)
        (host,) = (it for it in self._planned.of_role("monitor") if str(it.address) == parts.hostname)
        try:
            return asking.read(self._lab, host, parts.port or ports.PROMETHEUS, f"{parts.path}?{parts.query}")
        except LabError as error:
            raise OSError(str(error)) from error

    def _through(self) -> Host:
        for host in self._planned.of_role("engine"):
            try:
                if asking.engine(self._lab, host, "/status")["ready"]:
                    return host
            except LabError:
                continue
        raise LabError(f"lab {self._lab}: no engine is ready, so no instruction gets into a block")


class Address(_Way):
    """To the engine at a URL, with a way to it held open by whoever asks."""

    def __init__(self, url: str) -> None:
        _require_http(url)
        self._url = url.rstrip("/")

    def status(self) -> Any:
        """Where the engine stands."""
        return self._answer(urllib.request.Request(f"{self._url}/status"))  # noqa: S310  checked above

    def obstacles(self, host: Host) -> Sequence[str]:
        """As the engine tells, if it is the validator's own: another cannot know."""
        told = self.status()
        if told.get("rpc") != f"http://{host.address}:{ports.COMETBFT_RPC}":
            return [
                f"{self._url} is an engine of {told['site']}, and of another validator or of a release that does not "
                f"say whose; name that of {host.key} in {host.site}"
            ]
        return [str(it) for it in told["obstacles"]]

    def send(self, body: str) -> None:
        """As a client sends an order."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/orders", body.encode(), headers)  # noqa: S310  checked above
        answer = self._answer(request)
        if answer["status"] != "acknowledged":
            raise DiversiteError(f"{self._url} did not take the instruction: {answer}")

    def fetch(self, url: str) -> str:
        """From here, by a way that is open to the monitor too."""
        _require_http(url)
        with urllib.request.urlopen(url, timeout=SECONDS_MAX) as answer:  # noqa: S310  checked above
            return str(answer.read().decode())

    def _answer(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:  # noqa: S310  checked above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise DiversiteError(f"{request.full_url} refuses: {error.read().decode(errors='replace')}") from None
        except (OSError, ValueError) as error:
            raise DiversiteError(f"{request.full_url} does not answer as an engine: {error}") from error


def _require_http(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise DiversiteError(f"{url}: is reached over http or https")
