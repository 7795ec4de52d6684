"""YAML text as plain data with the place of everything, in bounded time and memory.

`read` owns what YAML itself can get wrong: syntax, duplicate keys, words that two YAML readers understand differently,
tags, merge keys, several documents, and text made to exhaust the reader. It knows nothing of stack files.

libyaml's events are taken one at a time, so every limit is met while reading and nothing is built beyond it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import yaml  # type: ignore[import-untyped]  # its stubs are a separate package, not needed for four names

from diversite.stackfile.yamlscalars import TEXT_LENGTH_MAX, Data, Scalar, ambiguity_of, cut, scalar_of, shown

NODES_MAX = 50_000
DEPTH_MAX = 16
ALIASES_MAX = 200
FAULTS_MAX = 1_000

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one line; `says` is a predicate whose subject is `value`, as shown, or else the path."""

    line: int
    path: Steps
    value: str
    says: str
    column: int | None = None
    """Where it is known."""


class Mark(NamedTuple):
    """A place in a text: line and column, both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """A value with the place where it starts; `children` gives each child with the place of its key."""

    mark: Mark
    data: Data = None
    children: dict[str | int, tuple[Mark, Node]] = field(default_factory=dict)
    size: int = 1
    height: int = 0

    @property
    def line(self) -> int:
        """The line where it starts."""
        return self.mark.line

    def line_of(self, path: Steps) -> int:
        """Line of the key at `path`, or of the nearest ancestor that the text has."""
        return self.mark_of(path).line

    def mark_of(self, path: Steps) -> Mark:
        """Place of the key at `path`, or of the nearest ancestor that the text has."""
        mark, node = self.mark, self
        for step in path:
            if step not in node.children:
                break
            mark, node = node.children[step]
        return mark

    def shown_at(self, path: Steps) -> str:
        """Value at `path` for a person; empty where the text has none."""
        node = self
        for step in path:
            if step not in node.children:
                return ""
            node = node.children[step][1]
        return shown(node.data)


def read(text: str) -> tuple[Node | None, list[Fault]]:
    """The first document of `text` (None when it is empty or cannot be read on), and every fault met."""
    reader = _Reader()
    try:
        _refuse_unprintable(text)
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            reader.take(event)
    except _Stop as stop:
        reader.faults.append(stop.fault)
        return None, reader.faults
    except yaml.YAMLError as error:
        reader.faults.append(_syntax_fault(error, text, reader.path()))
        return None, reader.faults
    return reader.root, reader.faults


class _Stop(Exception):  # noqa: N818  # it ends the reading; the fault inside is what the caller sees
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.says)


_START = Mark(1, 1)
_ABSENT_KEY = object()
_SKIPPED_KEY = object()


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come; `key` is the map's key that waits for its value."""

    node: Node
    anchor: str | None
    is_map: bool
    key: object = _ABSENT_KEY
    key_mark: Mark = _START

    def step(self) -> tuple[str | int, ...]:
        if not self.is_map:
            return (len(self.node.children),)
        return (self.key,) if isinstance(self.key, str) else ()


