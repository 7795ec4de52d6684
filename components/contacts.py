"""Whom the clouds' own alarms tell: the stack setting `diversite:contacts`, a list of e-mail addresses.

Without it an alarm is seen in the providers' consoles only.
"""

from __future__ import annotations

import pulumi

from diversite.errors import PlanError

SETTING = "contacts"


def contacts() -> tuple[str, ...]:
    """The addresses of the stack's settings, each once; `PlanError` where they are no list of e-mail addresses."""
    told = pulumi.Config("diversite").get_object(SETTING) or []
    if isinstance(told, list) and all(isinstance(it, str) and "@" in it for it in told):
        return tuple(dict.fromkeys(told))
    raise PlanError(
        f"stack setting diversite:{SETTING}: {told!r} is no list of e-mail addresses. Write one address a line below "
        "it, in stacks/Pulumi.<stack>.yaml."
    )
