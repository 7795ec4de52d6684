"""The boot script of a cloud's machine, as its sibling declares it: the same, but for how a provider takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pulumi

from components.contract import MachineArgs
from services.boot import user_data


def boot_script(
    args: MachineArgs, packed: Callable[[str], str], operator_keys: Sequence[str] = ()
) -> pulumi.Input[str]:
    """Known at preview, but for a gateway: that tunnels to addresses which do not exist yet.

    `packed`: the text as the provider takes it; `PlanError` where it is too large. `operator_keys`: OpenSSH public
    keys, where the provider has no access of its own.
    """

    def rendered(endpoints: Mapping[str, str]) -> str:
        return packed(
            user_data(
                args.plan,
                args.host,
                args.services,
                known=args.known,
                endpoints=endpoints,
                operator_keys=operator_keys,
            )
        )

    if args.host.role != "gateway":
        return rendered({})
    return pulumi.Output.all(**args.endpoints).apply(rendered)
