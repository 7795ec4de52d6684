"""What a recording shows of a program, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import settings as sdk_settings

import offline
from diversite.errors import OfflineError
from offline import UNKNOWN, Secret, Step

HOST = "lab:index:Host"


class Group(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("diversite:index:Group", name, {}, opts)


class Site(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("diversite:index:Site", name, {"count": 2.0}, opts)
        self.host = Host(f"{name}-host", pulumi.ResourceOptions(parent=self))
        self.register_outputs({"address": self.host.address})


class Host(pulumi.CustomResource):
    address: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(HOST, name, {**inputs, "address": None}, opts)


class Lab(pulumi.ProviderResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__("lab", name, inputs, opts)


def under(parent: pulumi.Resource, **options: Any) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(parent=parent, **options)


def test_names_are_the_engines() -> None:
    """A URN holds the chain of types below the stack, whose own type is not in it."""

    def program() -> None:
        Site("paris", under(Group("venue")))

    recording = offline.record(program, project="p", stack="s")
    chain = "diversite:index:Group$diversite:index:Site"
    assert [resource.urn for resource in recording] == [
        "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s",
        "urn:pulumi:s::p::diversite:index:Group::venue",
        f"urn:pulumi:s::p::{chain}::paris",
        f"urn:pulumi:s::p::{chain}$lab:index:Host::paris-host",
    ]
    assert recording.named("paris").parent == recording.named("venue").urn


def test_values_are_normalised() -> None:
    """Integral numbers are int, secrets are marked, what only a provider computes is unknown."""

    def program() -> None:
        first = Host("first", under(Group("g")), size=3.0, share=0.5, password=pulumi.Output.secret("s3cret"))
        Host("second", under(Group("h")), address_of=first.address, nested={"list": [1, pulumi.Output.secret(2)]})

    recording = offline.record(program)
    assert recording.named("first").inputs == {"size": 3, "share": 0.5, "password": Secret("s3cret")}
    assert type(recording.named("first").inputs["size"]) is int
    assert recording.named("second").inputs == {"address_of": UNKNOWN, "nested": {"list": [1, Secret(2)]}}
    assert "s3cret" not in repr(recording.named("first"))


def test_dependencies_are_told_by_property() -> None:
    """What a property came from is recorded, and so is what was only asked to come first."""

    def program() -> None:
        group = Group("g")
        first, second = Host("first", under(group)), Host("second", under(group))
        Host("third", under(group, depends_on=[second]), of=first.address)

    recording = offline.record(program)
    first, second, third = (recording.named(name) for name in ("first", "second", "third"))
    assert third.property_dependencies == {"of": (first.urn,)}
    assert set(third.dependencies) == {first.urn, second.urn}


def test_a_simulated_up_knows_what_the_test_answers() -> None:
    """With answers the program's applies run, and see them."""

    def program() -> None:
        site = Site("paris")
        pulumi.export("address", site.host.address)
        pulumi.export("id", site.host.id)

    recording = offline.record(program, answer=lambda type_, name, inputs: {"address": f"of {name}"})
    assert recording.outputs == {"address": "of paris-host", "id": "paris-host-id"}
    assert recording.named("paris").outputs == {"address": "of paris-host"}


def test_at_preview_an_apply_on_an_unknown_does_not_run() -> None:
    """What a provider would compute stays unknown: nothing is made up."""
    seen: list[str] = []

    def program() -> None:
        Site("paris").host.address.apply(seen.append)

    offline.record(program)
    assert not seen


def test_options_flow_down_as_in_the_engine() -> None:
    """A component's provider, protection and retention reach its children unless they say otherwise."""

    def program() -> None:
        lab = Lab("mine", region="r")
        kept = Group("kept", pulumi.ResourceOptions(providers=[lab], protect=True, retain_on_delete=True))
        Host("inheriting", under(kept))
        Host("its-own", under(kept, protect=False))
        Host("elsewhere", under(Group("g")))

    recording = offline.record(program, answer=lambda *_: {})
    provider = recording.of_type("pulumi:providers:lab")[0]
    inheriting, own, elsewhere = (recording.named(name) for name in ("inheriting", "its-own", "elsewhere"))
    assert inheriting.provider == f"{provider.urn}::{provider.id}"
    assert (inheriting.protect, inheriting.retain_on_delete) == (True, True)
    assert (own.protect, own.retain_on_delete) == (False, True)
    assert "pulumi:providers:lab::default::" in elsewhere.provider


