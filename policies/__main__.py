"""The pack as the engine starts it: assembles nothing, decides nothing, and serves."""

from __future__ import annotations

import sys
from pathlib import Path

from pulumi_policy import PolicyPack

sys.path.append(str(Path(__file__).resolve().parent.parent))  # a checkout that was not installed is a pack too

from policies.pack import LEVEL, NAME, POLICIES

PolicyPack(NAME, POLICIES, enforcement_level=LEVEL)
