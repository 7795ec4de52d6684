"""Tags and labels."""

from __future__ import annotations

import pytest

from policies import tokens
from policies.declared import UNKNOWN, Resource
from policies.rules import tagging


@pytest.mark.parametrize(
    ("type_", "path"), [(tokens.AWS_INSTANCE, "tags"), (tokens.LAB_HOST, "tags"), (tokens.GCP_INSTANCE, "labels")]
)
def test_tags_that_nobody_knows_yet_are_told_by_their_name(type_: str, path: str) -> None:
    """AWS and the lab call them tags, the others labels."""
    declared = Resource(urn="r", name="r", type=type_, inputs={path: UNKNOWN})
    said = list(tagging.tagged.check(declared, tagging.tagged.settings()))
    assert said == [f"{path} are not known before the deployment; they must be declared"]
