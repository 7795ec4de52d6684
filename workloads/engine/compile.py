"""Compiles `abci.proto` into `workloads/engine/abci/`; does nothing when that is current.

    python -m workloads.engine.compile

The last line of the compiled file names the digest of what it was made from (the description and the compiler), so a
second run compares two digests and ends.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path

from diversite.errors import DiversiteError

SOURCE = Path(__file__).with_name("abci.proto")
TARGET = Path(__file__).with_name("abci") / "abci_pb2.py"


def compile_messages(source: Path = SOURCE, target: Path = TARGET) -> bool:
    """Bring `target` up to date with `source`; True when it had to be compiled, False when it was current.

    Raises DiversiteError when the compiler is missing or refuses the file (its own message is on stderr).
    """
    mark = _mark(source)
    if target.exists() and target.read_text().endswith(mark):
        return False
    _replace(target, _compiled(source) + mark)
    return True


def _mark(source: Path) -> str:
    digest = hashlib.sha256(source.read_bytes() + _compiler_version().encode())
    return f"# compiled from {source.name} {digest.hexdigest()}\n"


def _compiler_version() -> str:
    try:
        return importlib.metadata.version("grpcio-tools")
    except importlib.metadata.PackageNotFoundError:
        raise DiversiteError("grpcio-tools is not installed in this environment: run scripts/setup") from None


def _compiled(source: Path) -> str:
    import grpc_tools  # noqa: PLC0415  the compiler is 10 MB: not needed when nothing changed
    from grpc_tools import protoc  # noqa: PLC0415

    well_known = Path(grpc_tools.__file__).with_name("_proto")
    with tempfile.TemporaryDirectory() as room:
        status = protoc.main(["protoc", f"-I{source.parent}", f"-I{well_known}", f"--python_out={room}", source.name])
        if status != 0:
            raise DiversiteError(f"{source}: the protobuf compiler ended with status {status}; it says why above")
        return (Path(room) / f"{source.stem}_pb2.py").read_text()


def _replace(target: Path, text: str) -> None:
    target.parent.mkdir(exist_ok=True)
    fresh = target.with_suffix(f".{os.getpid()}.py")
    fresh.write_text(text)
    fresh.replace(target)


if __name__ == "__main__":
    try:
        print(f"{TARGET.name}: {'compiled' if compile_messages() else 'is current'}")
    except DiversiteError as error:
        sys.exit(str(error))
