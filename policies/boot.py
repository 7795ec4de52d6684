"""A boot script as rules read it: compressed or not, and file by file.

A cloud's host gets all that it is told in one text, cloud-init's user data. Rules look for lines of the files in it, so
each file is a document of its own, as a lab declares them.
"""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Iterator, Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are not among the dependencies

HEADER = "#cloud-config"
GZIP_IN_BASE64 = "H4sI"
"""How every gzipped text begins once it is base64."""


def readable(text: str) -> str:
    """The text itself; what was compressed to fit a provider's limit, as it was before."""
    if not text.startswith(GZIP_IN_BASE64):
        return text
    try:
        return gzip.decompress(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, OSError, EOFError, UnicodeDecodeError):
        return text


def documents(text: str) -> Iterator[str]:
    """The files that a boot script writes, and then the rest of it; another text as it is."""
    script = readable(text)
    told = _parsed(script) if script.startswith(HEADER) else None
    if told is None:
        yield script
        return
    files = told.pop("write_files", None)
    yield from (_content(file) for file in files or () if isinstance(file, Mapping))
    yield yaml.dump(told, Dumper=yaml.CSafeDumper)


def _parsed(script: str) -> dict[str, Any] | None:
    try:
        found = yaml.load(script, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, dict) else None


def _content(file: Mapping[str, Any]) -> str:
    content, encoding = str(file.get("content", "")), str(file.get("encoding", ""))
    if encoding in ("b64", "base64"):
        try:
            return base64.b64decode(content).decode()
        except (binascii.Error, UnicodeDecodeError):
            return content
    return readable(content)