class _Reader:
    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0
        self._aliases = 0
        self._documents = 0

    def path(self) -> Steps:
        return tuple(step for collection in self._open for step in collection.step())

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(
                event, "a second document starts here (`---`); a stack file holds one: put each in a file of its own"
            )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event, 1)
        line = _line(event)
        if len(event.value) > TEXT_LENGTH_MAX:
            says = f"has {len(event.value):,} characters; a text has at most {TEXT_LENGTH_MAX:,}"
            self._fault(line, shown(event.value), says)
        self._refuse_tag(event)
        node = Node(_mark(event), self._resolve(event, line))
        self._remember(event.anchor, node)
        self._add(node, event.value)

    def _resolve(self, event: yaml.ScalarEvent, line: int) -> Scalar:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if ambiguity := ambiguity_of(text):
            self._fault(line, cut(text), ambiguity)
            return text
        value = scalar_of(text)
        if value is None:
            self._fault(line, "", "is empty; write a value, or remove the key")
        return value

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        self._count(event, 1)
        if len(self._open) >= DEPTH_MAX:
            self._stop(event, f"is nested more than {DEPTH_MAX} deep; a stack file needs 5 at most")
        self._refuse_tag(event)
        self._remember(event.anchor, None)
        self._open.append(_Open(Node(_mark(event)), event.anchor, isinstance(event, yaml.MappingStartEvent)))

    def _end(self) -> None:
        closed = self._open.pop()
        node = closed.node
        children = [child for _, child in node.children.values()]
        if closed.is_map:
            node.data = {str(key): child.data for key, (_, child) in node.children.items()}
        else:
            node.data = tuple(child.data for child in children)
        node.size += sum(child.size for child in children)
        node.height = 1 + max((child.height for child in children), default=0)
        self._remember(closed.anchor, node)
        self._add(node, None)

    def _alias(self, event: yaml.AliasEvent) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            self._stop(
                event,
                f"`*{event.anchor}` names no anchor `&{event.anchor}` that ended before it; write the value itself",
            )
        self._aliases += 1
        if self._aliases > ALIASES_MAX:
            self._stop(event, f"makes more than {ALIASES_MAX} aliases (`*name`); write the values themselves")
        self._count(event, node.size)
        if len(self._open) + node.height > DEPTH_MAX:
            self._stop(event, f"is nested more than {DEPTH_MAX} deep through `*{event.anchor}`")
        self._add(node, str(node.data))

    def _add(self, node: Node, key_text: str | None) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if not parent.is_map:
            parent.node.children[len(parent.node.children)] = (node.mark, node)
        elif parent.key is _ABSENT_KEY:
            self._key(parent, node, key_text)
        else:
            if isinstance(parent.key, str):
                parent.node.children[parent.key] = (parent.key_mark, node)
            parent.key = _ABSENT_KEY

    def _key(self, parent: _Open, node: Node, text: str | None) -> None:
        parent.key, parent.key_mark = _SKIPPED_KEY, node.mark
        if node.data is None or text is None or isinstance(node.data, (dict, tuple, bool)):
            self._fault(
                node.line, shown(node.data), "is no key; write `name: value`, and true, false or null in quotes"
            )
        elif text == "<<":
            self._fault(node.line, "<<", "is a merge key, which YAML 1.2 does not have; write the fields themselves")
        elif text in parent.node.children:
            first = parent.node.children[text][0].line
            self._fault(node.line, "", f"is there already on line {first}; remove one of them", text)
        else:
            parent.key = text

    def _remember(self, anchor: str | None, node: Node | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        if event.tag is not None:
            self._fault(_line(event), "", f"has the tag {_short_tag(event.tag)}; remove it, and quote what is text")

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > NODES_MAX:
            self._stop(
                event,
                f"makes more than {NODES_MAX:,} values, aliases counted each time; a venue needs far fewer",
            )

    def _fault(self, line: int, value: str, says: str, *step: str) -> None:
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(Fault(line, self.path() + step, value, says))

    def _stop(self, event: yaml.Event, says: str) -> NoReturn:
        raise _Stop(Fault(_line(event), self.path(), "", says))


_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _refuse_unprintable(text: str) -> None:
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _Stop(Fault(line, (), "", f"the character U+{ord(found.group()):04X} is not allowed in YAML; remove it"))


def _syntax_fault(error: yaml.YAMLError, text: str, path: Steps) -> Fault:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    problem = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    if mark and _character_at(text, mark.line, mark.column) == "\t":
        return Fault(line, path, "", "a tab stands where YAML wants spaces; indent with spaces")
    if context and error.context_mark:
        problem += f" {context} that begins on line {error.context_mark.line + 1}"
    says = f"YAML cannot be read on from here: {problem}; mind indentation, colons and quotes"
    return Fault(line, path, "", says, column=mark.column + 1 if mark else None)


def _character_at(text: str, line: int, column: int) -> str:
    lines = text.split("\n", line + 1)
    return lines[line][column : column + 1] if line < len(lines) else ""


def _short_tag(tag: str) -> str:
    return "`" + tag.replace("tag:yaml.org,2002:", "!!")[:40] + "`"


def _line(event: yaml.Event) -> int:
    return _mark(event).line


def _mark(event: yaml.Event) -> Mark:
    return Mark(int(event.start_mark.line) + 1, int(event.start_mark.column) + 1)
