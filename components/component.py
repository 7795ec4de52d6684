"""What every component shares: its type token, made from its class by one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


def token(cls: type) -> str:
    """The type token of a component class: `diversite:<folder or file>:<Class>`; `diversite:lab:Host`."""
    place = cls.__module__.removeprefix("components.").split(".")[0]
    return f"diversite:{place}:{cls.__name__}"


class Component(pulumi.ComponentResource):
    """A component whose token comes from its class. Children get `self.child()` and never the caller's options.

    `told` are its registered inputs: what it says of what no resource of its can carry in tags.
    """

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, told: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(token(type(self)), name, dict(told) if told else None, opts)

    def child(self, depends_on: list[pulumi.Resource] | None = None) -> pulumi.ResourceOptions:
        """The options of a child: this parent, and what must be there before it."""
        return pulumi.ResourceOptions(parent=self, depends_on=depends_on)
