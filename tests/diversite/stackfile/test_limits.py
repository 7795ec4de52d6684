"""Text made to exhaust the reader gives one clear error, in bounded time and memory."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from diversite import stackfile

ROOT = Path(__file__).parents[3]
GOOD = (ROOT / "tests" / "stacks" / "good" / "four.yaml").read_text(encoding="utf-8")
SECONDS_MAX = 5
MEBIBYTES_MAX = 400
READ = f"""
import resource, sys
from pathlib import Path
from diversite import stackfile
from diversite.errors import TopologyError
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS_MAX}, {SECONDS_MAX}))
resource.setrlimit(resource.RLIMIT_AS, ({MEBIBYTES_MAX} << 20, {MEBIBYTES_MAX} << 20))
try:
    stackfile.load(Path(sys.argv[1]))
except TopologyError as error:
    print(error)
"""


def many_sites(count: int) -> str:
    """A good file with `count` sites more."""
    return GOOD.replace(
        "sites:\n", "sites:\n" + "".join(f"  s{n}: {{at: aws/eu-west-3/euw3-az1}}\n" for n in range(count))
    )


def links_of_all(count: int) -> str:
    """A file with as many sites and links as there may be, every link joining every site."""
    ends = ", ".join(f"s{n}" for n in range(60))
    links = "".join(f"  l{n}: {{kind: wireguard, carrier: c, ends: [{ends}]}}\n" for n in range(count))
    return many_sites(60).replace("links:\n", "links:\n" + links)


def alias_bomb(levels: int) -> str:
    """Ten to the power of `levels` values in a few lines."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *lines])


EXHAUSTING = {
    "ten-megabytes": ("- a\n" * 2_500_000, "larger than"),
    "a-million-sites": (many_sites(1_000_000), "larger than"),
    "as-many-sites-as-fit": (many_sites(24_000), "values"),
    "alias-bomb": (alias_bomb(30), "makes more than 50,000 values"),
    "more-aliases-than-allowed": ("a: &a 1\n" + "".join(f"k{n}: *a\n" for n in range(9_000)), "aliases"),
    "sequences-in-sequences": ("[" * 1_000_000, "nested"),
    "maps-in-maps": ("{a: " * 250_000, "nested"),
    "blocks-in-blocks": ("- " * 500_000, "nested"),
    "keys-in-keys": ("? " * 500_000, "nested"),
    "one-long-word": ("a: " + "x" * 1_000_000, "characters"),
    "one-long-number": ("a: " + "9" * 1_000_000, "characters"),
    "one-long-key": ("x" * 1_000_000 + ": 1", "characters"),
    "base-sixty": ("a: 1" + ":1" * 400_000, "characters"),
    "the-same-key": ("a: 1\n" * 49_000, "is there already"),
    "unknown-keys": ("".join(f"venu{n}: 1\n" for n in range(24_000)), "there are more"),
    "anchors": ("".join(f"k{n}: &a{n} 1\n" for n in range(24_000)), "there are more"),
    "links-of-all-sites": (links_of_all(508), "there are more"),
}


@pytest.mark.parametrize("name", EXHAUSTING)
def test_refused_within_bounds(name: str, tmp_path: Path) -> None:
    """A file made to exhaust the reader is refused with a reason before it does."""
    text, reason = EXHAUSTING[name]
    path = tmp_path / "x.yaml"
    path.write_text(text)
    ended = subprocess.run(
        [sys.executable, "-c", READ, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert reason in ended.stdout
    assert len(ended.stdout) < 100_000


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    """A file of a terabyte is refused as quickly as one that is just too large."""
    path = tmp_path / "x.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    ended = subprocess.run(
        [sys.executable, "-c", READ, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "larger than" in ended.stdout


def test_the_largest_venue_is_within_the_limits() -> None:
    """As many sites, validators, engines and links as the classes allow fit into what the reader takes."""
    sites = [f"site-{n:03}-abcdefg" for n in range(64)]
    hosts = "".join(f"  host-{n:03}-abcdefg: {{site: {sites[n % 64]}, machine: c7i.xlarge}}\n" for n in range(200))
    pairs = [(a, b) for a in sites for b in sites if a < b][:449]
    joined = [*pairs, *pairwise(sites)]
    text = f"venue: largest\nsurvive: [{{any: site}}]\nvalidators:\n{hosts}engines:\n{hosts}sites:\n"
    text += "".join(f"  {site}: {{at: aws/eu-west-3/euw3-az1}}\n" for site in sites) + "links:\n"
    text += "".join(
        f"  l{n}: {{kind: wireguard, ends: [{a}, {b}], carrier: transit-a, preference: {1 if n < 449 else 2}}}\n"
        for n, (a, b) in enumerate(joined)
    )
    entry = f"{{site: {sites[0]}, machine: c7i.large}}"
    text += f"order_entry: {{a: {entry}}}\nmonitoring: {{a: {entry}}}\n"
    assert len(stackfile.loads(text).links) == 512
