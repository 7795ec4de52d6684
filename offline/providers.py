"""Provider objects: what serves them, and which one serves a resource.

`Provider` is the contract; `plugins.Plugin` is the real one, `Declared` the one for where no plugin runs: it takes
inputs as they are declared, knows nothing more, and refuses to make anything unless it was given answers (a test's
mocks).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from diversite.errors import OfflineError
from offline import urns
from offline.checkpoint import ResourceState
from offline.plugins import Difference, compare
from offline.values import Properties, has_unknown, plain


class Provider(Protocol):
    """What serves the resources of one provider object."""

    package: str

    def check_configuration(self, urn: str, old: Properties, new: Properties) -> Properties:
        """Its own inputs, checked."""

    def differ_configuration(self, old: ResourceState, new: Properties) -> Difference:
        """What a change of its own inputs means."""

    def configure(self, urn: str, identity: str, inputs: Properties) -> None:
        """Make it ready."""

    def check(self, urn: str, old: Properties, new: Properties) -> Properties:
        """A resource's inputs, checked."""

    def differ(self, old: ResourceState, new: Properties, ignore: list[str]) -> Difference:
        """What a change of a resource's inputs means."""

    def create(self, state: ResourceState) -> tuple[str, Properties]:
        """Id and outputs."""

    def update(self, old: ResourceState, state: ResourceState) -> Properties:
        """Outputs."""

    def read(self, state: ResourceState) -> tuple[str, Properties, Properties]:
        """Id (empty when gone), outputs, inputs."""

    def delete(self, state: ResourceState) -> None:
        """Remove it."""

    def cancel(self) -> None:
        """Give up what is under way."""

    def close(self) -> None:
        """End."""


Answer = Callable[[str, str, Properties], Mapping[str, Any]]
"""Type, name and plain inputs of a resource to the outputs that it is to have, `id` among them if it matters."""


class Declared:
    """Stands where no provider runs."""

    def __init__(self, package: str, answer: Answer | None = None) -> None:
        self.package = package
        self._answer = answer

    def check_configuration(self, urn: str, old: Properties, new: Properties) -> Properties:
        """The inputs as declared."""
        return new

    def differ_configuration(self, old: ResourceState, new: Properties) -> Difference:
        """A comparison of the inputs."""
        return compare(old.inputs, new)

    def configure(self, urn: str, identity: str, inputs: Properties) -> None:
        """Nothing to make ready."""

    def check(self, urn: str, old: Properties, new: Properties) -> Properties:
        """The inputs as declared."""
        return new

    def differ(self, old: ResourceState, new: Properties, ignore: list[str]) -> Difference:
        """A comparison of the inputs."""
        return compare(old.inputs, new)

    def create(self, state: ResourceState) -> tuple[str, Properties]:
        """What the test answers, over the inputs."""
        name = urns.name_of(state.urn)
        answer = dict(self._given()(state.type, name, plain(state.inputs)))
        return str(answer.pop("id", f"{name}-id")), {**state.inputs, **answer}

    def update(self, old: ResourceState, state: ResourceState) -> Properties:
        """What the test answers, over the inputs."""
        return self.create(state)[1]

    def read(self, state: ResourceState) -> tuple[str, Properties, Properties]:
        """As it is recorded."""
        return state.id, state.outputs, state.inputs

    def delete(self, state: ResourceState) -> None:
        """Nothing is there."""
        self._given()

    def cancel(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing runs."""

    def _given(self) -> Answer:
        if self._answer is None:
            raise cloud_refusal(self.package)
        return self._answer


class Registry:
    """The provider objects of one run, by reference (`<urn>::<id>`)."""

    def __init__(self, start: Callable[[str], Provider]) -> None:
        """`start` gives a provider for a package, not yet configured."""
        self._start = start
        self._found: dict[str, Provider] = {}
        self._all: list[Provider] = []
        self._guard = threading.Lock()

    def start(self, package: str) -> Provider:
        """A new, unconfigured provider of a package."""
        provider = self._start(package)
        with self._guard:
            self._all.append(provider)
        return provider

    def add(self, reference: str, provider: Provider, inputs: Properties) -> None:
        """Configure a provider and let resources use it; one whose inputs are not all known stays as declared."""
        urn, identity = urns.split_reference(reference)
        if has_unknown(inputs):
            provider = Declared(provider.package)
        else:
            provider.configure(urn, identity, inputs)
        with self._guard:
            self._found[reference] = provider

    def of(self, reference: str) -> Provider:
        """The provider that a resource names.

        Raises:
            OfflineError: there is none of that name in this run.
        """
        with self._guard:
            if reference in self._found:
                return self._found[reference]
        raise OfflineError(f"the provider {reference} is not registered in this run.")

    def ensure(self, state: ResourceState) -> Provider:
        """The provider that an entry of the state describes, started if it is not yet."""
        reference = f"{state.urn}::{state.id}"
        with self._guard:
            if reference in self._found:
                return self._found[reference]
            provider = self._start(urns.package_of(state.type))
            self._all.append(provider)
            urn, identity = urns.split_reference(reference)
            provider.configure(urn, identity, state.inputs)
            self._found[reference] = provider
            return provider

    def cancel(self) -> None:
        """Ask all to give up what is under way."""
        for provider in list(self._all):
            provider.cancel()

    def close(self) -> None:
        """End all."""
        for provider in self._all:
            provider.close()


def cloud_refusal(package: str) -> OfflineError:
    """The error for whoever wants a cloud's resources made here."""
    return OfflineError(
        f"the package {package!r} is not a plugin of this project (plugins.providers in Pulumi.yaml), so nothing of it "
        "is applied here: the offline runner changes no cloud, whose state belongs in a shared backend with a history. "
        "Preview it here; apply it with `pulumi up`."
    )
