"""systemd's part: one unit for each service, within limits, once the host is ready; and what makes it ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diversite.plan import Host, Plan
from services import membership
from services.boot import places
from services.service import Service
from services.writing import render, verbatim

UNITS = "/etc/systemd/system"
SCRIPTS = "/usr/local/lib/diversite"
STEPS = ("settings", "network", "packages", "access", "disk", "release", "keys", "member", "homes")
"""The scripts, in the order of a boot; each host has those that it needs."""
ROUTES = "diversite-network"
MAY_FAIL = frozenset({"settings", "access"})
"""Without these a host still does its work: what the kernel refuses is told to the monitors."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a service may use and do."""

    memory: str = "85%"
    oom_score: int = 0
    capabilities: str = ""
    families: str = "AF_UNIX AF_INET AF_INET6"
    writes_of: str = ""
    """Another service of the host whose directory it writes too."""
    metadata_denied: bool = False
    """Whether the provider's metadata service, which tells credentials and names, is out of its reach."""


LIMITS: Mapping[str, Limits] = {
    "alertmanager": Limits(memory="20%"),
    "bird": Limits(
        memory="50%",
        oom_score=-900,
        capabilities="CAP_NET_ADMIN CAP_NET_RAW",
        families="AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET",
        metadata_denied=True,
    ),
    "blackbox": Limits(memory="20%", capabilities="CAP_NET_RAW"),
    "cometbft": Limits(oom_score=-500, metadata_denied=True),
    "engine": Limits(oom_score=-500, metadata_denied=True),
    "etcd": Limits(memory="20%", oom_score=-900, metadata_denied=True),
    "haproxy": Limits(metadata_denied=True),
    "nats": Limits(oom_score=-500, metadata_denied=True),
    "node-exporter": Limits(memory="10%", oom_score=500, families="AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
    "passive": Limits(oom_score=-500, metadata_denied=True),
    "patroni": Limits(memory="70%", oom_score=-500, writes_of="pgbackrest", metadata_denied=True),
    "pgbackrest": Limits(memory="20%", metadata_denied=True),
    "keeper": Limits(memory="20%", writes_of="pgbackrest", metadata_denied=True),
    "prometheus": Limits(memory="60%"),
    "store-proxy": Limits(memory="20%", oom_score=-500, metadata_denied=True),
}


def unit_name(service: Service) -> str:
    """The name of a service's unit."""
    return f"diversite-{service.name}.service"


def units(plan: Plan, host: Host, services: Sequence[Service], data: Mapping[str, str]) -> Mapping[str, str]:
    """Every unit file of a host by its path; `data` is where each service keeps what it knows, by its name."""
    links = plan.links_at(host.site) if host.role == "gateway" else ()
    tunnels = [f"diversite-tunnel@{here.interface}.service" for _, here, _ in links]
    venue = plan.venue
    files = {
        "diversite-firewall.service": verbatim("boot/firewall.service"),
        **(_routes() if _needs(host, "network") else {}),
        "diversite-prepare.service": render("boot/prepare.j2", venue=venue, host=host, steps=_steps(host)),
        "diversite.target": render(
            "boot/diversite.target.j2", venue=venue, host=host, units=[*map(unit_name, services), *tunnels]
        ),
        **({"diversite-tunnel@.service": verbatim("boot/tunnel.service")} if tunnels else {}),
        **{unit_name(each): service_unit(plan, host, each, data[each.name]) for each in services},
    }
    return {f"{UNITS}/{name}": text for name, text in files.items()}


def service_unit(plan: Plan, host: Host, service: Service, data: str) -> str:
    """The unit of one service."""
    limits = LIMITS.get(service.name, Limits())
    more = [f"{data.rpartition('/')[0]}/{limits.writes_of}"] if limits.writes_of else []
    return render(
        "boot/unit.j2",
        venue=plan.venue,
        host=host,
        service=service,
        data=data,
        command=" ".join(_word(word) for word in service.command),
        limits=limits,
        writable=" ".join([data, *more]),
    )


def scripts(host: Host) -> Mapping[str, str]:
    """The scripts of a host's boot by their path, without their comments: AWS allows no more than 16 KiB."""
    return {f"{SCRIPTS}/{name}": _uncommented(verbatim(f"boot/{name}")) for name in STEPS if _needs(host, name)}


def begun(host: Host) -> tuple[str, ...]:
    """What is enabled at the first boot, so that every boot begins it; the services follow once the host is ready."""
    timer = (f"{ROUTES}.timer",) if _needs(host, "network") else ()
    return ("diversite-firewall.service", *timer, "diversite-prepare.service")


def _needs(host: Host, step: str) -> bool:
    match step:
        case "network":
            return host.role == "gateway" or host.provider == "hetzner"
        case "release":
            return host.role in places.RELEASED
        case "keys":
            return host.role in ("gateway", "validator")
        case "member":
            return host.role in membership.ROLES
    return True


def _uncommented(script: str) -> str:
    first, *rest = script.splitlines(keepends=True)
    return first + "".join(line for line in rest if not line.lstrip().startswith("#"))


def _routes() -> Mapping[str, str]:
    return {
        name: verbatim(f"boot/{name.removeprefix('diversite-')}") for name in (f"{ROUTES}.service", f"{ROUTES}.timer")
    }


def _steps(host: Host) -> list[str]:
    steps = []
    for name in (step for step in STEPS if _needs(host, step)):
        steps.append(f"{'-' if name in MAY_FAIL else ''}{SCRIPTS}/{name}")
        if name == "settings" and host.provider == "hetzner" and host.role != "gateway":
            steps.append("-/usr/bin/systemctl try-restart systemd-resolved.service")
        if name == "packages":
            steps.append("/usr/sbin/nft --file /etc/diversite/firewall.nft")
    return steps


def _word(text: str) -> str:
    """A word of a command as systemd reads it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if escaped != text or " " in text or not text else text
