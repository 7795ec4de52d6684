"""Reading a stack file: a `Topology`, or a `TopologyError` with every problem of the file.

Each problem is one sentence with file, line, path, value, what is allowed and what to do. YAML's own faults come from
`yamltext`, the shape from `topology`'s classes by way of `structure`, agreement between parts from `consistency`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from diversite.catalog import catalog
from diversite.errors import TopologyError
from diversite.stackfile import consistency, structure
from diversite.stackfile.closest import listed, nearest
from diversite.stackfile.parts import Finding, Parts
from diversite.stackfile.yamlscalars import Data, cut, shown
from diversite.stackfile.yamltext import Fault, Node, Steps, read
from diversite.topology import Topology

FILE_BYTES_MAX = 1_048_576
PROBLEMS_MAX = 100


class Problem(str):
    """One sentence about one line of a file; `file`, `line` (from 1), `column` and `path` say the same in parts."""

    file: str
    line: int
    column: int | None
    path: str

    def __new__(cls, file: str, fault: Fault) -> Problem:
        """Put the sentence together."""
        path = _dotted(fault.path)
        where = f"{file}:{fault.line}: {path}: " if path else f"{file}:{fault.line}: "
        problem = super().__new__(cls, where + f"{fault.value} {fault.says}".lstrip())
        problem.file, problem.line, problem.column, problem.path = file, fault.line, fault.column, path
        return problem


def load(path: Path) -> Topology:
    """The topology of a stack file; TopologyError, with every problem, where it is not one."""
    return _topology(_text(path), str(path))


def loads(text: str, name: str = "stack file") -> Topology:
    """The topology in `text`; `name` is the file's name in the problems of a TopologyError."""
    if len(text) > FILE_BYTES_MAX:
        raise _refused(name, _too_large())
    return _topology(text, name)


def _topology(text: str, name: str) -> Topology:
    root, faults = read(text)
    if root is None and faults:
        raise _error(name, faults)
    if root is None or root.data is None:
        raise _error(name, [Fault(1, (), "", "the file is empty; stacks/europe.yaml is a whole one")])
    if not isinstance(root.data, dict):
        says = "is no stack file: that is a map with `venue:`, `sites:` and so on, as in stacks/europe.yaml"
        raise _error(name, faults or [Fault(root.line, (), shown(root.data), says)])
    topology, more = _checked(root, root.data)
    told = {fault.path for fault in faults}
    faults += [fault for fault in more if fault.path not in told or not fault.value]
    if faults or topology is None:
        raise _error(name, faults)
    return topology


def _checked(root: Node, data: Mapping[str, Data]) -> tuple[Topology | None, list[Fault]]:
    topology, shape = structure.check(data)
    parts = Parts.of(topology) if topology else structure.well_formed(data)
    findings = [*shape, *islice(consistency.findings(parts, catalog()), structure.FINDINGS_MAX)]
    return topology, [_fault(root, finding) for finding in findings]


def _fault(root: Node, finding: Finding) -> Fault:
    value = "" if finding.of_key else root.shown_at(finding.steps)
    line, column = root.mark_of(finding.steps)
    return Fault(line, finding.steps, value, finding.says, column=column)


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise _refused(str(path), _not_a_file(path))
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise _refused(str(path), _not_there(path)) from None
    except (OSError, ValueError) as error:
        raise _refused(str(path), f"cannot be read: {error}") from None
    return _decoded(str(path), content)


def _decoded(name: str, content: bytes) -> str:
    if len(content) > FILE_BYTES_MAX:
        raise _refused(name, _too_large())
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        says = f"the byte 0x{content[error.start]:02X} is not UTF-8; save the file as UTF-8"
        raise _error(name, [Fault(line, (), "", says)]) from None


def _too_large() -> str:
    return f"is larger than {FILE_BYTES_MAX:,} bytes; the largest venue needs a tenth of that"


def _not_there(path: Path) -> str:
    names = _stack_files(path.parent)
    if near := nearest(path.name, names):
        return f"is not there; did you mean {' or '.join(str(path.parent / name) for name in near)}?"
    return f"is not there; {path.parent} has {listed(names) or 'no stack file'}"


def _not_a_file(path: Path) -> str:
    if not path.is_dir():
        return "is no regular file; name a stack file"
    return f"is a directory; name one of its stack files: {listed(_stack_files(path)) or 'it has none'}"


def _stack_files(directory: Path) -> list[str]:
    """Names of the stack files of a directory; beside them are the engine's settings and the keys files."""
    found = islice(directory.glob("*.yaml"), 1_000) if directory.is_dir() else ()
    return [path.name for path in found if not path.name.startswith("Pulumi.") and not path.name.endswith(".keys.yaml")]


def _refused(name: str, says: str) -> TopologyError:
    return TopologyError((f"{name}: {says}",))


def _error(name: str, faults: list[Fault]) -> TopologyError:
    ordered = sorted(faults, key=lambda fault: fault.line)
    problems: list[str] = [Problem(name, fault) for fault in ordered[:PROBLEMS_MAX]]
    if len(ordered) > PROBLEMS_MAX:
        problems.append(f"{name}: only {PROBLEMS_MAX} problems are listed, and there are more; mend these first")
    return TopologyError(tuple(problems))


def _dotted(path: Steps) -> str:
    """`links.par-sto.ends[1]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{cut(step)}" for step in path)
    return text.removeprefix(".")
