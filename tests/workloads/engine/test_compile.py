"""Compilation at set-up: once, and again only when the description changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from diversite.errors import DiversiteError
from workloads.engine.compile import SOURCE, compile_messages


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    """What is current is not compiled again."""
    source, target = Path(shutil.copy(SOURCE, tmp_path / "abci.proto")), tmp_path / "abci" / "abci_pb2.py"
    assert compile_messages(source, target)
    before = target.stat().st_mtime_ns
    assert not compile_messages(source, target)
    assert target.stat().st_mtime_ns == before


def test_a_changed_description_is_compiled_again(tmp_path: Path) -> None:
    """One more message makes another module."""
    source, target = Path(shutil.copy(SOURCE, tmp_path / "abci.proto")), tmp_path / "abci" / "abci_pb2.py"
    compile_messages(source, target)
    source.write_text(source.read_text() + "message Another {}\n")
    assert compile_messages(source, target)
    assert "another" in target.read_text().lower()


def test_a_description_that_does_not_compile_is_named(tmp_path: Path) -> None:
    """The error says which file, and leaves what was there."""
    source = tmp_path / "abci.proto"
    source.write_text('syntax = "proto3"; message {')
    with pytest.raises(DiversiteError, match=r"abci\.proto: the protobuf compiler ended"):
        compile_messages(source, tmp_path / "abci_pb2.py")
    assert not (tmp_path / "abci_pb2.py").exists()
