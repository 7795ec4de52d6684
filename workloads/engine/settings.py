"""What the engine is told: `Settings` of one process, and `Rules`, which all engines of a venue share.

`Settings` is the JSON file of `python -m workloads.engine --config FILE`; two engines of a venue may differ in it.
`Rules` is the `app_state` of the chain's genesis: it is part of the replicated state, and of the application hash.
`app_state(...)` renders it. Nothing heavy is imported here, so that whoever renders configuration may import it.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from diversite.errors import DiversiteError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
"""Names of clients, markets and idempotency keys: short, plain, and the same bytes in every encoding."""

AMOUNT_MAX = 10**12
"""No price or quantity may exceed this, so that every number fits a JSON reader's 2**53 and 8 bytes in a record."""


class SettingsError(DiversiteError):
    """A settings file or a genesis `app_state` that does not hold together."""


def _address(text: str) -> str:
    host, separator, port = text.rpartition(":")
    if not (host and "/" not in host and separator and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("must be <address>:<port>, without a scheme (gRPC refuses tcp://)")
    return text


def _operator_key(text: str) -> str:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    if len(key) != 32 or base64.b64encode(key).decode() != text:
        raise ValueError(f"must be the canonical base64 of an ed25519 public key (32 bytes), not of {len(key)} bytes")
    return text


Address = Annotated[str, AfterValidator(_address)]
OperatorKey = Annotated[str, AfterValidator(_operator_key)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Settings(_Strict):
    """How one engine process runs: where it listens, where its data is, how often it keeps what it knows."""

    abci: Address
    """Where CometBFT's gRPC client finds the application; the same text is its `proxy_app`."""
    http: Address
    """Where the gateway listens."""
    rpc: Annotated[str, Field(pattern=r"^http://[^/]+$")]
    """The RPC of this site's validator, such as `http://10.0.0.2:26657`."""
    data: Annotated[str, Field(min_length=1)]
    """Directory of persisted states and snapshots; made when missing."""
    site: Name
    persist_every_blocks: Annotated[int, Field(ge=1, le=100_000)] = 100
    """A restart replays at most this many blocks (one more while a state is being written)."""
    snapshot_every_blocks: Annotated[int, Field(ge=1, le=10_000_000)] = 1000
    """Heights divisible by this are offered for state sync; must be a multiple of `persist_every_blocks`."""
    snapshots_kept: Annotated[int, Field(ge=1, le=100)] = 3
    retain_blocks: Annotated[int, Field(ge=1)] = 100_000
    """CometBFT may prune blocks older than this, never one that a kept state or snapshot still needs."""
    ready_stall_seconds_max: Annotated[float, Field(gt=0, strict=False)] = 3.0
    """Not ready when the last commit is older; more than CometBFT's `create_empty_blocks_interval`."""
    ready_behind_seconds_max: Annotated[float, Field(gt=0, strict=False)] = 10.0
    """Not ready when the last committed block's time lies further back: the node is catching up."""
    mend_stall_seconds_max: Annotated[float, Field(gt=0, strict=False)] = 30.0
    """Without a block for so long, or up to a third longer, the validator is made to start anew (mending.py)."""
    mend_every_seconds: Annotated[float, Field(gt=0, strict=False)] = 120.0
    """And again after so long, while it stands still."""
    halt_height: Annotated[int, Field(ge=1)] | None = None
    """The last block that this engine lets pass: it refuses every proposal beyond, and carries none out."""
    order_bytes_max: Annotated[int, Field(ge=256, le=65_536)] = 1024
    """The gateway refuses a larger body; the venue's own limit is `Rules.order_bytes_max`."""
    acknowledge_seconds_max: Annotated[float, Field(gt=0, strict=False)] = 10.0
    """An order without a committed block by then is answered 504, indeterminate."""
    orders_pending_max: Annotated[int, Field(ge=1)] = 5000
    """Beyond this the gateway answers 503 without submitting."""


class MarketRules(_Strict):
    """One market: prices are whole ticks and quantities whole lots, both as integers of the smallest unit."""

    tick: Amount = 1
    lot: Amount = 1
    price_max: Amount = AMOUNT_MAX
    quantity_max: Amount = 10**9
    orders_open_max: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000


class Rules(_Strict):
    """The genesis `app_state`: what every engine of the venue must agree on."""

    markets: Annotated[dict[Name, MarketRules], Field(min_length=1, max_length=1000)]
    operators: Annotated[tuple[OperatorKey, ...], Field(max_length=100, strict=False)] = ()
    """Base64 ed25519 keys that may halt markets and change voting powers."""
    clients: Annotated[tuple[Name, ...], Field(max_length=100_000, strict=False)] = ()
    """The only clients that may trade; empty admits every name."""
    gap_seconds_max: Annotated[int, Field(ge=1, le=10**6)] = 60
    """After a longer gap between blocks, markets open cancel-only. Noticed from 7/8 of it, at the latest at it."""
    cancel_only_heights: Annotated[int, Field(ge=0, le=10**6)] = 10
    """For how many blocks after such a gap."""
    idempotency_heights: Annotated[int, Field(ge=64, le=10**8)] = 100_000
    """For how many heights, at least, a key keeps its first outcome."""
    order_bytes_max: Annotated[int, Field(ge=256, le=65_536)] = 1024
    """A larger transaction is refused unread."""


def load_settings(path: Path) -> Settings:
    """The settings in the JSON file at `path`; raises SettingsError with every problem, each with its key."""
    try:
        settings = Settings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name the engine's settings file") from None
    except ValidationError as error:
        raise SettingsError(_problems(str(path), error)) from None
    if settings.snapshot_every_blocks % settings.persist_every_blocks:
        raise SettingsError(
            f"{path}: snapshot_every_blocks: {settings.snapshot_every_blocks} is not a multiple of "
            f"persist_every_blocks, {settings.persist_every_blocks}; snapshots are persisted states, so make it one"
        )
    return settings


def app_state(rules: Rules) -> dict[str, Any]:
    """`rules` as the JSON object that goes under `app_state` in CometBFT's genesis.json; defaults are written out."""
    return rules.model_dump(mode="json")


def parse_app_state(text: bytes) -> Rules:
    """The rules in a genesis `app_state` (JSON bytes); raises SettingsError with every problem, each with its key."""
    try:
        return Rules.model_validate_json(text)
    except ValidationError as error:
        raise SettingsError(_problems("genesis app_state", error)) from None


def rules_bytes(rules: Rules) -> bytes:
    """One spelling of `rules`, whatever order genesis wrote them in: what is hashed and kept in snapshots."""
    return json.dumps(app_state(rules), sort_keys=True, separators=(",", ":")).encode()


def _problems(where: str, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        lines.append(f"{where}: {key}: {problem['msg']}, not {problem['input']!r:.100}")
    return "\n".join(lines)
