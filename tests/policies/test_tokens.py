"""Type tokens and the rules' page are what the clouds' SDKs and the rules say."""

from __future__ import annotations

import re
import subprocess
import sys

from policies import tokens
from policies.rule import ResourceRule
from policies.rules import RULES
from tests.policies.pack import CHECKOUT

KNOWN = {value for name, value in vars(tokens).items() if name.isupper()}


def test_generated_files_are_current() -> None:
    """Tokens, taggable types and docs/policies.md are what scripts/policies would write from the installed SDKs."""
    command = [sys.executable, str(CHECKOUT / "scripts/policies"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.returncode) == ("", 0)


def test_no_rule_spells_a_token_itself() -> None:
    """Every type of a rule is a generated token, and no source of the pack holds another."""
    assert {type_ for rule in RULES if isinstance(rule, ResourceRule) for type_ in rule.types} <= KNOWN
    for path in (CHECKOUT / "policies").rglob("*.py"):
        if path.name != "tokens.py":
            assert not re.findall(r'"(?:aws|gcp|hcloud|lab):\w+[/:]', path.read_text()), path


def test_no_token_is_without_use() -> None:
    """Each generated token is spoken of somewhere in the pack."""
    sources = "".join(path.read_text() for path in (CHECKOUT / "policies").rglob("*.py"))
    assert [name for name in vars(tokens) if name.isupper() and f"tokens.{name}" not in sources] == []


def test_the_pack_imports_no_cloud() -> None:
    """The rules load without a cloud's SDK, which would cost each preview seconds."""
    code = "import sys, policies.enforcing, policies.rules; print([m for m in sys.modules if m.startswith('pulumi_')])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert {name.partition(".")[0] for name in eval(result.stdout)} == {"pulumi_policy"}  # noqa: S307  our own list


def test_names_are_unique_and_every_rule_says_what_to_do() -> None:
    """A finding names one rule, and no rule finds fault without a reason and a remedy."""
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))
    assert [rule.name for rule in RULES if not (rule.summary and rule.why and rule.remedy)] == []
