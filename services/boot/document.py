"""User data: the files of a host, its users, and the one thing that cloud-init begins."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence

from diversite.errors import PlanError
from diversite.plan import Host, Plan
from services.facts import Facts
from services.service import Paths, PathsOf, Service
from services.writing import yaml

ETC = "/etc/diversite"
DATA = "/var/lib/diversite"
HEADER = "#cloud-config\n"


def paths(_host: Host) -> PathsOf:
    """Where the services of a cloud's host keep things: `/etc/diversite/<service>`, `/var/lib/diversite/<service>`."""
    return lambda service: Paths(etc=f"{ETC}/{service}", data=f"{DATA}/{service}", cloud=True)


def user_data(  # noqa: PLR0913  what a host is told has six sources, and no two belong together
    plan: Plan,
    host: Host,
    services: Sequence[Service],
    *,
    known: Facts | None,
    endpoints: Mapping[str, str],
    operator_keys: Sequence[str] = (),
) -> str:
    """The boot script of a host.

    `services`: those of `services_of` with `paths(host)`; for a validator none while `known` is None. `endpoints`: the
    public IPv4 address of each site's gateway by site, for a gateway. `operator_keys`: OpenSSH public keys, where the
    provider has no access of its own (Hetzner). The same bytes for the same arguments, no secret among them.
    `PlanError` where the host cannot be booted: a release without a build for its processor, a tunnel without an end.
    """
    files = [{"path": path, "content": content} for service in services for path, content in service.files.items()]
    return HEADER + yaml({"hostname": host.name, "write_files": files})


def compressed(text: str, bytes_max: int) -> str:
    """`text` gzipped, as base64, the same for the same text; `PlanError` where more than `bytes_max` bytes remain.

    AWS allows 16,384 bytes before base64 (pass it as `user_data_base64`); Hetzner 32,768 characters of text, so
    24,576 before base64; Google takes 262,144 bytes uncompressed.
    """
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    if len(packed) > bytes_max:
        raise PlanError(f"boot script: {len(packed):,} bytes compressed, {bytes_max:,} are allowed.")
    return base64.b64encode(packed).decode()
