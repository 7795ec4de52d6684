"""Property values on the wire and in the state, and the paths into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diversite.errors import OfflineError
from offline import UNKNOWN, Secret, checkpoint, paths, urns
from offline.checkpoint import Deployment, ResourceState
from offline.passphrase import Crypter
from offline.values import decode, encode, has_secret, keep_secrecy, mark_secret, plain

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


def _values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3), inner.map(_secret)
        ),
        max_leaves=8,
    )


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


@given(st.dictionaries(st.text(), _values(st.one_of(_SCALARS, st.just(UNKNOWN))), max_size=4))
def test_what_is_encoded_is_decoded(properties: dict[str, Any]) -> None:
    """The wire keeps values, secrets and unknowns; a float that is an integer becomes one."""
    assert decode(encode(properties)) == properties


@given(st.dictionaries(st.text(), _values(_SCALARS), max_size=4))
def test_without_tags_only_secrecy_is_lost(properties: dict[str, Any]) -> None:
    """A receiver that knows no secrets gets the values, and no tag."""
    assert decode(encode(properties, keep_secrets=False)) == plain(properties)


def test_integral_numbers_are_int() -> None:
    """A number arrives as a float; what has no fraction is an int again."""
    found = decode(encode({"whole": 3.0, "part": 0.5, "huge": 1e300}))
    assert {key: type(value) for key, value in found.items()} == {"whole": int, "part": float, "huge": float}


def test_secrecy_follows_the_name() -> None:
    """What went in secret comes out secret, also from a provider that knows no secrets."""
    inputs = {"key": Secret("k"), "nested": {"inner": Secret(1), "open": 2}, "open": 3}
    outputs = {"key": "k", "nested": {"inner": 1, "open": 2}, "open": 3, "new": 4}
    assert keep_secrecy(outputs, inputs) == {**inputs, "new": 4}


def test_named_outputs_become_secret() -> None:
    """Additional secret outputs are secret; what is secret already stays as it is."""
    assert mark_secret({"a": 1, "b": Secret(2), "c": 3}, ["a", "b"]) == {"a": Secret(1), "b": Secret(2), "c": 3}


def test_the_state_keeps_secrets_encrypted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret is in the file only under the passphrase; the right one opens it, a wrong one says so."""
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    entry = ResourceState(urn="urn:pulumi:s::p::a:b:C::n", type="a:b:C", custom=True, inputs={"key": Secret({"k": 1})})
    text = Deployment(crypter=Crypter("s"), resources=[entry]).render()
    assert '"ciphertext":"v1:' in text
    assert '\\"k\\"' not in text
    again = checkpoint.parse(text, "s", "here")
    assert again.resources[0].inputs == {"key": Secret({"k": 1})}
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "battery staple")
    with pytest.raises(OfflineError, match="is not the passphrase of this stack"):
        checkpoint.parse(text, "s", "here")


def test_without_a_passphrase_no_secret_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that cannot be encrypted is not written at all."""
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    entry = ResourceState(urn="urn:pulumi:s::p::a:b:C::n", type="a:b:C", custom=True, inputs={"key": Secret("k")})
    with pytest.raises(OfflineError, match="Set PULUMI_CONFIG_PASSPHRASE"):
        Deployment(crypter=Crypter("s"), resources=[entry]).render()


def test_what_the_runner_does_not_use_stays_in_the_state() -> None:
    """Fields of an exported state that mean nothing here are written as they were read."""
    text = (
        '{"version":3,"deployment":{"manifest":{},"resources":[{"urn":"urn:pulumi:s::p::a:b:C::n","custom":false,'
        '"type":"a:b:C","sourcePosition":"project:///x.py#3","stackTrace":[{"sourcePosition":"y"}]}]}}'
    )
    deployment = checkpoint.parse(text, "s", "here")
    assert deployment.resources[0].rest == {
        "sourcePosition": "project:///x.py#3",
        "stackTrace": [{"sourcePosition": "y"}],
    }
    assert '"sourcePosition":"project:///x.py#3"' in deployment.render()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nonsense", "is not JSON"),
        ('{"version":4,"deployment":{}}', "schema version 4; only 3 is read"),
        ('{"version":3,"deployment":{"secrets_providers":{"type":"cloud"}}}', "secrets manager 'cloud'"),
    ],
)
def test_a_state_that_cannot_be_read_says_why(text: str, complaint: str) -> None:
    """A state of another kind is refused with what it is."""
    with pytest.raises(OfflineError, match=complaint):
        checkpoint.parse(text, "s", "here")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('a["b.c"][1]', ("a", "b.c", 1)),
        ("a[*].b", ("a", "*", "b")),
        ("*", ("*",)),
    ],
)
def test_paths_are_read_as_the_engine_reads_them(text: str, steps: paths.Path) -> None:
    """Dots, brackets and quotes each take one step."""
    assert paths.parse(text) == steps


def test_an_ignored_path_keeps_its_old_value() -> None:
    """Only what is at the path goes back; what was added there goes, what was taken out comes back."""
    old = {"a": {"b": 1, "gone": 2}, "list": [1, 2], "c": 3}
    new = {"a": {"b": 9}, "list": [8, 9], "c": 4, "added": 5}
    for path in ("a.b", "a.gone", "list[1]", "added"):
        new = paths.reset(paths.parse(path), old, new)
    assert new == {"a": {"b": 1, "gone": 2}, "list": [8, 2], "c": 4}


def test_a_path_covers_what_is_below_it() -> None:
    """A selector covers itself and everything inside, a wildcard any one step."""
    assert paths.covers(paths.parse("a"), paths.parse("a.b[0]"))
    assert paths.covers(paths.parse("a[*].c"), paths.parse("a[3].c"))
    assert not paths.covers(paths.parse("a.b"), paths.parse("a"))


def test_a_urn_comes_apart_as_it_was_made() -> None:
    """Type chain and name survive, a name with colons too."""
    parent = urns.make("s", "p", "", "x:y:Z", "parent")
    urn = urns.make("s", "p", parent, "a:b:C", "name::with::colons")
    assert urn == "urn:pulumi:s::p::x:y:Z$a:b:C::name::with::colons"
    assert (urns.qualified_type(urn), urns.type_of(urn), urns.name_of(urn)) == (
        "x:y:Z$a:b:C",
        "a:b:C",
        "name::with::colons",
    )


def test_secrets_are_found_at_any_depth() -> None:
    """A secret inside a list inside a map is one."""
    assert has_secret({"a": [{"b": Secret(1)}]})
    assert not has_secret({"a": [{"b": 1}]})
