"""Look-ups answer from the files, quickly, and name what is nearest where there is no answer."""

from __future__ import annotations

import subprocess
import sys

import pytest

from diversite.catalog import Catalog, catalog
from diversite.errors import CatalogError


def refusal(id_: str) -> str:
    """The text with which a place is refused."""
    with pytest.raises(CatalogError) as caught:
        catalog().place(id_)
    return str(caught.value)


def test_a_place_is_found_by_its_id() -> None:
    """An id gives the place with all that is known of it."""
    place = catalog().place("gcp/europe-north2/europe-north2-a")
    assert (place.provider, place.city, place.country) == ("gcp", "Stockholm", "SE")
    assert place.grid.synchronous_area == "nordic"


def test_a_zone_that_a_region_has_not_is_answered_with_those_it_has() -> None:
    """A typing error in the zone is mended from the message alone."""
    text = refusal("hetzner/eu-central/nbg")
    assert "'hetzner/eu-central/nbg'" in text
    assert "fsn1, nbg1, hel1" in text


def test_an_az_name_is_answered_with_az_ids_and_the_reason() -> None:
    """AZ names differ from account to account; the message says so."""
    text = refusal("aws/eu-west-3/eu-west-3a")
    assert "euw3-az1, euw3-az2, euw3-az3" in text
    assert "AZ ID" in text


def test_an_unknown_region_is_answered_with_the_nearest_places() -> None:
    """A typing error in the region gives places whose ids are near."""
    assert "gcp/europe-west2/europe-west2-a" in refusal("gcp/europe-wset2/europe-wset2-a")


def test_nonsense_is_answered_with_the_form_of_an_id() -> None:
    """Where nothing is near, the message says what an id looks like and where all are."""
    assert "provider/region/zone" in refusal("x")
    assert "diversite/catalog/places/" in refusal("")


def test_a_region_that_cannot_be_used_says_why() -> None:
    """A region without zones is known, and its refusal is a reason, not a guess."""
    assert "not launched" in refusal("aws/me-west-1/mew1-az1")
    assert "AZ IDs" in refusal("aws/cn-north-1/cnn1-az1")


@pytest.mark.parametrize("provider", ["aws", "gcp", "hetzner"])
def test_an_unknown_machine_is_answered_with_the_nearest(provider: str) -> None:
    """The nearest machine types of the same provider, and where to add one."""
    known = next(name for owner, name in catalog().machines if owner == provider)
    with pytest.raises(CatalogError, match=rf"{known}x.*not a machine type of {provider}.*Nearest: .*{known}"):
        catalog().machine(provider, f"{known}x")


@pytest.mark.parametrize("look_up", ["machine", "limits", "terms"])
def test_an_unknown_provider_is_answered_with_those_known(look_up: str) -> None:
    """Every look-up by provider refuses another one by name."""
    arguments = ("azure", "x") if look_up == "machine" else ("azure",)
    with pytest.raises(CatalogError, match=r"'azure' is not a provider.*aws, gcp, hetzner"):
        getattr(catalog(), look_up)(*arguments)


def test_an_unknown_metro_is_answered_with_the_nearest() -> None:
    """A typing error in a metro is mended from the message."""
    with pytest.raises(CatalogError, match="Nearest: paris"):
        catalog().on_ramps("pariss")


def test_the_catalogue_is_read_once() -> None:
    """Two callers share one catalogue."""
    assert catalog() is catalog()


def test_the_whole_catalogue_loads_in_150_milliseconds_of_processor_time() -> None:
    """A check of a stack file can afford all of it; the best of three fresh processes counts, other load aside."""
    program = (
        "import diversite.catalog.catalogue as c, time; start = time.process_time();"
        "all_of = c.Catalog(); all_of.places; all_of.measurements; all_of.machines; all_of.all_on_ramps;"
        "all_of.limits('aws'); all_of.terms('aws'); all_of.latency_model; print(time.process_time() - start)"
    )
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.15


def test_a_catalogue_holds_no_state_of_another() -> None:
    """A second catalogue reads the same facts from the files."""
    assert Catalog().places == catalog().places
