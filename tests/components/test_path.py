"""A private path between two regions, made by siblings that only remember what they were told."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

import pulumi
import pytest

import offline
from components.component import Component
from components.contract import AttachmentArgs, Foundation, Sibling
from components.path import SECRET_LENGTH, Path, PathArgs
from diversite.errors import PlanError
from diversite.plan import Plan
from diversite.underlay import underlays
from offline import Recording
from tests.diversite.test_underlay import DUB, LDN, PAR, venue


class Told:
    """What the ends of one test were told, in order."""

    def __init__(self) -> None:
        self.made: list[AttachmentArgs] = []
        self.joined: list[tuple[str, str]] = []

    def sibling(self, provider: str, kinds: frozenset[str]) -> Sibling:
        """A package that can attach, and does nothing else."""
        told = self

        class Attachment(Component):
            def __init__(self, name: str, args: AttachmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
                super().__init__(name, opts)
                told.made.append(args)
                self._region = args.region.name
                self.offer = {"from": pulumi.Output.from_input(args.region.name)}
                self.order: Mapping[str, Any] = {}

            def join(self, offer: Mapping[str, pulumi.Output[str]]) -> None:
                offer["from"].apply(lambda far: told.joined.append((self._region, far)))

        Attachment.kinds = kinds  # type: ignore[attr-defined]
        package: Any = ModuleType(f"components.{provider}")
        package.Attachment = Attachment
        return cast(Sibling, package)


def built(planned: Plan, told: Told, kinds: frozenset[str]) -> Recording:
    """The plan's one path, with ends that can make some kinds."""
    (underlay,) = underlays(planned)
    providers = ("aws", "gcp")
    args = PathArgs(
        plan=planned,
        underlay=underlay,
        siblings={provider: told.sibling(provider, kinds) for provider in providers},
        foundations={provider: cast(Foundation, None) for provider in providers},
    )
    return offline.record(lambda: _ignore(Path(underlay.name, args)), answer=lambda *_: {"id": "x", "result": "s" * 40})


def _ignore(_: object) -> None: ...


VPN = {"v": {"kind": "vpn", "ends": ("par", "ldn")}}


def test_google_is_asked_first() -> None:
    """Google's addresses exist before any tunnel, AWS's only after it: AWS joins Google, and then Google joins AWS."""
    told = Told()
    built(venue({"par": PAR, "ldn": LDN}, VPN), told, frozenset({"vpn"}))
    assert [it.region.name for it in told.made] == ["europe-west2", "eu-west-3"]
    assert told.joined == [("eu-west-3", "europe-west2"), ("europe-west2", "eu-west-3")]


def test_every_tunnel_has_a_secret_of_its_own() -> None:
    """Four secrets for four tunnels, random, and the same four at both ends; no path of another kind has any."""
    told = Told()
    found = built(venue({"par": PAR, "ldn": LDN}, VPN), told, frozenset({"vpn"}))
    passwords = found.of_type("random:index/randomPassword:RandomPassword")
    assert [it.name for it in passwords] == [f"vpn-eu-west-3-europe-west2-{number}" for number in range(4)]
    assert {(it.inputs["length"], it.inputs["special"]) for it in passwords} == {(SECRET_LENGTH, False)}
    assert 8 <= SECRET_LENGTH + 1 <= 64
    assert told.made[0].secrets is told.made[1].secrets
    other = Told()
    built(
        venue({"par": PAR, "dub": DUB}, {"b": {"kind": "backbone", "ends": ("par", "dub")}}),
        other,
        frozenset({"backbone"}),
    )
    assert [list(it.secrets) for it in other.made] == [[], []]


def test_ends_are_below_the_path() -> None:
    """Each end is named by the path and its region, and nothing hangs loose."""
    found = built(venue({"par": PAR, "ldn": LDN}, VPN), Told(), frozenset({"vpn"}))
    (path,) = found.of_type("diversite:path:Path")
    assert path.outputs == {"kind": "vpn", "carrier": "own"}
    assert {it.name for it in found.children(path)} == {
        "vpn-eu-west-3-europe-west2-europe-west2",
        "vpn-eu-west-3-europe-west2-eu-west-3",
        *(f"vpn-eu-west-3-europe-west2-{number}" for number in range(4)),
    }


def test_a_kind_that_nobody_makes_is_refused() -> None:
    """Which link, whose end, and what to take instead."""
    with pytest.raises(PlanError, match=r"link v-par-ldn: gcp makes no end of kind vpn; .*`wireguard`"):
        built(venue({"par": PAR, "ldn": LDN}, VPN), Told(), frozenset({"backbone"}))
