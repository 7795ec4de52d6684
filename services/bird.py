"""BIRD: OSPF and BFD on every link of a site's router."""

from __future__ import annotations

from diversite import addresses
from diversite.plan import Host, Plan
from services.service import Paths, Ready, Service
from services.writing import render

NAME = "bird"
LAN_INTERFACE = "lan0"
"""The site's own network at the router, whoever makes it."""


def service(plan: Plan, host: Host, paths: Paths) -> Service:
    """The routing daemon of a gateway. Its control socket is `<data>/bird.ctl`."""
    path = f"{paths.etc}/bird.conf"
    return Service(
        name=NAME,
        command=("bird", "-f", "-c", path, "-s", control_socket(paths), "-P", f"{paths.data}/bird.pid"),
        files={path: config(plan, host, announced=paths.cloud)},
        ready=Ready(kind="none"),
    )


def control_socket(paths: Paths) -> str:
    """Where `birdc -s` finds the daemon."""
    return f"{paths.data}/bird.ctl"


def config(plan: Plan, host: Host, *, announced: bool = False) -> str:
    """`bird.conf` of a gateway. `announced`: the site's network by its name, where no interface holds all of it.

    A cloud's interface has an address in a part of the site's network (AWS) or alone (Google, Hetzner).
    """
    return render(
        "bird.conf.j2",
        host=host,
        site=plan.sites[host.site],
        links=plan.links_at(host.site),
        detection=plan.detection,
        lan=None if announced else LAN_INTERFACE,
        site_space=addresses.SITE_SPACE,
        site_prefix=addresses.SITE_PREFIX,
    )