def test_configuration_reaches_the_program() -> None:
    """Values are text, as the engine sends them; a secret one stays secret."""

    def program() -> None:
        config = pulumi.Config()
        Host("h", under(Group("g")), substrate=config.require("substrate"), key=config.require_secret("key"))

    recording = offline.record(program, project="diversite", config={"substrate": "lab", "key": Secret("k")})
    assert recording.named("h").inputs == {"substrate": "lab", "key": Secret("k")}


def test_recordings_do_not_see_each_other() -> None:
    """Two recordings in one process are independent, and leave the SDK as they found it."""
    before = (sdk_settings.SETTINGS.monitor, sdk_settings.SETTINGS.project, sdk_settings.get_root_resource())

    def program() -> None:
        Site("paris")

    first, second = offline.record(program), offline.record(program, stack="other")
    assert len(first.resources) == len(second.resources) == 3
    after = (sdk_settings.SETTINGS.monitor, sdk_settings.SETTINGS.project, sdk_settings.get_root_resource())
    assert after == before


def test_a_failing_program_raises_and_the_next_recording_is_whole() -> None:
    """The program's own exception comes out as it is."""

    def program() -> None:
        Site("paris")
        raise LookupError("no such site")

    with pytest.raises(LookupError, match="no such site"):
        offline.record(program)
    assert len(offline.record(lambda: _ignore(Site("paris"))).resources) == 3


def test_an_invoke_is_answered_by_its_token() -> None:
    """A function call gets the answer supplied for it, with its arguments."""

    def program() -> None:
        zones = pulumi.runtime.invoke("aws:index/getZones:getZones", {"region": "eu-west-3"})
        Host("h", under(Group("g")), zone=zones.value["names"][0])

    answers = {"aws:index/getZones:getZones": lambda arguments: {"names": [arguments["region"] + "a"]}}
    assert offline.record(program, invokes=answers).named("h").inputs == {"zone": "eu-west-3a"}


def test_an_invoke_without_an_answer_fails_by_name() -> None:
    """A look-up that nobody supplied is named with its arguments."""

    def program() -> None:
        pulumi.runtime.invoke("aws:index/getZones:getZones", {"region": "eu-west-3"})

    with pytest.raises(Exception, match=r"aws:index/getZones:getZones .*\"region\": \"eu-west-3\""):
        offline.record(program)


def test_a_duplicate_is_an_error() -> None:
    """The same type and name below the same parent, twice, is refused."""

    def program() -> None:
        group = Group("g")
        Host("h", under(group))
        Host("h", under(group))

    with pytest.raises(OfflineError, match=r"Host::h is registered twice"):
        offline.record(program)


def test_a_custom_resource_directly_under_the_stack_is_an_error() -> None:
    """A resource that no component owns is refused."""
    with pytest.raises(OfflineError, match="custom resource directly under the stack"):
        offline.record(lambda: _ignore(Host("h")))


def _hooked(group: Group) -> None:
    binding = pulumi.ResourceHookBinding(before_create=[lambda _args: None])
    Host("h", under(group, hooks=binding))


REFUSED: dict[str, Callable[[Group], Any]] = {
    "import": lambda group: Host("h", under(group, import_="id-1")),
    "read": lambda group: Host("h", under(group, id="id-1")),
    "transform": lambda group: Host("h", under(group, transforms=[lambda _args: None])),
    "hook": _hooked,
    "replace_with": lambda group: Host("h", under(group, replace_with=[Host("other", under(group))])),
    "replacement_trigger": lambda group: Host("h", under(group, replacement_trigger="1")),
    "asset": lambda group: Host("h", under(group), file=pulumi.StringAsset("text")),
    "remote component": lambda group: pulumi.ComponentResource("x:y:Z", "remote", {}, under(group), True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_by_name(name: str) -> None:
    """Each feature that the runner does not have is refused with its name, not ignored."""
    with pytest.raises(Exception, match=f"{name} is refused by the offline runner"):
        offline.record(lambda: _ignore(REFUSED[name](Group("g"))))


def test_a_stack_transform_is_refused_by_name() -> None:
    """A transform of the whole stack is refused too."""
    with pytest.raises(Exception, match="transform is refused by the offline runner"):
        offline.record(lambda: pulumi.runtime.register_resource_transform(lambda _args: None))


def test_every_first_recording_creates() -> None:
    """Without a state everything is to be created."""
    assert {resource.step for resource in offline.record(lambda: _ignore(Site("paris")))} == {Step.CREATE}


def test_a_name_that_is_not_there_lists_those_that_are() -> None:
    """Looking for a resource by a wrong name tells the right ones."""
    with pytest.raises(OfflineError, match=r"0 resources are named 'rome'; recorded are paris, paris-host"):
        offline.record(lambda: _ignore(Site("paris"))).named("rome")


def _ignore(_made: object) -> None:
    """A program returns nothing, whatever it makes."""
