"""The pack without a server: its name, its policies, and the level of one that names none."""

from __future__ import annotations

from typing import Final

from pulumi_policy import EnforcementLevel, Policy

from policies.enforcing import policies
from policies.rules import RULES

NAME: Final = "diversite"
LEVEL: Final = EnforcementLevel.MANDATORY
POLICIES: Final[list[Policy]] = policies(RULES)
