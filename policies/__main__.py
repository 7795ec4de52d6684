"""The pack that the engine starts: assembles the rules, and decides nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

sys.path.append(str(Path(__file__).resolve().parent.parent))  # a checkout that was not installed is a pack too

from policies.enforcing import policies
from policies.rules import RULES

PolicyPack("diversite", policies(RULES), enforcement_level=EnforcementLevel.MANDATORY)
