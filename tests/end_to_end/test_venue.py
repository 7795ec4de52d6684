"""A venue of four sites on this machine, by the real command line: what runs, what it answers, what it survives."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import offline
from diversite.plan import Plan
from drills.rehearsal import Phases, Rehearsal
from lab import control, world
from offline import Step
from tests.end_to_end.checkout import Checkout, counts, running
from tests.end_to_end.conftest import FOUR, LAB, READY_SECONDS_MAX
from tests.end_to_end.orders import order, place, send
from tests.services.venues import rendered

pytestmark = pytest.mark.lab


def test_every_planned_service_runs(rehearsal: Rehearsal) -> None:
    """After `up`, every host of the plan has every service of the plan, and all of them are up."""
    found = control.status(LAB).hosts
    expected = {host: {service.name for service in services} for host, services in rendered(rehearsal.plan).items()}
    assert {name: set(host.services) for name, host in found.items() if host.services} == expected
    assert all(running(host.services.values()) for host in found.values() if host.services)


def test_a_second_up_changes_nothing(venue: Checkout) -> None:
    """What is there already is left alone."""
    assert counts(venue.run("lab", "up", FOUR)) == {}


def test_status_tells_every_host_and_wire(venue: Checkout, rehearsal: Rehearsal) -> None:
    """`status` names whose lab it is, each host with its services, and that no wire is cut."""
    printed = venue.run("lab", "status", FOUR)
    assert f"{LAB} of diversite/{LAB}: running" in printed
    assert all(name in printed for name in rehearsal.plan.hosts)
    assert "cut: none" in printed
    assert "down" not in printed


def test_logs_are_findable(venue: Checkout, rehearsal: Rehearsal) -> None:
    """`logs` prints the newest lines of a service, and where its file is."""
    printed = venue.run("lab", "logs", "validator-par", "--topology", FOUR)
    path = next(word for word in printed.split() if word.endswith("current"))
    assert Path(path).stat().st_size > 0
    assert str(venue.labs) in path


def test_a_service_that_is_not_there_is_told_with_those_that_are(venue: Checkout, rehearsal: Rehearsal) -> None:
    """A wrong name ends the command with what it might have been."""
    printed = venue.run("lab", "logs", "validator-par", "comet", "--topology", FOUR, status=2)
    assert "'comet'" in printed
    assert "cometbft" in printed


def test_a_shell_is_on_the_host(venue: Checkout, rehearsal: Rehearsal) -> None:
    """A command runs with the host's addresses, and its exit status comes back."""
    printed = venue.run("lab", "shell", "engine-hel", "--topology", FOUR, "--", "ip", "-json", "address")
    found = [item["local"] for link in json.loads(printed) for item in link["addr_info"]]
    assert str(rehearsal.plan.hosts["engine-hel"].address) in found
    venue.run("lab", "shell", "engine-hel", "--topology", FOUR, "--", "sh", "-c", "exit 7", status=7)


def test_round_trips_are_those_of_the_plan(rehearsal: Rehearsal) -> None:
    """Between every two sites the lab is as far as the plan says, over the routes that it says."""
    pairs = rehearsal.round_trips()
    assert len(pairs) == 6
    assert [f"{it.a}-{it.b}: {it.observed_ms} for {it.planned_ms}" for it in pairs if not it.is_true] == []


def test_an_order_is_acknowledged_and_every_book_has_it(rehearsal: Rehearsal) -> None:
    """An order sent from the internet is in a block, and all four books are the same after it."""
    answer = place(rehearsal, "par", order("first"))
    assert (answer["status"], answer["remaining"]) == ("acknowledged", 2)
    books = rehearsal.books()
    assert len(books.hashes) == 4
    assert books.height >= answer["height"]
    assert books.are_equal


def test_a_repetition_elsewhere_gets_the_first_answer(rehearsal: Rehearsal) -> None:
    """The same key at another entrance is not executed again: it gets what became of it the first time."""
    first = send(rehearsal, "par", order("again"))
    assert send(rehearsal, "nbg", order("again")) == first
    status, answer = send(rehearsal, "nbg", order("again", quantity=3))
    assert (status, answer["code"]) == (409, "key_reused")


