"""Imports point one way: what each part of the project may import is listed here, once."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class May:
    """What a part may import beside itself and the standard library."""

    parts: frozenset[str]
    """Of this project."""
    packages: frozenset[str]
    """Of others."""


def _may(parts: str = "", packages: str = "") -> May:
    return May(parts=frozenset(parts.split()), packages=frozenset(packages.split()))


ALLOWED = {
    "diversite": _may("", "pydantic pydantic_core yaml ruamel sortedcontainers networkx cryptography"),
    "services": _may("diversite", "jinja2 yaml"),
    "components": _may("diversite services", "pulumi pulumi_aws pulumi_gcp pulumi_hcloud pulumi_random"),
    "policies": _may("diversite", "pulumi pulumi_policy pydantic yaml"),
    "offline": _may("diversite", "pulumi pulumi_policy grpc google cryptography ruamel"),
    "accounts": _may("diversite policies", "boto3 botocore google hcloud requests"),
    "lab": _may("diversite", "pulumi grpc pydantic cryptography"),
    "workloads": _may(
        "diversite",
        "aiohttp cryptography google grpc grpc_tools prometheus_client pydantic sortedcontainers"
        " etcd3gw nats psycopg requests",
    ),
    "drills": _may("diversite services offline lab workloads", "aiohttp cryptography matplotlib rich yaml"),
    "rollout": _may("diversite offline"),
    "cli": _may("diversite services policies offline lab workloads drills accounts rollout", "rich typer yaml ruamel"),
}
"""Only `cli` and `drills` see the rest; the program alone runs `components`."""
PURE = ("diversite", "services")
IMPURE = frozenset(
    [
        "asyncio",
        "http",
        "multiprocessing",
        "os",
        "random",
        "secrets",
        "selectors",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    ]
)
"""What reaches the network, the clock, chance or other processes. Files that come with the package may be read."""
CLOCKS = frozenset({"now", "today", "utcnow"})
CLOUDS = {"aws": "pulumi_aws", "gcp": "pulumi_gcp", "hcloud": "pulumi_hcloud", "lab": None}
"""The siblings and the SDK of each."""

every_part = pytest.mark.parametrize("part", ALLOWED)
pure_part = pytest.mark.parametrize("part", PURE)


def test_every_package_has_its_line() -> None:
    """A new part of the project says here what it may see."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= set(ALLOWED)


@every_part
def test_imports_point_one_way(part: str) -> None:
    """A part imports the parts below it, and no other."""
    allowed = ALLOWED[part].parts | {part}
    assert [f"{it} imports {name}" for it, name in _imports(part) if _top(name) in set(ALLOWED) - allowed] == []


@every_part
def test_packages_of_others_are_named(part: str) -> None:
    """What a part needs of others is a decision, and stands in the list."""
    known = ALLOWED[part].packages | set(ALLOWED) | sys.stdlib_module_names
    assert [f"{it} imports {name}" for it, name in _imports(part) if _top(name) not in known] == []


@pure_part
def test_the_pure_parts_do_no_io(part: str) -> None:
    """What a venue is and what a failure does to it needs no network, no clock, no chance and no process."""
    assert [f"{it} imports {name}" for it, name in _imports(part) if _top(name) in IMPURE] == []


@pure_part
def test_the_pure_parts_ask_for_no_date(part: str) -> None:
    """The day that facts are judged at is given, never asked for."""
    assert [f"{path}:{node.lineno}" for path in _files(part) for node in _calls(path) if _asks_for_the_time(node)] == []


def test_siblings_do_not_know_each_other() -> None:
    """A cloud imports no other cloud and no other's SDK: each is left out where it is not used."""
    wrong = []
    for path, name in _imports("components"):
        home = path.parts[1] if path.parts[1] in CLOUDS else None
        others = {cloud: sdk for cloud, sdk in CLOUDS.items() if cloud != home}
        folder = name.split(".")[1] if name.startswith("components.") else ""
        if folder in others or _top(name) in {sdk for sdk in others.values() if sdk}:
            wrong.append(f"{path} imports {name}")
    assert wrong == []


def test_the_lab_knows_no_topologies() -> None:
    """The provider makes hosts, wires and services for whoever asks: of `diversite` it knows how a failure is told."""
    assert {name for _, name in _imports("lab") if _top(name) == "diversite"} == {"diversite.errors"}


def test_the_architecture_page_walks_every_package() -> None:
    """Whoever adds a package says where a run meets it."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = [path.parent for part in ALLOWED for path in sorted((ROOT / part).rglob("__init__.py"))]
    of_code = [path for path in packages if len(list(path.glob("*.py"))) > 1 and path.name != "abci"]
    assert [str(path.relative_to(ROOT)) for path in of_code if f"{path.name}/" not in page] == []


def test_no_part_imports_the_tests() -> None:
    """What is shipped does without what tries it."""
    assert [str(path) for part in ALLOWED for path, name in _imports(part) if _top(name) == "tests"] == []


def _top(name: str) -> str:
    return name.partition(".")[0]


def _files(part: str) -> list[Path]:
    # What is compiled from the proto file imports as the compiler likes.
    return [path.relative_to(ROOT) for path in sorted((ROOT / part).rglob("*.py")) if path.parent.name != "abci"]


def _imports(part: str) -> list[tuple[Path, str]]:
    return [(path, name) for path in _files(part) for name in _imported(path)]


@cache
def _imported(path: Path) -> tuple[str, ...]:
    return tuple(name for node in ast.walk(_tree(path)) for name in _names(node))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if node.module in ALLOWED:  # `from diversite import ports`: which module is meant is said by the name
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield "." * node.level + (node.module or "")


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call))


def _asks_for_the_time(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in CLOCKS


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))
