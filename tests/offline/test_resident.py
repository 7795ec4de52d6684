"""A policy pack in the process that asks, against the same pack in a process of its own, over the wire."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import offline
from diversite.errors import OfflineError
from offline import UNKNOWN, PolicyFinding, Resource, Secret
from offline.checkpoint import ResourceState
from offline.goals import Goal
from offline.policies import PolicyPack
from offline.processes import Nursery
from offline.resident import ResidentPack
from tests.components import recorded

ROOT = Path(__file__).parents[2]
POLICIES = """
from pulumi_policy import EnforcementLevel, ResourceValidationPolicy, Severity, StackValidationPolicy

def shows(args, report):
    report(f"{args.name}: {args.props.get('number')!r} {dict(args.props.get('map', {}))!r} {args.get_config()}")
    report(f"{args.opts.parent} {args.opts.protect} {args.opts.delete_before_replace} {list(args.opts.ignore_changes)}")
    report(f"{args.opts.custom_timeouts.create_seconds} {args.provider and args.provider.props['region']}", "urn:other")
    report("")

def touches(args, report):
    report("before")
    args.props["unknown"]

def passes(args, report):
    args.not_applicable("not this")

async def later(args, report):
    report("later")

def whole(args, report):
    for item in args.resources:
        uses = {key: [it.name for it in found] for key, found in item.property_dependencies.items()}
        report(f"{item.name} in {item.parent and item.parent.name}, {[it.name for it in item.dependencies]}, {uses}")

def policy(make, name, validate, **other):
    return make(name, f"It {name}.", validate, **other)

NAME, LEVEL = "sample", EnforcementLevel.MANDATORY
POLICIES = [
    policy(ResourceValidationPolicy, "shows", [shows, later], severity=Severity.HIGH),
    policy(StackValidationPolicy, "whole", whole, enforcement_level=EnforcementLevel.ADVISORY),
    policy(ResourceValidationPolicy, "touches", touches),
    policy(ResourceValidationPolicy, "passes", passes),
    policy(ResourceValidationPolicy, "sleeps", shows, enforcement_level=EnforcementLevel.DISABLED),
    policy(ResourceValidationPolicy, "mends", later, enforcement_level=EnforcementLevel.REMEDIATE),
]
"""
SERVED = "from pulumi_policy import PolicyPack\nfrom pack import *\nPolicyPack(NAME, POLICIES, enforcement_level=LEVEL)"

FORKED = """
import offline.apart
def refused(*_):
    raise AssertionError("the preview was not forked")
offline.apart._start = refused
"""
THREADED = """
import threading
import offline.alone
imported = offline.alone._resident
def imported_with_thread(order):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return imported(order)
def forked(*_):
    raise AssertionError("a process with threads was forked")
