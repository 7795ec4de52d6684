"""What a machine is told when it boots, and who may come in: Google calls it metadata."""

from __future__ import annotations

import pulumi

from diversite.errors import PlanError
from diversite.plan import Host
from services.boot import startup_script

VALUE_BYTES_MAX = 262_144
"""Of one value."""


def metadata(host: Host, boot_script: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """The metadata of a host. Operators come by OS Login, with Google's own accounts; nobody by a key of the project or
    by the serial console.
    """
    if isinstance(boot_script, str):
        require_small(host, boot_script)
    return {
        "user-data": boot_script,
        "startup-script": startup_script(),
        "enable-oslogin": "TRUE",
        "block-project-ssh-keys": "TRUE",
        "serial-port-enable": "FALSE",
    }


def require_small(host: Host, boot_script: str) -> str:
    """The boot script itself; `PlanError` where Google would refuse it."""
    size = len(boot_script.encode())
    if size > VALUE_BYTES_MAX:
        raise PlanError(
            f"host {host.name}: its boot script has {size:,} bytes; Google takes {VALUE_BYTES_MAX:,}. Use fewer "
            "validators, sites or links: each is listed in it."
        )
    return boot_script
