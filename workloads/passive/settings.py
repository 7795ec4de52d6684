"""What one process is told: the JSON file of `python -m workloads.passive --config FILE`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diversite.errors import DiversiteError
from workloads.engine.settings import MarketRules, Name, Rules


class SettingsError(DiversiteError):
    """A settings file that does not hold together."""


class Tls(BaseModel):
    """What a member shows, and whom it believes: files of PEM. The store's are in `Settings.store`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    certificate: str
    etcd: str
    queue: str

    @cached_property
    def ends_seconds(self) -> float:
        """When the certificate ends, seconds since 1970."""
        return x509.load_pem_x509_certificate(Path(self.certificate).read_bytes()).not_valid_after_utc.timestamp()


class Sites(BaseModel):
    """Where the members of the store and of the queue are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: dict[str, Name]
    """By the member's address."""
    queue: dict[str, Name]
    """By the server's name."""


class Settings(BaseModel):
    """One member of an active-passive engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Name
    """The engine's name: key of its rows in the ledger and of its lease."""
    member: Name
    """This member's name, unique among them."""
    site: Name
    preferred: bool = False
    """Whether it takes the lease at once when nobody ever had it; the others let it try first."""
    http: str
    """`address:port` of the gateway."""
    store: str
    """How libpq reaches the primary: `host=… port=… dbname=… user=…`."""
    etcd: Annotated[tuple[str, ...], Field(min_length=1)]
    """`address:port` of every member of etcd."""
    queue: Annotated[tuple[str, ...], Field(min_length=1)]
    """`nats://address:port` of every server."""
    tls: Tls | None = None
    """None: etcd and the queue are reached without, as on the loopback of a test."""
    sites: Sites | None = None
    """None: whoever leads the stream may lead it."""
    stream: Name
    replicas: Annotated[int, Field(ge=1, le=5)] = 3
    messages_max: Annotated[int, Field(ge=1)] = 1_000_000
    """How many orders may wait; more are refused."""
    lease_seconds: Annotated[int, Field(ge=1, le=60)] = 3
    renew_ms: Annotated[int, Field(ge=50)] = 500
    batch_max: Annotated[int, Field(ge=1, le=10_000)] = 200
    """How many orders one transaction of the ledger carries out."""
    snapshot_every_batches: Annotated[int, Field(ge=1)] = 1000
    order_bytes_max: Annotated[int, Field(ge=256, le=65_536)] = 1024
    acknowledge_seconds_max: Annotated[float, Field(gt=0)] = 10.0
    """An order without an outcome by then is answered 504, indeterminate: it waits in the queue."""
    markets: Annotated[dict[Name, MarketRules], Field(min_length=1)]

    @property
    def rules(self) -> Rules:
        """The rules of the books. Orders wait in the queue through an outage, so no gap closes the markets."""
        return Rules(markets=self.markets, gap_seconds_max=10**6, order_bytes_max=self.order_bytes_max)


def load_settings(path: Path) -> Settings:
    """The settings in the JSON file at `path`; SettingsError with every problem, each with its key."""
    try:
        return Settings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name the engine's settings file") from None
    except ValidationError as error:
        told = (
            f"{path}: {'.'.join(map(str, it['loc']))}: {it['msg']}, not {it['input']!r:.100}" for it in error.errors()
        )
        raise SettingsError("\n".join(told)) from None