offline.alone._resident = imported_with_thread
offline.alone.Forked = forked
"""

Shown = tuple[ResourceState, Goal | None, ResourceState | None]


def test_sample_pack(tmp_path: Path) -> None:
    """What a policy sees and says is the same with the wire and without it."""
    sample = _sample(tmp_path, POLICIES)
    provider = ResourceState(
        urn="urn:pulumi:s::p::p::r", type="pulumi:providers:toy", custom=True, inputs={"region": 1}
    )
    inputs = {"number": 3, "map": {"a": 0.5}, "unknown": UNKNOWN, "secret": Secret("x")}
    first = _state("first", inputs=inputs, outputs={"number": 4}, custom_timeouts={"create": 2.0}, protect=True)
    second = _state("second", inputs={"unknown": 1}, parent=first.urn, dependencies=[first.urn, "urn:gone"])
    second.property_dependencies = {"unknown": [first.urn]}
    goal = Goal(type=first.type, name="first", custom=True, delete_before_replace=False)
    _compare(sample, [(first, goal, provider), (second, None, None)])


def test_own_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's pack says the same of a lab and of clouds, whole and with what it wants left out or unknown."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"diversite:topology": "europe"}))
    found = []
    for package in ("lab", "aws", "gcp", "hcloud"):
        states = [_state_of(item) for item in recorded.declared(package)]
        found += _compare(ROOT / "policies", [(state, None, None) for each in states for state in _worse(each)])
    assert {item.enforcement for item in found} == {"advisory", "mandatory"}


def test_policy_that_fails(tmp_path: Path) -> None:
    """A policy that raises ends the run, and is named."""
    sample = _sample(tmp_path, POLICIES.replace('args.not_applicable("not this")', "1 / 0"))
    with pytest.raises(OfflineError, match="passes: division by zero"):
        _resident(sample).analyze(_state("first", inputs={"unknown": 1}), None, None)


def test_pack_that_cannot_be_imported(tmp_path: Path) -> None:
    """A pack with an error is told of, with the error."""
    with pytest.raises(OfflineError, match="cannot be imported as a policy pack: ZeroDivisionError"):
        _resident(_sample(tmp_path, "1 / 0"))


def test_preview_forks() -> None:
    """A preview that is forked, with the pack in it, is that of a process started anew, with the pack over the wire."""
    assert _started().resources
    assert _preview_of_lab(FORKED) == _started()


def test_preview_with_threads_forks_no_more() -> None:
    """Where what the forked preview imports begins a thread, its children are started, and the preview is the same."""
    assert _preview_of_lab(FORKED + THREADED) == _started()


@cache
def _started() -> offline.Preview:
    return _preview_of_lab("offline.forks.possible = lambda: False")


def _preview_of_lab(first: str) -> offline.Preview:
    """In a process of its own, as one that has threads cannot fork; how long it took is left out."""
    code = f"""
import pickle, sys
import offline, offline.forks
{first}
found = offline.preview(offline.Project.load({str(ROOT)!r}), "lab", policies={str(ROOT / "policies")!r})
sys.stdout.buffer.write(pickle.dumps(found))
"""
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    preview: offline.Preview = pickle.loads(told)  # noqa: S301 - from our own child
    return replace(preview, seconds=0.0)


def _compare(directory: Path, shown: list[Shown]) -> list[PolicyFinding]:
    with _wired(directory) as wired:
        resident = _resident(directory)
        assert resident.policies == wired.policies
        expected = [wired.analyze(*item) for item in shown]
        assert [resident.analyze(*item) for item in shown] == expected
        of_stack = wired.analyze_stack(shown)
        assert resident.analyze_stack(shown) == of_stack
    return [*(item for found in expected for item in found), *of_stack]


@contextmanager
def _wired(directory: Path) -> Iterator[PolicyPack]:
    nursery = Nursery(ROOT, dict(os.environ), lambda _line: None)
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(directory)]
    try:
        yield PolicyPack(nursery.start("the pack", command, tells_port=True))
    finally:
        nursery.close()


def _resident(directory: Path) -> ResidentPack:
    """Imported anew: a pack remembers what it was shown."""
    for name in [name for name in sys.modules if name == f"{directory.name}.pack"]:
        del sys.modules[name]
    return ResidentPack.load(directory)


def _sample(directory: Path, text: str) -> Path:
    sample = directory / f"sample_{directory.name}"
    sample.mkdir()
    for name, content in (("__init__.py", ""), ("pack.py", text), ("__main__.py", SERVED)):
        (sample / name).write_text(content)
    (sample / "PulumiPolicy.yaml").write_text("runtime: python\n")
    return sample


def _state(name: str, **given: Any) -> ResourceState:
    return ResourceState(urn=f"urn:pulumi:s::p::toy:index:Thing::{name}", type="toy:index:Thing", custom=True, **given)


def _state_of(resource: Resource) -> ResourceState:
    kept = {item.name for item in fields(ResourceState)} & {item.name for item in fields(Resource)}
    listed = {key: getattr(resource, key) for key in kept}
    lists = {key: list(value) for key, value in listed.items() if isinstance(value, tuple)}
    return ResourceState(**{**listed, **lists, "property_dependencies": dict(resource.property_dependencies)})


def _worse(state: ResourceState) -> Iterator[ResourceState]:
    yield state
    yield replace(state, urn=f"{state.urn}-unknown", inputs=dict.fromkeys(state.inputs, UNKNOWN))
    yield replace(state, urn=f"{state.urn}-bare", inputs={}, outputs={})
