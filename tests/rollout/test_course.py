"""A rollout under way: one site at a time, waited for, stopped at the first trouble, and gone on with later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from diversite import quorum, stackfile
from diversite.errors import RolloutError
from diversite.plan import Plan, plan
from diversite.rollout import steps
from rollout.course import Course, Operation
from rollout.monitors import Monitors
from tests.rollout.chain import Chain

STACKS = Path(__file__).parents[2] / "stacks"


@pytest.fixture(scope="module")
def europe() -> Plan:
    """The flagship, planned."""
    return plan(stackfile.load(STACKS / "europe.yaml"))


class Recorder:
    """Hands that note what they take; a site that was taken does not differ any more."""

    def __init__(self, planned: Plan, chain: Chain, differs: Collection[str] = ()) -> None:
        self.plan = planned
        self.chain = chain
        self.differs = set(differs or planned.sites)
        self.elsewhere: dict[str, Operation] = {}
        self.breaks: set[str] = set()
        """Sites whose validators do not sign again."""
        self.fails: set[str] = set()
        """Sites whose `up` fails."""
        self.taken: list[str] = []

    def foresee(self, site: str) -> Mapping[str, Operation]:
        """Validators and engines of the site, if it differs."""
        hosts = [host.name for host in self.plan.at_site(site) if host.role in ("validator", "engine")]
        return {**dict.fromkeys(hosts if site in self.differs else [], "stop"), **self.elsewhere}

    def take(self, site: str) -> None:
        """Note it."""
        if site in self.fails:
            raise RolloutError("`pulumi up` ended 255: no capacity")
        self.taken.append(site)
        self.differs.discard(site)
        if site in self.breaks:
            self.chain.silence(*(host.name for host in self.plan.at_site(site, "validator")))


def course(planned: Plan, hands: Recorder, told: list[str] | None = None, **options: object) -> Course:
    """A rollout with recorded hands over the hands' chain."""
    chain = hands.chain
    monitors = Monitors(chain.names, ("http://m",), chain.fetch, chain.clock.now, chain.clock.pause)
    tell = (told if told is not None else []).append
    return Course(plan=planned, hands=hands, monitors=monitors, tell=tell, **options)  # type: ignore[arg-type]


def chain_of(planned: Plan, **options: object) -> Chain:
    """A chain of all validators of a plan."""
    return Chain([host.name for host in planned.of_role("validator")], **options)  # type: ignore[arg-type]


def test_every_site_is_taken_in_the_order_of_the_steps(europe: Plan) -> None:
    """Without trouble each site is taken once, and told when it signs again."""
    hands, told = Recorder(europe, chain_of(europe)), list[str]()
    assert list(course(europe, hands, told).run()) == hands.taken == [step.site for step in steps(europe)]
    assert sum("signs again" in line for line in told) == 7


def test_a_site_that_does_not_differ_is_passed_over(europe: Plan) -> None:
    """What is done already is not done again, and not waited for."""
    hands = Recorder(europe, chain_of(europe), differs={"nbg", "lon"})
    assert set(course(europe, hands).run()) == {"nbg", "lon"}


def test_it_stops_at_the_first_site_that_does_not_sign_again(europe: Plan) -> None:
    """No second site is taken while one does not sign; the message says where it stands and how to go on."""
    hands = Recorder(europe, chain_of(europe))
    first, second, *_ = (step.site for step in steps(europe))
    hands.breaks = {second}
    with pytest.raises(RolloutError) as stopped:
        course(europe, hands).run()
    assert hands.taken == [first, second]
    assert f"stopped at {second}: validator-{second} signed nothing" in str(stopped.value)
    assert f"Taken in this run: {first}; not yet: {second}" in str(stopped.value)
    assert "the same command goes on" in str(stopped.value)


def test_the_same_command_goes_on(europe: Plan) -> None:
    """After the trouble is mended, a second run takes what is left and nothing else."""
    hands = Recorder(europe, chain_of(europe))
    fourth = [step.site for step in steps(europe)][3]
    hands.fails = {fourth}
    with pytest.raises(RolloutError, match="no capacity"):
        course(europe, hands).run()
    before = list(hands.taken)
    hands.fails.clear()
    left = course(europe, hands).run()
    assert left[0] == fourth
    assert sorted([*before, *left]) == sorted(europe.sites)


def test_no_site_is_taken_while_a_third_would_be_out(europe: Plan) -> None:
    """With two validators silent, a step that would make it three is refused before anything is done."""
    hands = Recorder(europe, chain_of(europe, silent={"validator-par", "validator-dub"}))
    with pytest.raises(RolloutError, match=r"bring that back first \(validator-par, validator-dub signs nothing\)"):
        course(europe, hands, sites=["nbg"]).run()
    assert hands.taken == []


