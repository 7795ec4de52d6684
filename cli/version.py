"""Which diversite this is."""

from __future__ import annotations


def version() -> str:
    """The version of the installed project."""
    from importlib import metadata

    return metadata.version("diversite")
