"""YAML as plain data with lines."""

from __future__ import annotations

import datetime
import math

import pytest

from diversite.stackfile.yamlscalars import Data, ambiguity_of, scalar_of, shown
from diversite.stackfile.yamltext import DEPTH_MAX, NODES_MAX, Node, read


def read_whole(text: str) -> Node:
    """The document of a text that has no fault."""
    root, faults = read(text)
    assert root is not None
    assert not faults
    return root


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("-4", -4),
        ("4.5", 4.5),
        ("1e3", 1_000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("2026-11-22", datetime.date(2026, 11, 22)),
        ("2026-11-31", "2026-11-31"),
        ("c7i.xlarge", "c7i.xlarge"),
        ("1.2.3", "1.2.3"),
        ("y", "y"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
    ],
)
def test_unquoted_words(text: str, value: Data) -> None:
    """An unquoted word is what YAML 1.2 says, and a date where it is one."""
    assert scalar_of(text) == value
    assert ambiguity_of(text) is None


@pytest.mark.parametrize("text", ["no", "Yes", "ON", "off", "010", "0x1F", "0o17", "0b1", "1_000", "12:30", "-1:30.5"])
def test_ambiguous_words(text: str) -> None:
    """What YAML 1.1 and 1.2 read differently has to be quoted or written otherwise."""
    assert ambiguity_of(text)
    assert read(f"a: {text}")[1]
    assert not read(f"a: '{text}'")[1]


def test_not_a_number_is_read_as_such() -> None:
    """`.nan` is a number, which no bound of a stack file accepts."""
    value = scalar_of(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_lines() -> None:
    """Each value is found with the line of its key, and one that is not there with its nearest ancestor's."""
    root = read_whole("a:\n  b:\n    - x\n    - y\n  c: {d: 1,\n    e: 2}\n")
    assert [root.line_of(steps) for steps in ((), ("a", "b"), ("a", "b", 1), ("a", "c", "e"))] == [1, 2, 4, 6]
    assert root.line_of(("a", "c", "f", "g")) == 5
    assert root.data == {"a": {"b": ("x", "y"), "c": {"d": 1, "e": 2}}}


def test_a_block_text_keeps_its_lines() -> None:
    """A text over several lines is one value."""
    assert read_whole("a: |\n  one\n  two\n").data == {"a": "one\ntwo\n"}


def test_aliases_count_as_what_they_stand_for() -> None:
    """An alias is worth all the values that it repeats, so that expanding cannot exhaust anything."""
    values = ", ".join("x" * 400)
    assert read(f"[&a [{values}], *a, *a]")[1] == []
    _, (fault,) = read(f"[&a [{values}], {', '.join(['*a'] * (NODES_MAX // 400))}]")
    assert "values" in fault.says


def test_aliases_are_as_deep_as_what_they_stand_for() -> None:
    """An alias cannot nest deeper than writing it out could."""
    half = DEPTH_MAX // 2 + 1
    _, (fault,) = read(f"a: &a {'[' * half}{']' * half}\nb: {'[' * half}*a{']' * half}\n")
    assert "through `*a`" in fault.says


def test_faults_before_a_syntax_error_are_told_with_it() -> None:
    """What was read before the text became unreadable is not forgotten."""
    _, faults = read("a: 1\na: 2\nb: [\n")
    assert [fault.line for fault in faults] == [2, 4]


def test_a_skipped_key_does_not_hide_what_follows() -> None:
    """After a key that is there twice, the next key is read as usual."""
    root, faults = read("a: 1\na: {b: 2}\nc: 3\n")
    assert root is not None
    assert root.data == {"a": 1, "c": 3}
    assert [fault.path for fault in faults] == [("a",)]


@pytest.mark.parametrize(
    ("value", "text"),
    [({}, "an empty map"), ((1, 2), "a list of 2"), ("ä\n", '"ä\\n"'), (datetime.date(2026, 1, 2), "2026-01-02")],
)
def test_values_are_shown_in_one_line(value: Data, text: str) -> None:
    """A value in a problem is short, and never breaks the line."""
    assert shown(value) == text
    assert len(shown("x" * 1_000)) < 100
