"""The state of a stack in Pulumi's own format: deployment schema version 3, as `pulumi stack export` writes it.

`ResourceState` is one entry; `Deployment` the whole; `load` and `Deployment.render` go between text and objects. What
this package does not use (stack traces, views) is kept as it was read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from diversite.errors import OfflineError
from offline import urns
from offline.passphrase import MANAGER_TYPE, Crypter
from offline.values import SECRET_SIGNATURE, SIGNATURE_KEY, Properties, Secret, Value

SCHEMA_VERSION: Final = 3
Operation = Literal["creating", "updating", "deleting", "reading"]


@dataclass(kw_only=True)
class ResourceState:
    """One resource of a checkpoint. Compared and hashed by identity: two entries may share a URN."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    parent: str = ""
    provider: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    delete: bool = False
    """It was replaced and still has to be deleted."""
    pending_replacement: bool = False
    """It was deleted and still has to be made anew."""
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    external: bool = False
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    created: str = ""
    modified: str = ""
    rest: dict[str, Any] = field(default_factory=dict)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def needs(self) -> set[str]:
        """URNs that must outlive this resource: parent, provider, dependencies and what it is deleted with."""
        provider, _ = urns.split_reference(self.provider)
        direct = {self.parent, provider, self.deleted_with, *self.dependencies}
        return direct.union(*self.property_dependencies.values()) - {""}


_FIELDS: Final = {
    "urn": "urn",
    "custom": "custom",
    "delete": "delete",
    "id": "id",
    "type": "type",
    "inputs": "inputs",
    "outputs": "outputs",
    "parent": "parent",
    "protect": "protect",
    "external": "external",
    "dependencies": "dependencies",
    "initErrors": "init_errors",
    "provider": "provider",
    "propertyDependencies": "property_dependencies",
    "pendingReplacement": "pending_replacement",
    "additionalSecretOutputs": "additional_secret_outputs",
    "customTimeouts": "custom_timeouts",
    "retainOnDelete": "retain_on_delete",
    "deletedWith": "deleted_with",
    "created": "created",
    "modified": "modified",
    "ignoreChanges": "ignore_changes",
    "replaceOnChanges": "replace_on_changes",
}
_ALWAYS: Final = ("urn", "custom", "type")


@dataclass(kw_only=True)
class Deployment:
    """A stack's state: its resources in an order in which each comes after what it needs."""

    crypter: Crypter
    resources: list[ResourceState] = field(default_factory=list)
    pending: list[tuple[Operation, ResourceState]] = field(default_factory=list)

    def render(self) -> str:
        """The text of the file."""
        return assemble(
            [self.render_resource(resource) for resource in self.resources],
            [render_operation(kind, self.render_resource(resource)) for kind, resource in self.pending],
            self.crypter,
        )

    def render_resource(self, state: ResourceState) -> str:
        """The text of one entry; secrets in it are encrypted."""
        return json.dumps(_to_json(state, self.crypter), ensure_ascii=False, separators=(",", ":"))


def load(path: Path, stack: str, salt: str = "") -> Deployment:
    """The state in a file; an empty one when there is no file. `salt` is that of the stack's configuration, if any.

    Raises:
        OfflineError: not a deployment of version 3, or encrypted by another kind of secrets manager.
    """
    if not path.exists():
        return Deployment(crypter=Crypter(stack, salt))
    return parse(path.read_text(encoding="utf-8"), stack, str(path), salt)


def parse(text: str, stack: str, where: str, salt: str = "") -> Deployment:
    """As `load`, of a text; `where` is named in errors."""
    deployment = _deployment_of(text, where)
    crypter = Crypter(stack, _salt_of(deployment, where) or salt)
    return Deployment(
        crypter=crypter,
        resources=[_from_json(entry, crypter) for entry in deployment.get("resources") or []],
        pending=[
            (entry["type"], _from_json(entry["resource"], crypter))
            for entry in deployment.get("pending_operations") or []
        ],
    )


