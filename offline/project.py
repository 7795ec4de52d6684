"""The project file and a stack's configuration, read as the engine reads them.

Owns where things are: the program, the state file (`<project>/.state/<stack>.json`), the plugins that come with the
project (`plugins.providers` in Pulumi.yaml) and the interpreter (`runtime.options.virtualenv`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from diversite.errors import OfflineError
from offline.passphrase import Crypter
from offline.values import Secret

_STACK_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
PROJECT_FILE: Final = "Pulumi.yaml"


@dataclass(frozen=True, kw_only=True)
class StackConfiguration:
    """What the program is told: every value as text, as the engine sends it."""

    values: Mapping[str, str]
    secret_keys: frozenset[str]
    salt: str = ""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project on disk."""

    name: str
    directory: Path
    program: Path
    stacks: Path
    """Where Pulumi.<stack>.yaml files are."""
    python: Path
    plugins: Mapping[str, Path] = field(default_factory=dict)
    """Package to the executable of its provider; only these can be applied by `up`."""
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, directory: Path | str) -> Project:
        """The project in a directory.

        Raises:
            OfflineError: no project file, or one that does not describe a Python project.
        """
        root = Path(directory).resolve()
        document = _read(root / PROJECT_FILE)
        options = _runtime_options(document, root)
        return cls(
            name=str(document["name"]),
            directory=root,
            program=root / str(document.get("main", ".")),
            stacks=root / str(document.get("stackConfigDir", ".")),
            python=_python(root, options),
            plugins=_plugins(root, document),
            defaults=document.get("config") or {},
        )

    def state_file(self, stack: str) -> Path:
        """Where the state of a stack is kept."""
        return self.directory / ".state" / f"{_checked(stack)}.json"

    def lock_file(self, stack: str) -> Path:
        """What a run on a stack holds."""
        return self.directory / ".state" / f"{_checked(stack)}.lock"

    def configuration(self, stack: str, overrides: Mapping[str, Any] | None = None) -> StackConfiguration:
        """The stack's values: the project's defaults, then its file, then the caller's."""
        path = self.stacks / f"Pulumi.{_checked(stack)}.yaml"
        document = _read(path) if path.exists() else {}
        salt = str(document.get("encryptionsalt") or "")
        crypter = Crypter(stack, salt)
        merged = {
            **_defaults(self.defaults, self.name),
            **_qualified(document.get("config") or {}, self.name),
            **_qualified(overrides or {}, self.name),
        }
        opened = {key: _open(value, crypter) for key, value in merged.items()}
        return StackConfiguration(
            values={key: _text(value.value if isinstance(value, Secret) else value) for key, value in opened.items()},
            secret_keys=frozenset(key for key, value in opened.items() if isinstance(value, Secret)),
            salt=salt,
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OfflineError(f"{path} is not there; name a directory that holds a {PROJECT_FILE}.") from error
    except YAMLError as error:
        raise OfflineError(f"{path} is not YAML: {error}") from error
    if document is not None and not isinstance(document, dict):
        raise OfflineError(f"{path} holds a {type(document).__name__}; a mapping is expected.")
    return document or {}


def _runtime_options(document: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
    runtime = document.get("runtime")
    name = runtime.get("name") if isinstance(runtime, dict) else runtime
    if "name" not in document or name != "python":
        raise OfflineError(f"{root / PROJECT_FILE}: a name and the runtime python are needed; runtime is {name!r}.")
    return (runtime.get("options") or {}) if isinstance(runtime, dict) else {}


def _python(root: Path, options: Mapping[str, Any]) -> Path:
    if "virtualenv" not in options:
        return Path(sys.executable)
    python = root / str(options["virtualenv"]) / "bin" / "python"
    return python if python.exists() else Path(sys.executable)


def _plugins(root: Path, document: Mapping[str, Any]) -> dict[str, Path]:
    providers = (document.get("plugins") or {}).get("providers") or []
    return {item["name"]: root / item["path"] / f"pulumi-resource-{item['name']}" for item in providers}


def _checked(stack: str) -> str:
    if not _STACK_NAME.fullmatch(stack):
        raise OfflineError(f"{stack!r} is no stack name; allowed are 1 to 100 of letters, digits, '_', '-' and '.'.")
    return stack


def _qualified(values: Mapping[str, Any], project: str) -> dict[str, Any]:
    return {key if ":" in key else f"{project}:{key}": value for key, value in values.items()}


def _defaults(values: Mapping[str, Any], project: str) -> dict[str, Any]:
    found = {}
    for key, value in _qualified(values, project).items():
        typed = isinstance(value, dict)
        given = value.get("value", value.get("default")) if typed else value
        if given is not None:
            found[key] = Secret(given) if typed and value.get("secret") else given
    return found


def _open(value: Any, crypter: Crypter) -> Any:
    if isinstance(value, dict) and set(value) == {"secure"}:
        return Secret(crypter.decrypt(value["secure"]))
    if isinstance(value, dict | list):
        opened = _open_inside(value, crypter)
        return Secret(_without(opened)) if opened != value else value
    return value


def _open_inside(value: Any, crypter: Crypter) -> Any:
    if isinstance(value, dict):
        return {key: _open(item, crypter) for key, item in value.items()}
    return [_open(item, crypter) for item in value] if isinstance(value, list) else value


def _without(value: Any) -> Any:
    if isinstance(value, Secret):
        return _without(value.value)
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items()}
    return [_without(item) for item in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))
