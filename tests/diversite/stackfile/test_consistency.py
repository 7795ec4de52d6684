"""What must agree in a stack file: what is allowed. What is refused is in tests/stacks/bad."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from diversite import stackfile
from diversite.errors import CatalogError, TopologyError
from diversite.stackfile import consistency
from diversite.stackfile.parts import Parts

GOOD = (Path(__file__).parents[2] / "stacks" / "good" / "four.yaml").read_text(encoding="utf-8")
TOPOLOGY = stackfile.loads(GOOD)


def replaced(*pairs: tuple[str, str]) -> str:
    """The good file with pieces replaced."""
    text = GOOD
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


class Unreadable:
    """A catalogue whose own files are wrong."""

    def place(self, _place: str, /) -> None:
        raise CatalogError("places/aws.yaml: regions: wrong")

    def machine(self, _provider: str, _name: str, /) -> None:
        return None


def test_two_sites_may_stand_at_one_place() -> None:
    """Two sites at one place are one failure domain; that is for the judge to say."""
    assert stackfile.loads(replaced(("aws/eu-west-1/euw1-az1", "aws/eu-west-3/euw3-az1"))).sites["dub"]


def test_a_pair_may_have_links_of_different_preference() -> None:
    """A second way between two sites takes over from the first."""
    second = "  second: {kind: wireguard, ends: [nbg, par], carrier: transit-b, preference: 2}\norder_entry:"
    assert stackfile.loads(replaced(("order_entry:", second))).links["second"].preference == 2


def test_a_cross_cloud_link_joins_aws_and_google() -> None:
    """The link that the two clouds make together has one end at each, in any order."""
    google = [("hetzner/eu-central/nbg1", "gcp/europe-west2/europe-west2-a"), ("ccx13", "c3d-standard-4")]
    google += [("nbg: {site: nbg, machine: ccx23}", "nbg: {site: nbg, machine: c3d-standard-4}")]
    google += [("kind: backbone, ends: [nbg, hel]", "kind: wireguard, ends: [nbg, hel]")]
    for a, b in permutations(["par", "nbg"]):
        cross = [("kind: wireguard, ends: [par, nbg]", f"kind: cross_cloud, ends: [{a}, {b}]")]
        assert stackfile.loads(replaced(*google, *cross)).links["par-nbg"].kind == "cross_cloud"


def test_a_site_may_watch_and_not_vote() -> None:
    """A site without a validator needs no engine either."""
    without = [("  hel: {site: hel, machine: ccx23}\n", "")]
    assert stackfile.loads(replaced(*without)).monitoring["hel"].site == "hel"


def test_a_wrong_catalogue_is_not_blamed_on_the_site() -> None:
    """Where the catalogue itself cannot be read, the problem says so, and the file is not accepted."""
    says = [finding.says for finding in consistency.findings(Parts.of(TOPOLOGY), Unreadable())]
    assert says == ["cannot be looked up: places/aws.yaml: regions: wrong"] * 4


def test_structure_and_agreement_are_told_together() -> None:
    """A file with a malformed host and an unknown site elsewhere is told both at once."""
    wrong = replaced(
        ("par: {site: par, machine: c7i.large}", "par: {site: pars, machine: c7i.large}"), ("any: site", "any: x")
    )
    with pytest.raises(TopologyError) as refusal:
        stackfile.loads(wrong)
    paths = [problem.path for problem in refusal.value.problems if isinstance(problem, stackfile.Problem)]
    assert paths == ["survive[0].any", "order_entry.par.site"]


@pytest.mark.parametrize("section", ["sites", "validators", "engines", "links", "order_entry", "monitoring"])
def test_a_malformed_section_is_one_problem(section: str) -> None:
    """A section that is no map is told once, and nothing that only follows from it is."""
    start = GOOD.index(f"{section}:")
    rest = GOOD[start:].split("\n")
    end = next(n for n, line in enumerate(rest) if n and not line.startswith(" "))
    text = GOOD[:start] + f"{section}: nothing\n" + "\n".join(rest[end:])
    with pytest.raises(TopologyError) as refusal:
        stackfile.loads(text)
    assert len(refusal.value.problems) == 1
