"""Every fact has a source that is registered, dated and not expired, and the register lists nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not among the dependencies

from diversite.catalog import catalog

ROOT = files("diversite.catalog")
FILES = sorted(
    f"{folder}{item.name}"
    for folder in ("", "places/", "measurements/")
    for item in ROOT.joinpath(folder).iterdir()
    if item.name.endswith(".yaml") and item.name != "sources.yaml"
)
every_file = pytest.mark.parametrize("name", FILES)
every_source = pytest.mark.parametrize("source", catalog().sources.values(), ids=lambda source: source.id)


def content(name: str) -> dict[str, Any]:
    """A file of the catalogue as plain data."""
    parsed: dict[str, Any] = yaml.safe_load(ROOT.joinpath(name).read_text("utf-8"))
    return parsed


def cited(node: object) -> Iterator[str]:
    """The ids of all sources that a part of a file cites."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key == "source":
            yield value
        elif key == "sources":
            yield from value
        else:
            yield from cited(value)


@every_file
def test_a_file_cites_registered_sources(name: str) -> None:
    """No file is without a source, and no source without an entry in the register."""
    assert set(cited(content(name)))
    assert set(cited(content(name))) <= set(catalog().sources)


@every_file
def test_a_file_has_not_expired(name: str) -> None:
    """No source of a file is older than its class of fact allows; old latency is marked where it is used instead."""
    kind = content(name)["class"]
    assert kind in catalog().maximum_age_days
    if kind != "latency":
        oldest = max(set(cited(content(name))), key=catalog().age_days)
        assert catalog().age_days(oldest) <= catalog().maximum_age_days[kind], oldest


@every_source
def test_a_source_is_cited(source: Any) -> None:
    """A source that nothing cites is a leftover."""
    assert any(source.id in cited(content(name)) for name in FILES)


@every_source
def test_a_source_is_dated_before_the_review(source: Any) -> None:
    """Nothing was read after the day on which the catalogue was last gone through."""
    assert date.fromisoformat(source.date) <= catalog().reviewed
    assert source.what
    assert source.where
    assert source.licence


def test_what_was_read_nowhere_carries_a_caution() -> None:
    """General knowledge is a source by name only, and says that it must be checked."""
    assert catalog().sources["general-knowledge"].caution


def test_latency_has_fresh_evidence_between_aws_regions() -> None:
    """At least one source of latency is within its maximum age, so old is a mark and not the rule everywhere."""
    assert not catalog().is_old("cloudping-p50-1y-2025-05-29")
    assert catalog().is_old("wonderproxy-2020-07")


def test_a_table_is_small_enough_to_review() -> None:
    """The whole catalogue stays below 300 kB."""
    assert sum(len(ROOT.joinpath(name).read_bytes()) for name in [*FILES, "sources.yaml"]) < 300_000
