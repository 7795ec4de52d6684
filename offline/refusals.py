"""What the runner will not do, each with its name, the reason and what to do instead.

Half a feature in something that stands in for the engine would be worse than none: a program that is previewed here is
applied by the engine there, and the two must mean the same.
"""

from __future__ import annotations

from typing import Final

from diversite.errors import OfflineError

_INSTEAD: Final = "run it with the Pulumi CLI, or leave it out"

REASONS: Final[dict[str, str]] = {
    "import": "the option import_ adopts something that exists, which needs the real provider",
    "read": "reading an existing resource (get, read) needs the real provider",
    "exists": "asking whether a resource exists needs the real provider",
    "transform": "a transform rewrites other resources' options after they were written",
    "hook": "a resource hook runs code around a step",
    "state migration": "a state migration rewrites recorded state",
    "remote component": "a remote component is built by another process, which would declare its resources unseen",
    "call": "a method call runs in a provider",
    "package": "a parameterized package needs its plugin",
    "replace_with": "the option replace_with ties replacements together",
    "replacement_trigger": "the option replacement_trigger ties a replacement to a value",
    "environment mapping": "the option env_var_mappings changes a plugin's environment",
    "target": "taking some resources and not others leaves a state that no program describes",
    "asset": "a file or archive as a property is kept by content hash, which this state does not compute",
}


def refusal(name: str, subject: str) -> OfflineError:
    """The error that refuses `name` (a key of REASONS) for `subject`, a resource or a token."""
    return OfflineError(f"{subject}: {name} is refused by the offline runner: {REASONS[name]}; {_INSTEAD}.")
