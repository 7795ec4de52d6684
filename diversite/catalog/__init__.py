"""Facts about the world, each with its source and date: where a site may stand, what feeds it, how far the next is.

    facts.py       what a fact looks like
    reading.py     from the files to facts, with the path of a fault
    catalogue.py   look-ups
    *.yaml         the facts; sources.yaml is the register they all refer to

`catalog()` is the way in. Nothing here guesses: a value that nobody published is absent.
"""

from diversite.catalog.catalogue import PROVIDERS, Catalog, catalog
from diversite.catalog.facts import Confidence, Grid, Measurement, Metro, Place, Region, Source

__all__ = [
    "PROVIDERS",
    "Catalog",
    "Confidence",
    "Grid",
    "Measurement",
    "Metro",
    "Place",
    "Region",
    "Source",
    "catalog",
]
