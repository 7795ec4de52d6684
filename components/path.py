"""A private path between two regions: what carries the tunnels of a managed kind of link.

Each cloud makes its own end; here the two are introduced to each other, because clouds never import each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.component import Component
from components.contract import Attaches, Attachment, AttachmentArgs, Foundation, Sibling
from diversite.errors import PlanError
from diversite.plan import Plan
from diversite.underlay import Region, Underlay

SECRET_LENGTH = 40
"""AWS takes 8 to 64 of letters, digits, dots and underscores, and no zero at the beginning; Google takes them too."""


@dataclass(frozen=True, kw_only=True)
class PathArgs:
    """A path to make."""

    plan: Plan
    """The venue, decided."""
    underlay: Underlay
    """Which of its paths."""
    siblings: Mapping[str, Sibling]
    """Who makes an end, by provider."""
    foundations: Mapping[str, Foundation]
    """The ground of each provider."""


class Path(Component):
    """Both ends of a path, which know each other."""

    def __init__(self, name: str, args: PathArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.name = name
        secrets = [self._secret(f"{name}-{position}") for position, _ in enumerate(args.underlay.tunnels)]
        ends = {region: self._end(args, region, secrets) for region in _google_first(args.underlay)}
        first, second = ends.values()
        second.join(first.offer)
        first.join(second.offer)
        self.orders = {region.name: dict(end.order) for region, end in ends.items() if end.order}
        self.register_outputs({"kind": args.underlay.kind, "carrier": args.underlay.carrier})

    def _end(self, args: PathArgs, region: Region, secrets: list[pulumi.Output[str]]) -> Attachment:
        package = args.siblings[region.provider]
        if not isinstance(package, Attaches) or args.underlay.kind not in package.Attachment.kinds:
            raise PlanError(
                f"link {args.underlay.links[0]}: {region.provider} makes no end of kind {args.underlay.kind}; "
                "choose another kind for it (`wireguard` joins any two sites)."
            )
        made = AttachmentArgs(
            plan=args.plan,
            underlay=args.underlay,
            region=region,
            foundation=args.foundations[region.provider],
            secrets=secrets,
        )
        return package.Attachment(f"{args.underlay.name}-{region.name}", made, self.child())

    def _secret(self, name: str) -> pulumi.Output[str]:
        import pulumi_random as random  # noqa: PLC0415  # only venues with managed tunnels have secrets

        password = random.RandomPassword(name, length=SECRET_LENGTH, special=False, opts=self.child())
        return password.result.apply(lambda text: f"v{text}")


def _google_first(underlay: Underlay) -> tuple[Region, Region]:
    """Google's addresses exist before any tunnel, AWS's only after it; between two of one cloud the order is free."""
    return (underlay.b, underlay.a) if underlay.b.provider == "gcp" else (underlay.a, underlay.b)
