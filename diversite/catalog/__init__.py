"""Facts about the world, each with its source and date: where a site may stand, what feeds it, how far the next is.

    facts.py        what a fact looks like
    node.py         one file, with the path of a fault
    reading.py      files to facts: sources, metros, grids, places, measurements
    provisions.py   files to facts: machines, on-ramps, limits, terms
    catalogue.py    look-ups
    *.yaml          the facts; sources.yaml is the register they all refer to

`catalog()` is the way in. Nothing here guesses: a value that nobody published is absent.
"""

from diversite.catalog.catalogue import PROVIDERS, Catalog, catalog
from diversite.catalog.facts import (
    BfdLimit,
    Confidence,
    CrossCloud,
    Grid,
    Limits,
    Machine,
    Measurement,
    Metro,
    OnRamp,
    Place,
    Region,
    Source,
    Terms,
)

__all__ = [
    "PROVIDERS",
    "BfdLimit",
    "Catalog",
    "Confidence",
    "CrossCloud",
    "Grid",
    "Limits",
    "Machine",
    "Measurement",
    "Metro",
    "OnRamp",
    "Place",
    "Region",
    "Source",
    "Terms",
    "catalog",
]
