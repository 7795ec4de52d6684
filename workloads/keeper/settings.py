"""What one process is told: the JSON file of `python -m workloads.keeper --config FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diversite.errors import DiversiteError


class SettingsError(DiversiteError):
    """A settings file that does not hold together."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Part):
    """What the member shows, and whom it believes: paths of PEM files."""

    key: str
    certificate: str
    members: str


class Backups(_Part):
    """When backups are due, and how they are taken."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """pgBackRest with its configuration and the store's stanza; what it shall do is appended."""
    incremental_seconds: Annotated[int, Field(ge=1)]
    full_seconds: Annotated[int, Field(ge=1)]
    archive_seconds: Annotated[int, Field(ge=1)]
    """How soon the log is archived while anything is written."""


class Settings(_Part):
    """The keeper of one member of a store."""

    store: str
    member: str
    """This host's name, which is its name in Patroni and in etcd."""
    sites: Annotated[dict[str, str], Field(min_length=1)]
    """The site of every member of the store, by its name, in the order in which they are preferred as etcd's leader."""
    http: str
    """`address:port` of the metrics."""
    patroni: str
    """`address:port` of this host's Patroni."""
    etcd: Annotated[dict[str, str], Field(min_length=1)]
    """`address:port` of every member's etcd, by its name."""
    tls: Tls
    database: str
    """Directory of the database's socket on this host."""
    backups: Backups | None = None
    """None where another member takes them."""


def load_settings(path: Path) -> Settings:
    """The settings in the JSON file at `path`; SettingsError with every problem, each with its key."""
    try:
        return Settings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name the keeper's settings file") from None
    except ValidationError as error:
        told = (
            f"{path}: {'.'.join(map(str, it['loc']))}: {it['msg']}, not {it['input']!r:.100}" for it in error.errors()
        )
        raise SettingsError("\n".join(told)) from None
