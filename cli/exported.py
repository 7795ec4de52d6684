"""What an exported state says of itself before it is judged."""

from __future__ import annotations

import json

from diversite.errors import OfflineError


def stack_of(text: str) -> str:
    """The stack whose state it is.

    Raises:
        OfflineError: it is no exported state, or an empty one.
    """
    try:
        urns = [str(entry["urn"]) for entry in json.loads(text)["deployment"]["resources"]]
    except (ValueError, KeyError, TypeError) as error:
        raise OfflineError(
            "--state: that is no state; make one with `pulumi stack export`, or take .state/<stack>.json"
        ) from error
    if not urns:
        raise OfflineError("--state: the state holds no resource, so nothing tells the stack; name it: preview STACK")
    return urns[0].removeprefix("urn:pulumi:").partition("::")[0]
