"""amtool accepts the notifiers, and they find each other."""

from __future__ import annotations

from pathlib import Path

from diversite.plan import Plan
from services import Paths, alertmanager
from tests.services.venues import run, small, written

PATHS = Paths(etc="/etc/alertmanager", data="/var/lib/alertmanager")


def test_amtool_accepts_every_notifier(venue: Plan, tmp_path: Path) -> None:
    """`amtool check-config` finds no fault."""
    for _, service in written(venue, tmp_path, "monitor"):
        if service.name == alertmanager.NAME:
            run("amtool", "check-config", *service.files)


def test_amtool_accepts_receivers_with_webhooks(tmp_path: Path) -> None:
    """Where the venue names receivers, the configuration with them is valid too."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager.config({"operators": "https://example.org/a", "watchdog": "https://example.org/b"}))
    run("amtool", "check-config", str(path))


def test_the_watchdog_has_a_route_of_its_own(tmp_path: Path) -> None:
    """The alert that always fires goes to the dead man's switch and wakes nobody."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager.config())
    route = ("amtool", "config", "routes", "test", f"--config.file={path}")
    assert run(*route, "alertname=Watchdog").startswith("watchdog\n")
    assert run(*route, "alertname=SiteLost", "site=par").startswith("operators\n")


def test_every_notifier_knows_all_others() -> None:
    """The cluster is complete from each member's point of view."""
    venue = small()
    monitors = venue.of_role("monitor")
    for monitor in monitors:
        command = alertmanager.service(venue, monitor, PATHS).command
        named = {part.partition("=")[2] for part in command if part.startswith("--cluster.peer=")}
        assert named == {f"{other.address}:9094" for other in monitors if other != monitor}
