"""What the judge finds, told to people and blamed on resources."""

from __future__ import annotations

import pytest

from diversite.domains import Domain
from diversite.judge import Failure, Finding, Verdict
from policies.rule import Blocker
from policies.rules.judging import judged
from policies.venue import Venue
from tests.policies import asked

PARIS = Domain("site", "aws/eu-west-3/euw3-az1")
CARRIER = Domain("carrier", "transit-a")


def verdict(*failures: Failure, id_: str = "survive[0]", count: int = 0) -> Venue:
    """The right venue, of which the judge says something else."""
    venue = asked.without(asked.right())
    found = Finding(id=id_, path=(), wish="the wish", failures=failures, failure_count=count or len(failures))
    vars(venue)["verdict"] = Verdict(findings=(found,), coefficients={})
    return venue


def told(*failures: Failure, count: int = 0) -> list[str]:
    """What is told of failures."""
    return [blocker.cause for blocker in judged(verdict(*failures, count=count), "survive")]


def failure(*lost: Domain, down: tuple[str, ...] = (), unknown: tuple[str, ...] = ()) -> Failure:
    """A failure with a cause."""
    return Failure(lost=lost, down=down, cause="power", says="it halts", unknown=unknown)


@pytest.mark.parametrize(
    ("told_of", "says"),
    [
        (failure(), "it halts"),
        (failure(PARIS), f"{PARIS}: it halts"),
        (failure(PARIS, CARRIER), f"{PARIS}, carrier:transit-a: it halts"),
        (failure(PARIS, down=("a", "b")), f"{PARIS} while a, b is down: it halts"),
        (failure(PARIS, unknown=("x",)), f"{PARIS}: it halts (not known: x)"),
        (failure(unknown=("x", "y", "z")), "it halts (not known: x; y)"),
    ],
)
def test_a_failure_is_told_with_what_is_lost_down_and_unknown(told_of: Failure, says: str) -> None:
    """What there is not is not told; of what is not known two reasons are enough."""
    assert told(told_of) == [f"the wish, but {says}"]


@pytest.mark.parametrize(("count", "more"), [(2, ""), (3, "; and 1 more"), (9, "; and 7 more")])
def test_failures_that_are_not_listed_are_counted(count: int, more: str) -> None:
    """The judge lists the worst only."""
    assert told(failure(PARIS), failure(), count=count) == [f"the wish, but {PARIS}: it halts; it halts{more}"]


@pytest.mark.parametrize(
    ("id_", "found"),
    [("survive", True), ("survive[1]", True), ("survive.a", True), ("survives", False), ("a.survive", False)],
)
def test_a_finding_is_found_by_its_id_or_what_it_is_part_of(id_: str, found: bool) -> None:
    """`survive` finds each objective, and nothing that only begins with the same letters."""
    assert bool(list(judged(verdict(failure(), id_=id_), "survive"))) is found


def test_a_failure_blames_the_hosts_and_links_that_are_lost() -> None:
    """A site's loss is blamed on its hosts, a carrier's on its links, and neither on the rest."""
    venue = verdict(failure(PARIS), failure(CARRIER))
    [blocker] = judged(venue, "survive")
    names = sorted(venue.resources[urn].name for urn in blocker.urns)
    assert names == ["dub-ldn", "engine-par", "entry-par", "gateway-par", "par-nbg", "validator-par"]


def test_a_failure_that_loses_nothing_blames_nothing() -> None:
    """With everything up no resource is at fault."""
    assert list(judged(verdict(failure()), "survive")) == [Blocker(cause="the wish, but it halts")]


def test_what_cannot_be_judged_is_not_found() -> None:
    """Without a plan there is no verdict."""
    venue = asked.without(asked.right())
    vars(venue)["verdict"] = None
    assert list(judged(venue, "survive")) == []
