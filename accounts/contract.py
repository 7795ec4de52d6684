"""What a provider's module can tell of an account: facts as frozen objects, and the Protocol that asks for them.

The modules `aws`, `gcp` and `hcloud` have the same shape: a class `Account` that reads, and knows the command that
mends each thing that may be wrong. They decide nothing; `preflight` and `standing` compare. An exception of a
provider's SDK leaves a method as it is: `inquiry` asks `Account.refusal` what it means, so that each becomes a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from accounts.demand import Demand

CONNECT_SECONDS_MAX = 5
"""What a connection may take, at each provider."""
ANSWER_SECONDS_MAX = 20
"""What one answer may take, at each provider."""


DEBIAN = "12"
"""The release that a venue's hosts boot."""


class UnansweredError(Exception):
    """An account did not answer a question: what it said, and what mends it."""

    def __init__(self, says: str, mends: str) -> None:
        self.says = says
        self.mends = mends
        super().__init__(says)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom the credentials belong to."""

    account: str | None
    """The AWS account id or the Google project; None where the provider does not tell it."""
    says: str
    """What it does tell, for people."""


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A zone as this account sees it."""

    name: str
    """Its identity: AZ ID, zone, location."""
    alias: str = ""
    """What the account calls it, where that differs: the AZ name."""
    trouble: str = ""
    """Why it cannot be used; empty where it can."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A machine type in a zone; what is not offered has none."""

    machine: str
    trouble: str = ""
    """Why it cannot be ordered now, although it is listed."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A boot image as this account sees it."""

    id: str
    architecture: str
    """x86_64 or arm64, as the catalogue has it."""
    trouble: str = ""
    """Why it cannot be used; empty where it can."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How much of something the account may have, and what the plan still needs of it."""

    name: str
    where: str
    """`provider/region`, or the provider alone."""
    needed: int
    """For the hosts of the plan that are not there yet."""
    limit: int | None
    """None where no API tells it."""
    used: int = 0
    """By everything in the account."""
    mends: str
    """The command or the console's path that raises it; where the limit is not known, that tells it."""

    @property
    def short(self) -> int:
        """By how much it falls short."""
        return 0 if self.limit is None else max(0, self.used + self.needed - self.limit)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A machine that carries the venue's tag."""

    id: str
    """What the provider calls it: an instance id, `zone/name`, a server's number."""
    tags: Mapping[str, str]
    """Tags or labels, as they are."""
    region: str
    zone: str
    """AZ ID, zone, location."""
    machine: str
    addresses: tuple[str, ...]
    """Its private addresses: a gateway may have one in each network that it joins."""
    state: str
    """The provider's word."""
    running: bool
    group: str = ""
    """Its placement group; empty where it is in none."""
    spreads: bool = False
    """Whether that group spreads its members."""
    mends: Mapping[str, str] = field(default_factory=dict)
    """Commands: `start`, `delete`."""

    @property
    def node(self) -> str:
        """Which host of the plan it says to be."""
        return self.tags.get("node", "")


class Account(Protocol):
    """What can be asked of an account. Every method only reads; each may raise whatever its SDK raises."""

    def identity(self) -> Identity:
        """Whom the credentials belong to; the first question, which fails where they do not work."""
        ...

    def zones(self, region: str) -> Mapping[str, Zone]:
        """The zones of a region, by identity; `UnansweredError` where the account cannot use the region."""
        ...

    def offers(self, region: str, zone: str, machines: Sequence[str]) -> Mapping[str, Offer]:
        """Those of the machine types that the zone offers."""
        ...

    def image(self, region: str, id_: str, architecture: str) -> Image | None:
        """A boot image; None where there is none of that id for this account."""
        ...

    def newest(self, region: str, architecture: str) -> str | None:
        """The newest image of Debian 12 that could be pinned; None where there is none."""
        ...

    def quotas(self, demand: Demand) -> Sequence[Quota]:
        """What limits the plan's hosts, gateways and entrances."""
        ...

    def hosts(self, venue: str, regions: Sequence[str]) -> Sequence[Found]:
        """The machines that carry the venue's tag."""
        ...

    def elsewhere(self, region: str, what: str) -> str:
        """The command that lists what there is instead: `zone`, `machine` or `image`."""
        ...

    def refusal(self, error: Exception) -> UnansweredError:
        """What an exception of the SDK means, and what mends it."""
        ...

    def secrets(self) -> Sequence[str]:
        """Values that must never be shown."""
        ...
