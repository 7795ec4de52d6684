"""What is true at a Hetzner project, by the hcloud client.

The account called `hetzner` is that of the token in `HCLOUD_TOKEN`; another name `other-one` takes
`HCLOUD_TOKEN_OTHER_ONE`. A token belongs to one project, and the API tells neither which, nor the project's limits.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import requests
from hcloud import APIException, Client

from accounts.contract import (
    ANSWER_SECONDS_MAX,
    CONNECT_SECONDS_MAX,
    DEBIAN,
    Found,
    Identity,
    Image,
    Offer,
    Quota,
    UnansweredError,
    Zone,
)
from accounts.demand import Demand

DEFAULT_ACCOUNT = "hetzner"
TOKEN, ENDPOINT = "HCLOUD_TOKEN", "HCLOUD_ENDPOINT"
TOKEN_LENGTH = 64
ARCHITECTURES = {"x86": "x86_64", "arm": "arm64"}
LIMITS = "Hetzner console: the project, Limits"
CONSOLE = "Hetzner console: the project, Security, API tokens"
RUNNING, SPREAD = "running", "spread"


class Account:
    """A Hetzner project."""

    def __init__(self, demand: Demand, expected: str | None) -> None:
        suffix = "" if demand.account == DEFAULT_ACCOUNT else f"_{demand.account.upper().replace('-', '_')}"
        self._variable = f"{TOKEN}{suffix}"
        self._setting = "hcloud:token" if demand.account == DEFAULT_ACCOUNT else f"hcloud-{demand.account}:token"
        self._token = os.environ.get(self._variable, "").strip()

    def identity(self) -> Identity:
        """Whether the token works, and what is in its project, by which a person may know it."""
        servers = self._client.servers.get_list(per_page=1)
        total = servers.meta.pagination.total_entries if servers.meta and servers.meta.pagination else 0
        says = f"the token in {self._variable} reads; no API tells its project, which has {total or 0} servers"
        return Identity(account=None, says=says)

    def zones(self, region: str) -> Mapping[str, Zone]:
        """The locations of a network zone."""
        found = self._client.locations.get_all()
        return {item.name: Zone(name=item.name) for item in found if item.name and item.network_zone == region}

    def offers(self, region: str, zone: str, machines: Sequence[str]) -> Mapping[str, Offer]:
        """Those of the server types that the location has, with what it says of stock and of their end."""
        there = {
            item.name: at for item in self._server_types for at in item.locations or () if at.location.name == zone
        }
        return {name: Offer(machine=name, trouble=_trouble(there[name])) for name in machines if name in there}

    def image(self, region: str, id_: str, architecture: str) -> Image | None:
        """The image of a number, or a system image by its name."""
        try:
            found = self._image(id_, architecture)
        except APIException as error:
            if error.code == "not_found":
                return None
            raise
        if found is None:
            return None
        trouble = "" if found.status == "available" else f"it is {found.status}"
        trouble = _ended(found.deprecation) or trouble
        return Image(id=id_, architecture=ARCHITECTURES.get(str(found.architecture), "?"), trouble=trouble)

    def newest(self, region: str, architecture: str) -> str | None:
        """The number of the system image of Debian."""
        found = self._image(f"debian-{DEBIAN}", architecture)
        return str(found.id) if found else None

    def quotas(self, demand: Demand) -> Sequence[Quota]:
        """What the plan needs; the limits are only in the console."""
        machines = demand.hosts
        gateways = sum(host.role == "gateway" for host in machines)
        vcpus = sum(sum(demand.vcpus(region).values()) for region in demand.regions)
        needed = {
            "servers": len(machines),
            "vCPUs": vcpus,
            "primary IPv4 addresses": gateways,
            "networks": gateways + sum(demand.is_joined_within(region) for region in demand.regions),
            "placement groups": len({demand.place(host).zone for host in machines}),
            "load balancers": sum(host.role == "entry" for host in machines),
            "volumes": sum(host.data_gib > 0 for host in machines),
        }
        return [
            Quota(name=name, where="hetzner", needed=count, limit=None, mends=LIMITS)
            for name, count in needed.items()
            if count
        ]

    def hosts(self, venue: str, regions: Sequence[str]) -> Sequence[Found]:
        """The servers of the whole project."""
        return [_found(server) for server in self._client.servers.get_all(label_selector=f"venue={venue}")]

    def elsewhere(self, region: str, what: str) -> str:
        """What there is instead."""
        return {
            "zone": "hcloud location list",
            "machine": "hcloud server-type list",
            "image": "hcloud image list --type system",
        }[what]

    def refusal(self, error: Exception) -> UnansweredError:
        """By the API's code."""
        if isinstance(error, APIException):
            return self._refused(error)
        if isinstance(error, (requests.ConnectionError, requests.Timeout)):
            says = f"Hetzner cannot be reached: {type(error).__name__}"
            return UnansweredError(says, "mend the network or the proxy, and run it again")
        return UnansweredError(f"an unexpected answer, {type(error).__name__}: {error}", "run it again")

    def secrets(self) -> Sequence[str]:
        """The token."""
        return [self._token]

    @property
    def _exports(self) -> str:
        """A token among the stack's secrets is for the deployment; only Pulumi can read it."""
        return f'export {self._variable}="$(pulumi config get {self._setting})", or a new one from {CONSOLE}'

    @cached_property
    def _client(self) -> Client:
        if not self._token:
            raise UnansweredError(f"no credentials: {self._variable} is not set", self._exports)
        if len(self._token) != TOKEN_LENGTH or not self._token.isalnum():
            says = f"{self._variable} is no token: it has {len(self._token)} characters, a token has {TOKEN_LENGTH}"
            raise UnansweredError(f"{says}, letters and digits only", self._exports)
        endpoint = os.environ.get(ENDPOINT) or "https://api.hetzner.cloud/v1"
        timeout = (CONNECT_SECONDS_MAX, ANSWER_SECONDS_MAX)
        return Client(token=self._token, api_endpoint=endpoint, application_name="diversite", timeout=timeout)

    @cached_property
    def _server_types(self) -> Sequence[Any]:
        return self._client.server_types.get_all()

    def _image(self, id_: str, architecture: str) -> Any:
        if id_.isdecimal():
            return self._client.images.get_by_id(int(id_))
        named = {known: theirs for theirs, known in ARCHITECTURES.items()}
        found = self._client.images.get_all(name=id_, architecture=[named[architecture]], include_deprecated=True)
        return found[0] if found else None

    def _refused(self, error: APIException) -> UnansweredError:
        if error.code in ("unauthorized", "token_readonly", 401):
            return UnansweredError(
                f"Hetzner does not accept {self._variable} ({error.code})", f"make a token: {CONSOLE}"
            )
        if error.code in ("forbidden", 403):
            return UnansweredError(f"denied: {error.message}", f"make a token that may read and write: {CONSOLE}")
        if error.code in ("rate_limit_exceeded", 429):
            return UnansweredError(
                "still throttled after all retries", "run it again in an hour, or with another token"
            )
        return UnansweredError(f"{error.code}: {error.message}", "run it again")


def _trouble(at: Any) -> str:
    return _ended(at.deprecation) or ("it is out of stock there" if at.available is False else "")


def _ended(deprecation: Any) -> str:
    """What is deprecated can be ordered until its day."""
    day = deprecation.unavailable_after if deprecation else None
    return f"it can no longer be ordered since {day:%Y-%m-%d}" if day and day <= datetime.now(UTC) else ""


def _found(server: Any) -> Found:
    group, private = server.placement_group, server.private_net or ()
    return Found(
        id=f"{server.name} ({server.id})",
        tags=dict(server.labels or {}),
        region=server.location.network_zone,
        zone=server.location.name,
        machine=server.server_type.name,
        addresses=tuple(interface.ip for interface in private),
        state=server.status,
        running=server.status == RUNNING,
        group=group.name if group else "",
        spreads=bool(group) and group.type == SPREAD,
        mends={"start": f"hcloud server poweron {server.id}", "delete": f"hcloud server delete {server.id}"},
    )
