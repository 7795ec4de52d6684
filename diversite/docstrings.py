"""The texts below the fields of a model, as their descriptions.

pydantic reads them itself where it is told to, for every model that is imported. Only a schema needs them, and reading
them takes longer than judging; so they are read when a schema is asked for.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path

from pydantic import BaseModel


@cache
def describe(*models: type[BaseModel]) -> None:
    """Give every field of these models the docstring below it; those of one file stand together."""
    for path, group in groupby(models, inspect.getfile):
        told = {definition.name: dict(_docstrings(definition)) for definition in _classes(Path(path))}
        for model in group:
            for name, text in told[model.__name__].items():
                model.model_fields[name].description = text
    for model in models:
        model.model_rebuild(force=True)


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return (definition for definition in body if isinstance(definition, ast.ClassDef))


def _docstrings(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The fields of a class that a text follows, with that text."""
    for field, below in pairwise(definition.body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(told))):
                yield name, inspect.cleandoc(told)