def test_never_is_a_third_out_at_once(europe: Plan) -> None:
    """Whatever breaks on the way, the power that is out together stays below a third."""
    for broken in europe.sites:
        hands = Recorder(europe, chain_of(europe))
        hands.breaks = {broken}
        with pytest.raises(RolloutError):
            course(europe, hands).run()
        out = sum(europe.hosts[name].voting_power for name in hands.chain.silent)
        assert not quorum.is_lost(out, sum(europe.power_by_site.values()))


def test_a_halted_venue_is_not_rolled_out_by_accident(europe: Plan) -> None:
    """Where nobody signs, a rollout is refused unless the halt is known."""
    hands = Recorder(europe, chain_of(europe, blocks_per_second=0))
    with pytest.raises(RolloutError, match=r"no validator signs.*say --halted"):
        course(europe, hands).run()
    assert hands.taken == []


def test_a_venue_at_its_halt_height_is_taken_as_a_whole(europe: Plan) -> None:
    """Known to be halted, every site is taken without waiting for one another; all sign at the end."""
    chain = chain_of(europe, blocks_per_second=0)
    hands = Recorder(europe, chain)
    taking = hands.take

    def take(site: str) -> None:
        taking(site)
        chain.blocks_per_second = 2.0 if not hands.differs else 0.0

    hands.take = take  # type: ignore[method-assign]
    assert len(course(europe, hands, halted=True).run()) == 7


def test_a_venue_that_signs_is_not_taken_as_halted(europe: Plan) -> None:
    """--halted by mistake would stop every site at once: who signs is asked first."""
    hands = Recorder(europe, chain_of(europe))
    with pytest.raises(RolloutError, match="europe is not halted: validator-dub, "):
        course(europe, hands, halted=True).run()
    assert hands.taken == []


def test_a_halt_height_must_lie_ahead(europe: Plan) -> None:
    """A halt that some sites would get too late is no halt: it stops with what to do."""
    hands = Recorder(europe, chain_of(europe))
    with pytest.raises(RolloutError, match=r"the halt was to be at 110\. Choose a height that every site can have"):
        course(europe, hands, at_height=110).run()
    assert 0 < len(hands.taken) < 7


def test_what_would_stop_hosts_elsewhere_is_refused(europe: Plan) -> None:
    """A change of a machine's type is no rollout's: `up` would make that host anew with whichever site is taken."""
    hands = Recorder(europe, chain_of(europe))
    hands.elsewhere = {"validator-par": "stop"}
    with pytest.raises(RolloutError, match=r"would also stop validator-par, which stand elsewhere than"):
        course(europe, hands, sites=["nbg"]).run()
    assert hands.taken == []


def test_small_changes_elsewhere_stop_nothing(europe: Plan) -> None:
    """A tag that changes on another site's host holds nothing up."""
    hands = Recorder(europe, chain_of(europe))
    hands.elsewhere = {"validator-par": "change"}
    assert course(europe, hands, sites=["nbg"]).run() == ("nbg",)


def test_a_validator_that_joins_is_not_waited_for(europe: Plan) -> None:
    """Its power is not counted until the chain counts it: neither as signing nor as lost."""
    hands = Recorder(europe, chain_of(europe))
    hands.chain.powerless, hands.chain.units = {"validator-par"}, len(hands.chain.names) - 1
    hands.breaks = {"par"}
    told: list[str] = []
    assert set(course(europe, hands, told).run()) == set(europe.sites)
    assert told[0] == "validator-par has no voting power yet, and is not waited for"


def test_a_monitor_that_has_not_seen_everybody_yet_is_asked_again(europe: Plan) -> None:
    """One that began a moment ago knows no signature of a validator that signs: what it tells does not add up."""
    hands = Recorder(europe, chain_of(europe))
    hands.chain.powerless, hands.chain.units = {"validator-par", "validator-dub"}, len(hands.chain.names) - 1
    hands.chain.clock.at(10, lambda: hands.chain.powerless.discard("validator-dub"))
    hands.breaks = {"par"}
    told: list[str] = []
    assert set(course(europe, hands, told).run()) == set(europe.sites)
    assert told[0] == "validator-par has no voting power yet, and is not waited for"


def test_a_validator_that_is_merely_down_keeps_its_power(europe: Plan) -> None:
    """The monitors have forgotten its signature, and the chain counts it: it is waited for, in vain."""
    hands = Recorder(europe, chain_of(europe, silent=["validator-par"]))
    hands.chain.powerless = {"validator-par"}
    hands.breaks = {"par"}
    with pytest.raises(RolloutError, match="validator-par signed nothing"):
        course(europe, hands).run()


def test_a_validator_that_left_with_its_power_is_told(europe: Plan) -> None:
    """The chain counts more than the stack file has: it would be down for ever."""
    hands = Recorder(europe, chain_of(europe))
    hands.chain.units += 1
    with pytest.raises(RolloutError, match="the chain counts 8 units of voting power, the stack file 7"):
        course(europe, hands).run()
    assert hands.taken == []
