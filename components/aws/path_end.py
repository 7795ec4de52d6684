"""What AWS's ends of private paths have in common, whatever their kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pulumi

from components.aws.foundation import Ground
from components.aws.transit import Transit, Way
from components.component import Component
from components.contract import AttachmentArgs
from diversite.errors import PlanError
from diversite.underlay import Region, Underlay


class PathEnd(Protocol):
    """One end of a path."""

    offer: Mapping[str, pulumi.Output[str]]

    def join(self, offer: Mapping[str, pulumi.Output[str]]) -> Mapping[str, Any]:
        """Make what needs the other end's offer; what a person is to know of it comes back."""
        ...


@dataclass(frozen=True)
class PathEndArgs:
    """An end to make."""

    name: str
    """The attachment's."""
    component: Component
    """The attachment, below which everything is made."""
    grounds: Mapping[Region, Ground]
    """AWS's regions."""
    args: AttachmentArgs
    """What the attachment was asked for."""

    @property
    def path(self) -> Underlay:
        """The path."""
        return self.args.underlay

    @property
    def region(self) -> Region:
        """This end."""
        return self.args.region

    @property
    def far(self) -> Region:
        """The other end."""
        return self.path.far(self.region)

    @property
    def ground(self) -> Ground:
        """The region of this end."""
        return self.grounds[self.region]

    @cached_property
    def transit(self) -> Transit:
        """The transit gateway of this end."""
        return transit_of(self.ground)

    @property
    def tags(self) -> dict[str, str]:
        """What every taggable resource of the path carries."""
        path = {"path": self.path.name, "kind": self.path.kind, "carrier": self.path.carrier}
        return {"venue": self.args.plan.venue, **path}

    def way(self, name: str, attachment: pulumi.Output[str], before: Sequence[pulumi.Resource] = ()) -> Way:
        """A path whose routes BGP tells."""
        return Way(name=name, attachment=attachment, opts=self.component.child(list(before)))


def transit_of(ground: Ground) -> Transit:
    """The transit gateway of a region in which a path ends."""
    if ground.transit is None:
        raise PlanError(
            f"region {ground.args.region.name}: a path ends here, and the plan has no transit gateway for it"
        )
    return ground.transit