def test_a_site_is_lost_and_comes_back(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """While a site is away orders are acknowledged; none that was is missing or doubled, by anyone's chain."""
    phases = Phases(rate=10, calm_seconds=3, lost_seconds=6, back_seconds=3)
    found = rehearsal.survive("dub", phases, tmp_path / "orders.jsonl")
    assert found.before.are_equal
    assert found.degraded.are_equal
    assert found.after.are_equal
    assert set(found.degraded.hashes) == {"engine-par", "engine-nbg", "engine-hel"}
    assert found.went_on
    assert found.acknowledged > 0
    assert (found.safety.forks, found.safety.missing, found.safety.repeated) == ((), (), ())


def test_a_raised_limit_restarts_the_entrance_alone(venue: Checkout, rehearsal: Rehearsal) -> None:
    """An edit of one entrance's limit updates that entrance's service and nothing else."""
    before = "nbg: {site: nbg, machine: ccx13}"
    after = "nbg: {site: nbg, machine: ccx13, orders_per_second_per_client_max: 321}"
    _expect_update(venue, rehearsal.plan, before, after)


def test_a_link_of_another_preference_touches_its_ends_alone(venue: Checkout, rehearsal: Rehearsal) -> None:
    """A spare link that becomes less preferred updates its wire and the routers at its ends, no validator."""
    _expect_update(
        venue, rehearsal.plan, "transit-c, preference: 2", "transit-c, preference: 3", "par-nbg-spare-par-nbg"
    )


def test_a_venue_that_does_not_meet_its_objectives_is_not_built(venue: Checkout) -> None:
    """Every blocker is told, and nothing is declared: there is no such lab."""
    text = venue.topology_file(FOUR).read_text(encoding="utf-8")
    venue.topology_file("blind").write_text(
        text.replace("  dub: {site: dub, machine: t3.small}\n", ""), encoding="utf-8"
    )
    printed = venue.run("lab", "up", "blind", status=2)
    assert "survive[0]: the venue continues when any one site is lost: no monitor is left" in printed
    assert [lab.name for lab in control.labs()] == [LAB]


def test_what_a_reboot_took_is_told_and_made_anew(venue: Checkout, rehearsal: Rehearsal) -> None:
    """With pid 1 everything ends; `refresh` says so of each resource, and `up` brings the venue back."""
    made = [it for it in offline.state(venue.project, LAB).resources if it.custom and it.type.startswith("lab:")]
    os.kill(world.require(LAB).pid, signal.SIGKILL)
    assert world.wait_until(lambda: world.find(LAB) is None, READY_SECONDS_MAX)
    assert "not running" in venue.run("lab", "status", FOUR)
    found = offline.refresh(venue.project, LAB)
    assert set(found.gone) == {it.urn for it in made}
    assert counts(venue.run("lab", "up", FOUR)) == {"created": len(made)}


def test_after_a_reboot_the_venue_commits(rehearsal: Rehearsal) -> None:
    """What was made anew is a venue: it acknowledges."""
    assert place(rehearsal, "nbg", order("after-the-reboot"))["status"] == "acknowledged"
    assert rehearsal.books().are_equal


def _expect_update(venue: Checkout, planned: Plan, before: str, after: str, *also: str) -> None:
    """Edit the topology, and see that exactly the services with other files change, and the resources named."""
    was = _files(planned)
    venue.edit(FOUR, before, after)
    now = _files(venue.plan(FOUR))
    expected = {name for name in now if now[name] != was[name]} | set(also)
    previewed = venue.preview(FOUR)
    assert {it.step for it in previewed.resources} == {Step.SAME, Step.UPDATE}
    changed = {it.name for it in previewed.resources if it.custom and it.step is Step.UPDATE}
    assert changed == expected
    assert len(expected) <= 3
    assert counts(venue.run("lab", "up", FOUR)) == {"updated": len(expected)}


def _files(planned: Plan) -> dict[str, object]:
    return {f"{host}-{it.name}": it for host, services in rendered(planned).items() for it in services}
