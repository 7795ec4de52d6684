"""Every rule as a function: the examples and cases that the pack is tried on.

The pack in its own process is tried elsewhere; here a rule costs a microsecond, so that its mutants can be tried. What
lies at the edge of each rule is in `rules/`.
"""

from __future__ import annotations

from typing import Any

import pytest

from policies import reference
from policies.enforcing import ADVICE
from policies.rule import Blocker, ResourceRule, Rule, StackRule
from policies.rules import RULES
from tests.policies import asked
from tests.policies.asked import ALL
from tests.policies.pack import CHECKOUT
from tests.policies.venues import CASES, Case

SINGLE = [rule for rule in RULES if isinstance(rule, ResourceRule)]
STACK = {rule.name: rule for rule in RULES if isinstance(rule, StackRule)}


def causes(rule: ResourceRule[Any], kind: str) -> dict[str, list[str]]:
    """What a rule says of each of its examples."""
    asked_of = (item for item in asked.examples(rule.name, kind) if rule.applies(item) or kind == "failing")
    return {item.name: list(rule.check(item, rule.settings())) for item in asked_of}


def blockers(rule: StackRule[Any], number: int) -> list[Blocker]:
    """What a rule says of a case, with the settings of that case."""
    given = ALL[number].settings.get(rule.subject if rule.mandatory else ADVICE, {})
    known = rule.settings.model_json_schema(by_alias=True).get("properties", {})
    settings = rule.settings.model_validate({key: value for key, value in given.items() if key in known})
    return list(rule.check(asked.venue_of(number), settings))


@pytest.mark.parametrize("rule", SINGLE, ids=lambda rule: rule.name)
def test_a_failing_resource_fails(rule: ResourceRule[Any]) -> None:
    """Each failing example breaks its rule, and says how."""
    assert [name for name, said in causes(rule, "failing").items() if not said] == []


@pytest.mark.parametrize("rule", SINGLE, ids=lambda rule: rule.name)
def test_a_passing_resource_passes(rule: ResourceRule[Any]) -> None:
    """No passing example breaks its rule."""
    assert {name: said for name, said in causes(rule, "passing").items() if said} == {}


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda it: f"{CASES[it].rule}: {CASES[it].says}")
def test_a_wrong_stack_breaks_its_rule(number: int) -> None:
    """Each case is said by its rule."""
    case: Case = CASES[number]
    said = [blocker.cause for blocker in blockers(STACK[case.rule], number)]
    assert any(case.says in cause for cause in said), said


@pytest.mark.parametrize("rule", STACK.values(), ids=lambda rule: rule.name)
def test_a_right_stack_breaks_no_rule(rule: StackRule[Any]) -> None:
    """No mandatory rule objects to a venue that is declared as planned."""
    right = range(len(CASES), len(ALL))
    assert [blockers(rule, number) for number in right if rule.mandatory] == [[]] * (len(right) * rule.mandatory)


def test_every_bound_is_the_one_that_the_page_tells() -> None:
    """docs/policies.md is what the rules say of themselves: a default that changes must change there, too."""
    assert reference.page() == (CHECKOUT / "docs/policies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_setting_can_loosen_a_rule(rule: Rule[Any]) -> None:
    """Every figure that a policy may be told has its default as its bound."""
    known = rule.settings.model_json_schema()["properties"] if rule.settings.model_fields else {}
    figures = {name: told for name, told in known.items() if told["type"] != "array"}
    loose = [
        name for name, told in figures.items() if told["default"] not in (told.get("maximum"), told.get("minimum"))
    ]
    assert loose == []
