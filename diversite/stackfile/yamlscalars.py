"""What an unquoted word of YAML is: by YAML 1.2, and only where YAML 1.1 readers agree.

`no`, `010`, `1_000` and `12:30` are something else to each of the two, so `ambiguity_of` tells what to write instead.
Dates are dates, as in YAML 1.1: a stack file has them where nothing else would do.
"""

from __future__ import annotations

import datetime
import json
import re

TEXT_LENGTH_MAX = 1_000
SHOWN_LENGTH_MAX = 80

Scalar = str | int | float | bool | datetime.date | None
Data = Scalar | tuple["Data", ...] | dict[str, "Data"]


def scalar_of(text: str) -> Scalar:
    """The value of an unquoted word."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > TEXT_LENGTH_MAX:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return _date_of(text) if _DATE.fullmatch(text) else text


def ambiguity_of(text: str) -> str | None:
    """What is wrong with an unquoted word that YAML's readers take differently; None where they agree."""
    if _OLD_BOOLEAN.fullmatch(text):
        return f'without quotes is true or false to some YAML readers and a text to others; write "{text}" in quotes'
    if len(text) <= TEXT_LENGTH_MAX and _OLD_NUMBER.fullmatch(text):
        return "is one number to some YAML readers and another to others; write it in decimal, or in quotes for a text"
    return None


def shown(data: Data) -> str:
    """A value for a person, in one short line."""
    if isinstance(data, dict | tuple):
        kind = "map" if isinstance(data, dict) else "list"
        return f"a {kind} of {len(data)}" if data else f"an empty {kind}"
    text = str(data) if isinstance(data, datetime.date) else json.dumps(data, ensure_ascii=False)
    return cut(text)


def cut(text: str) -> str:
    """The beginning of a text that is too long to show."""
    return text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "…"


_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OLD_BOOLEAN = re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF")
_OLD_NUMBER = re.compile(
    r"[-+]?(?:"
    r"0[0-9_]+"  # octal in 1.1, decimal in 1.2
    r"|0[xob][0-9a-fA-F_]+"
    r"|[0-9]+_[0-9_]*(?:\.[0-9_]*)?"
    r"|[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"  # base 60 in 1.1
    r")"
)


def _date_of(text: str) -> datetime.date | str:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return text
