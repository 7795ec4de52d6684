"""Every rule over the stack, over the analyzer protocol, on venues that the lab's components declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from policies.enforcing import ADVICE, by_policy
from policies.rule import StackRule
from policies.rules import RULES
from tests.policies.pack import STACKS, Finding, Pack
from tests.policies.venues import CASES, PASSING, Case, declared

NAMES = {rule.name: rule for rule in RULES if isinstance(rule, StackRule)}
PackFor = Callable[[str], Pack]


@pytest.fixture(scope="module")
def pack_for() -> Iterator[PackFor]:
    """A pack that was started for a topology."""
    running: dict[str, Pack] = {}

    def start(topology: str) -> Pack:
        if topology not in running:
            running[topology] = Pack(STACKS / topology)
        return running[topology]

    yield start
    for pack in running.values():
        pack.close()


def judged(pack_for: PackFor, case: Case) -> list[Finding]:
    """What the pack says of a case."""
    pack = pack_for(case.topology)
    pack.configure(case.settings)
    return pack.judge(declared(case))


def test_every_rule_has_a_case() -> None:
    """No rule over the stack is without a stack that breaks it."""
    assert {case.rule for case in CASES} == set(NAMES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.says}")
def test_a_wrong_stack_is_found(pack_for: PackFor, case: Case) -> None:
    """Its rule says what is wrong, as mandatory as the rule is, in the policy of its subject."""
    findings = [finding for finding in judged(pack_for, case) if finding.rule == case.rule]
    rule = NAMES[case.rule]
    assert any(case.says in finding.message for finding in findings), findings
    assert {finding.policy for finding in findings} == {rule.subject if rule.mandatory else ADVICE}
    assert {finding.mandatory for finding in findings} == {rule.mandatory}


@pytest.mark.parametrize("case", PASSING, ids=lambda case: case.rule)
def test_a_right_stack_passes(pack_for: PackFor, case: Case) -> None:
    """Nothing mandatory is found in a venue that is declared as planned, known or not."""
    assert [finding for finding in judged(pack_for, case) if finding.mandatory] == []


def test_advice_is_not_given_without_need(pack_for: PackFor) -> None:
    """What a venue does well is no advice: only its old measurements are told."""
    findings = judged(pack_for, PASSING[0])
    assert {finding.rule for finding in findings} == {"evidence-good"}
    assert "evidence-good" not in {
        finding.rule for finding in judged(pack_for, Case(rule="", says="", topology="careless"))
    }


def test_there_are_at_most_ten_policies_over_the_stack() -> None:
    """The SDK deserialises every resource again for each of them."""
    assert len(by_policy(RULES)) <= 10


@pytest.mark.parametrize(
    ("policy", "settings"),
    [
        ("advice", {"providerShareMax": 0.9}),
        ("size", {"hostsMax": 100_000}),
        ("entrance", {"engineSitesMin": 1}),
        ("latency", {"anything": 1}),
    ],
)
def test_configuration_cannot_loosen(pack_for: PackFor, policy: str, settings: dict[str, float]) -> None:
    """A setting beyond its bound, or one that there is not, is refused, and refused means failed."""
    findings = judged(pack_for, Case(rule="", says="", settings={policy: settings}))
    assert ["configuration is refused" in it.message for it in findings if it.policy == policy] == [True]
