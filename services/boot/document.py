"""User data: the files of a host, its users, and what cloud-init begins."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from diversite.errors import PlanError
from diversite.plan import Host, Plan
from services import node_exporter, sysctl, wireguard
from services.boot import firewall, places, units, variables
from services.facts import Facts
from services.service import Paths, PathsOf, Service
from services.writing import render, verbatim

ETC = "/etc/diversite"
DATA = "/var/lib/diversite"
HEADER = "#cloud-config\n"
OPERATOR = "operations"


def paths(_host: Host) -> PathsOf:
    """Where the services of a cloud's host keep things: `/etc/diversite/<service>`, `/var/lib/diversite/<service>`."""
    return _paths


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

    `services`: those of `services_of` with `paths(host)`; none for a host that waits for others' keys. `endpoints`: the
    public IPv4 address of each site's gateway by site, for a gateway. `operator_keys`: OpenSSH public keys, where the
    provider has no access of its own (Hetzner). The same bytes for the same arguments, no secret among them.
    `PlanError` where the host cannot be booted: a release without a build for its processor, a tunnel without an end.
    """
    all_services = (*services, node_exporter.service(host))
    files = {
        f"{ETC}/host": variables.variables(plan, host, all_services),
        f"{ETC}/settings": _settings(plan, host),
        f"{ETC}/firewall.nft": firewall.ruleset(plan, host, endpoints, operators=bool(operator_keys)),
        **_tunnels(plan, host, known, endpoints),
        **{path: text for service in services for path, text in service.files.items()},
        **units.units(plan, host, all_services, {each.name: _paths(each.name).data for each in all_services}),
        **_system(host),
    }
    settings = {
        "hostname": host.name,
        "users": _users(operator_keys),
        "disable_root": True,
        "ssh_pwauth": False,
        "runcmd": [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", "--no-block", *units.begun(host)]],
    }
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in settings.items()]
    return "".join([HEADER, *lines, "write_files:\n", *_written(files, "0644"), *_written(units.scripts(host), "0755")])


def compressed(text: str, bytes_max: int) -> str:
    """`text` gzipped, as base64, the same for the same text; `PlanError` where more than `bytes_max` bytes remain.

    AWS allows 16,384 bytes before base64 (pass it as `user_data_base64`); Hetzner 32,768 characters of text, so
    24,576 before base64; Google takes 262,144 bytes of plain text.
    """
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    if len(packed) > bytes_max:
        name = text.partition('hostname: "')[2].partition('"')[0] or "a host"
        raise PlanError(
            f"{name}: its boot script has {len(packed):,} bytes compressed, its provider allows {bytes_max:,}. Each "
            "validator of the venue takes about 90 of them: plan fewer, or put this host with a provider that allows "
            "more (Google 262,144 uncompressed)."
        )
    return base64.b64encode(packed).decode()


def startup_script() -> str:
    """Google's metadata key `startup-script`, beside the boot script in `user-data`.

    Google's own Debian images have no cloud-init; this brings it at the first boot and does nothing on one that has it.
    """
    return verbatim("boot/startup")


def _paths(service: str) -> Paths:
    return Paths(etc=f"{ETC}/{service}", data=f"{DATA}/{service}", cloud=True)


def _settings(plan: Plan, host: Host) -> str:
    """A line for each group of kernel settings that hold or fail together."""
    groups = sysctl.together(plan, host)
    return "".join(" ".join(f"{name}={value}" for name, value in group.items()) + "\n" for group in groups)


def _tunnels(plan: Plan, host: Host, known: Facts | None, endpoints: Mapping[str, str]) -> Mapping[str, str]:
    if host.role != "gateway" or known is None:
        return {}
    where = _paths(wireguard.NAME)
    found = wireguard.configs(plan, host.site, known, endpoints, where)
    return {f"{where.etc}/{interface}.conf": text for interface, text in found.items()}


def _system(host: Host) -> Mapping[str, str]:
    """What of the distribution's own is set."""
    clock = places.CLOCKS[host.provider]
    resolver = {
        "/etc/systemd/resolved.conf.d/diversite.conf": f"[Resolve]\nDNS={' '.join(places.HETZNER_NAMESERVERS)}\n"
    }
    no_cluster = {"/etc/postgresql-common/createcluster.conf": "create_main_cluster = false\n"}  # Patroni makes its own
    return {
        **(no_cluster if host.role == "store" else {}),
        "/etc/chrony/chrony.conf": render("boot/chrony.conf.j2", clock=clock),
        "/etc/apt/apt.conf.d/90-diversite": verbatim("boot/upgrades"),
        "/etc/needrestart/conf.d/diversite.conf": "$nrconf{restart} = 'l';\n",
        "/etc/ssh/sshd_config.d/10-diversite.conf": verbatim("boot/sshd"),
        "/etc/systemd/journald.conf.d/diversite.conf": "[Journal]\nStorage=persistent\nSystemMaxUse=1G\n",
        **(resolver if host.provider == "hetzner" and host.role != "gateway" else {}),
    }


def _users(operator_keys: Sequence[str]) -> list[Mapping[str, Any]]:
    operator: dict[str, Any] = {
        "name": OPERATOR,
        "gecos": "Who operates the venue",
        "groups": "adm,systemd-journal",
        "shell": "/bin/bash",
        "lock_passwd": True,
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
    }
    program = {
        "name": "diversite",
        "gecos": "What the venue runs",
        "system": True,
        "no_create_home": True,
        "homedir": DATA,
        "shell": "/usr/sbin/nologin",
        "lock_passwd": True,
    }
    return [operator | ({"ssh_authorized_keys": list(operator_keys)} if operator_keys else {}), program]


def _written(files: Mapping[str, str], permissions: str) -> Iterator[str]:
    """Entries of `write_files` as YAML, texts as they are, for people who read them; JSON's scalars are YAML's."""
    for path, text in files.items():
        yield f'  - path: {json.dumps(path)}\n    permissions: "{permissions}"\n    content: {_content(text)}'


def _content(text: str) -> str:
    plain = text.endswith("\n") and not text.endswith("\n\n") and not text.startswith((" ", "\t", "\n"))
    if not plain or not text.replace("\n", "").replace("\t", "").isprintable():
        return json.dumps(text) + "\n"
    return "|\n" + "".join(f"      {line}" if line != "\n" else line for line in text.splitlines(keepends=True))
