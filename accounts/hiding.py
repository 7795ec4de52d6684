"""What a provider says, fit to be shown: one short line without anything that looks like a credential."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "(hidden)"
SHOWN_LENGTH_MAX = 300
_SECRET_LENGTH_MIN = 8
_KEY_LIKE = re.compile(
    r"(?<![\w/+=.:-])(?=[\w/+=.-]*\d)(?=[\w/+=.-]*[a-z])(?=[\w/+=.-]*[A-Z])[\w/+=.-]{32,}"
    r"|\b(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{32,}\b"
)
"""A word as long as a key, of small and capital letters and digits, or without any separator. What follows a colon, as
a name in an ARN does, is a name."""
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b")
_BEARER = re.compile(r"(?i)\b(bearer|token|secret|password)([\s:=]+)['\"]?[\w/+=.-]{8,}")


def fit_to_show(text: str, secrets: Iterable[str] = ()) -> str:
    """The first line of a text, shortened, with secrets and whatever looks like one hidden."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= _SECRET_LENGTH_MIN:
            text = text.replace(secret, HIDDEN)
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = _BEARER.sub(rf"\1\2{HIDDEN}", line)
    line = _KEY_ID.sub(HIDDEN, _KEY_LIKE.sub(HIDDEN, line))
    return line if len(line) <= SHOWN_LENGTH_MAX else f"{line[:SHOWN_LENGTH_MAX]}…"
