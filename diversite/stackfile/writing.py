"""A topology as the text of a stack file, for what makes topologies: a placement, a test."""

from __future__ import annotations

import yaml  # type: ignore[import-untyped]  # its stubs are a separate package, not needed for three names

from diversite.stackfile.yamlscalars import ambiguity_of, scalar_of
from diversite.topology import Topology


def dumps(topology: Topology) -> str:
    """A stack file that `loads` reads as the same topology; what is as by default is left out."""
    plain = topology.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return str(yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


class _Dumper(yaml.CSafeDumper):  # type: ignore[misc]  # no stubs
    """Quotes what any reader could take for something else: PyYAML only quotes what it would itself."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = scalar_of(text) == text and ambiguity_of(text) is None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else "'")


_Dumper.add_representer(str, _text)
