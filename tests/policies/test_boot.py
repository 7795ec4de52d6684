"""What rules read in a boot script."""

from __future__ import annotations

import base64
import gzip

import pytest

from policies.boot import documents, readable

SCRIPT = """#cloud-config
hostname: gateway-par
write_files:
  - path: /etc/bird.conf
    content: "interval 200 ms;\\n  multiplier 3;\\n"
  - path: /etc/packed
    encoding: b64
    content: c2VjcmV0bHkgcGxhaW4=
runcmd: [[systemctl, start, bird]]
"""


def packed(text: str) -> str:
    """As a sibling does where a provider takes less."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@pytest.mark.parametrize("script", [SCRIPT, packed(SCRIPT)], ids=["plain", "compressed"])
def test_each_file_is_a_document(script: str) -> None:
    """A rule that looks for a line finds it where a file begins a line, whatever the boot script's own form."""
    bird, plain, rest = documents(script)
    assert bird == "interval 200 ms;\n  multiplier 3;\n"
    assert plain == "secretly plain"
    assert "systemctl" in rest
    assert "interval" not in rest


@pytest.mark.parametrize("text", ["#!/bin/sh\necho", "H4sInot base64", "#cloud-config\n: :\n  -", ""])
def test_other_texts_are_read_as_they_are(text: str) -> None:
    """What is no cloud-config, or a broken one, is not lost to the rules."""
    assert list(documents(text)) == [text]


def test_compressed_texts_are_read() -> None:
    """A key cannot hide in what a sibling compressed."""
    assert readable(packed("-----BEGIN PRIVATE KEY-----")) == "-----BEGIN PRIVATE KEY-----"
