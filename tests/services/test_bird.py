"""BIRD's own checker accepts every router, and the routers say what the plan decided."""

from __future__ import annotations

from pathlib import Path

from diversite.plan import Plan
from services import bird
from tests.services.venues import run, small, written


def test_bird_accepts_every_router(venue: Plan, tmp_path: Path) -> None:
    """`bird -p` finds no fault in any gateway's configuration."""
    for _, service in written(venue, tmp_path, "gateway"):
        run("bird", "-p", "-c", next(iter(service.files)))


def test_every_link_is_routed_and_watched() -> None:
    """Each link of a site has OSPF with the planned cost, and BFD with the planned timers."""
    venue = small()
    for site in venue.sites:
        text = bird.config(venue, venue.gateway(site))
        for link, here, _ in venue.links_at(site):
            assert text.count(f'interface "{here.interface}"') == 2
            assert f"cost {link.cost};" in text
        assert text.count(f"interval {venue.detection.bfd_interval_ms} ms;") == len(venue.links_at(site))


def test_a_routers_own_words_come_from_its_site() -> None:
    """What a gateway sends itself carries its site's address, which the other sites' firewalls know."""
    venue = small()
    host = venue.gateway("nbg")
    assert f"krt_prefsrc = {host.address};" in bird.config(venue, host)
