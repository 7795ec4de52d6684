"""Reading a stack file: what is accepted, what a problem says, and that nothing else ever comes out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diversite import stackfile
from diversite.errors import TopologyError
from diversite.topology import Topology
from tests.support.topologies import topologies

ROOT = Path(__file__).parents[3]
GOOD = (ROOT / "tests" / "stacks" / "good" / "four.yaml").read_text(encoding="utf-8")
LINES = GOOD.splitlines(keepends=True)
PIECES = [
    *LINES,
    "\t",
    "  ",
    "- ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "|",
    "'",
    '"',
    "---\n",
    "no",
    "1_0",
    "~",
    "#",
]


def refusal_of(text: str) -> tuple[str, ...]:
    """Problems of a text that must be refused."""
    with pytest.raises(TopologyError) as refusal:
        stackfile.loads(text, "x.yaml")
    return refusal.value.problems


def is_answered(text: str) -> bool:
    """Whether a text is read as a topology or refused with problems; any other exception goes through."""
    try:
        return isinstance(stackfile.loads(text), Topology)
    except TopologyError as error:
        return bool(error.problems)


@pytest.mark.parametrize("path", sorted((ROOT / "stacks").glob("[!P]*.yaml")), ids=lambda path: path.stem)
def test_reads_every_stack_of_the_project(path: Path) -> None:
    """Each stack file of the project is good."""
    assert stackfile.load(path).sites


@given(topologies())
@settings(max_examples=60, deadline=None)
def test_written_and_read_again_is_the_same(topology: Topology) -> None:
    """What is written from a topology is read as that topology."""
    assert stackfile.loads(stackfile.dumps(topology)) == topology


@given(st.text() | st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=40).map("".join))
@example("venue: \ud800")
@example("a: &a [*a]")
@example("\x00")
@example("%YAML 3.0\n---\n")
@example("bounds: {pair_rtt_ms_max: " + "9" * 400 + "}")
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_topology_or_a_refusal(text: str) -> None:
    """Whatever is written, the reader answers with a topology or with problems, and never fails."""
    assert is_answered(text)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_file_is_a_topology_or_a_refusal(data: st.DataObject) -> None:
    """A good file with a piece cut out, doubled or replaced anywhere never makes the reader fail."""
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 60)))
    text = GOOD[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=3)) * 2 + GOOD[end:]
    assert is_answered(text)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_topology_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A file of any bytes is refused with problems."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    with pytest.raises(TopologyError):
        stackfile.load(path)


def test_a_problem_says_where_it_is() -> None:
    """A problem is one sentence, and its file, line and path can be had apart."""
    (problem,) = refusal_of(GOOD.replace("machine: ccx13", "machine: ccx31"))
    assert isinstance(problem, stackfile.Problem)
    assert (problem.file, problem.path) == ("x.yaml", "order_entry.nbg.machine")
    assert "ccx31" in LINES[problem.line - 1].replace("ccx13", "ccx31")
    assert problem.startswith(f"x.yaml:{problem.line}: order_entry.nbg.machine: ")


def test_problems_come_in_the_order_of_the_lines() -> None:
    """Problems of all kinds are told together, from the top of the file to its end."""
    problems = refusal_of((ROOT / "tests/stacks/bad/all-at-once.yaml").read_text(encoding="utf-8"))
    lines = [problem.line for problem in problems if isinstance(problem, stackfile.Problem)]
    assert len(lines) == len(problems) > 5
    assert lines == sorted(lines)


def test_only_so_many_problems_are_listed() -> None:
    """A file that is wrong everywhere gives a list that can still be read, and says that there is more."""
    problems = refusal_of("".join(f"venu{n}: 1\n" for n in range(1_000)))
    assert len(problems) == stackfile.PROBLEMS_MAX + 1
    assert "there are more" in problems[-1]


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    """What a Windows editor adds changes nothing."""
    assert stackfile.loads(GOOD.replace("\n", "\r\n")) == stackfile.loads(GOOD)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """A byte order mark is no part of the text."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert stackfile.load(path) == stackfile.loads(GOOD)


def test_aliases_repeat_what_their_anchor_names() -> None:
    """A few aliases are allowed: they mean what is written at the anchor."""
    text = GOOD.replace("machine: c7i.xlarge", "machine: &large c7i.xlarge", 1).replace(
        ", machine: c7i.xlarge", ", machine: *large"
    )
    assert stackfile.loads(text) == stackfile.loads(GOOD)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    """A file that is not there is told with the stack files that are like it, the engine's settings not among them."""
    (tmp_path / "europe.yaml").touch()
    (tmp_path / "Pulumi.europ.yaml").touch()
    with pytest.raises(TopologyError, match=r"europ\.yaml: is not there; did you mean \S*/europe\.yaml\?"):
        stackfile.load(tmp_path / "europ.yaml")
    with pytest.raises(TopologyError, match=r"has europe\.yaml"):
        stackfile.load(tmp_path / "zzz.yaml")
    with pytest.raises(TopologyError, match="no stack file"):
        stackfile.load(tmp_path / "nowhere" / "zzz.yaml")


def test_a_directory_names_its_stack_files(tmp_path: Path) -> None:
    """A directory is refused with the stack files in it."""
    (tmp_path / "europe.yaml").touch()
    with pytest.raises(TopologyError, match=r"is a directory; name one of its stack files: europe\.yaml"):
        stackfile.load(tmp_path)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe or a device is not read: nothing would end it."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(TopologyError, match="no regular file"):
            stackfile.load(path)
    with pytest.raises(TopologyError, match="cannot be read"):
        stackfile.load(tmp_path / ("x" * 300))


def test_a_stack_is_read_without_any_sdk() -> None:
    """Reading a stack file imports no Pulumi, no cloud SDK and no network library, and takes well under a second."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from diversite import stackfile\n"
        "stackfile.load(Path('stacks/europe.yaml'))\n"
        "heavy = {'pulumi', 'grpc', 'aiohttp', 'networkx', 'requests'} & set(sys.modules)\n"
        "print(time.process_time(), *heavy)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, *heavy = ended.stdout.split()
    assert not heavy
    assert float(seconds) < 1.0