def assemble(resources: Iterable[str], operations: Iterable[str], crypter: Crypter) -> str:
    """The file's text from entries that are rendered already."""
    head: dict[str, Any] = {"manifest": _manifest()}
    if crypter.salt:
        head["secrets_providers"] = {"type": MANAGER_TYPE, "state": {"salt": crypter.salt}}
    parts = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in head.items()]
    parts.append(f'"resources":[\n{_lines(resources)}]')
    parts.append(f'"pending_operations":[\n{_lines(operations)}]')
    parts.append('"metadata":{}')
    return f'{{"version":{SCHEMA_VERSION},"deployment":{{{",".join(parts)}}}}}\n'


def render_operation(kind: Operation, resource: str) -> str:
    """The text of a pending operation on an entry that is rendered already."""
    return f'{{"resource":{resource},"type":"{kind}"}}'


def now() -> str:
    """The time as the engine writes it: UTC, RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def problems(resources: Iterable[ResourceState]) -> list[str]:
    """Why the engine would refuse this order of resources; empty when it would not."""
    seen: dict[str, ResourceState] = {}
    found: list[str] = []
    for state in resources:
        found += [f"{state.urn} comes before {urn}, which it needs" for urn in state.needs() if urn not in seen]
        if state.urn in seen and not state.delete and not seen[state.urn].delete:
            found.append(f"{state.urn} is there twice")
        seen[state.urn] = state
    return found


def _lines(entries: Iterable[str]) -> str:
    return ",\n".join(entries)


def _manifest() -> Mapping[str, str]:
    engine = f"v{version('pulumi')}"
    return {"time": now(), "magic": hashlib.sha256(engine.encode()).hexdigest(), "version": engine}


def _deployment_of(text: str, where: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise OfflineError(
            f"{where} is not JSON ({error}); it is written whole or not at all, so something else wrote it."
        ) from error
    found = document.get("version") if isinstance(document, dict) else None
    if found != SCHEMA_VERSION:
        raise OfflineError(
            f"{where} is a deployment of schema version {found}; only {SCHEMA_VERSION} is read. "
            "A newer one uses features that the offline runner refuses."
        )
    return document.get("deployment") or {}


def _salt_of(deployment: Mapping[str, Any], where: str) -> str:
    manager = deployment.get("secrets_providers") or {}
    if manager.get("type", MANAGER_TYPE) not in ("", MANAGER_TYPE):
        raise OfflineError(
            f"{where} is encrypted by the secrets manager {manager['type']!r}; only {MANAGER_TYPE!r} is read. "
            f"Change it with `pulumi stack change-secrets-provider {MANAGER_TYPE}` and export it again."
        )
    return str((manager.get("state") or {}).get("salt", ""))


def _to_json(state: ResourceState, crypter: Crypter) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for key, attribute in _FIELDS.items():
        value = getattr(state, attribute)
        if value or key in _ALWAYS:
            entry[key] = _seal(value, crypter) if key in ("inputs", "outputs") else value
    return {**entry, **state.rest}


def _from_json(entry: Mapping[str, Any], crypter: Crypter) -> ResourceState:
    known = {attribute: entry[key] for key, attribute in _FIELDS.items() if key in entry}
    for attribute in ("inputs", "outputs"):
        known[attribute] = _unseal(known.get(attribute) or {}, crypter)
    rest = {key: value for key, value in entry.items() if key not in _FIELDS}
    return ResourceState(**{key: value for key, value in known.items() if value is not None}, rest=rest)


def _seal(value: Value, crypter: Crypter) -> Any:
    if isinstance(value, Secret):
        text = json.dumps(_seal(value.value, _PLAIN), ensure_ascii=False, separators=(",", ":"))
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": crypter.encrypt(text)} if crypter is not _PLAIN else text
    if isinstance(value, dict):
        return {key: _seal(item, crypter) for key, item in value.items()}
    if isinstance(value, list):
        return [_seal(item, crypter) for item in value]
    return value


def _unseal(value: Any, crypter: Crypter) -> Value:
    if isinstance(value, list):
        return [_unseal(item, crypter) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE:
        text = value["plaintext"] if "plaintext" in value else crypter.decrypt(value["ciphertext"])
        return Secret(_unseal(json.loads(text), crypter))
    return {key: _unseal(item, crypter) for key, item in value.items()}


class _Plain(Crypter):
    """Stands for "already inside a secret": nothing in there is encrypted again."""

    def encrypt(self, text: str) -> str:
        return text


_PLAIN: Final = _Plain("")
