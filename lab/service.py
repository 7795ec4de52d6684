"""A service: a supervised process on a host, with the files it reads, awaited until it answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from diversite.errors import LabError
from lab import commands, disk, host, supervision
from lab.files import JsonObject, read_json, write, write_json
from lab.inputs import Ready, ServiceInputs
from lab.world import World

FILE_MODE = 0o640


def create(world: World, inputs: ServiceInputs) -> None:
    """Lay down a service's files, start it and wait until it is ready; one that is there is brought to this state."""
    host.require(world, inputs.host)
    if find(world, inputs.host, inputs.name) is not None:
        update(world, inputs)
        return
    delete(world, inputs.host, inputs.name)
    try:
        _write_files(world, inputs)
        supervision.add(world, unit(inputs.host, inputs.name), _run(inputs))
        _await_ready(world, inputs)
        write_json(world.layout.service_record(inputs.host, inputs.name), inputs.record())
    except BaseException:
        delete(world, inputs.host, inputs.name, files=tuple(inputs.files))
        raise


def update(world: World, inputs: ServiceInputs) -> None:
    """Rewrite what differs and restart the process if anything that it sees does."""
    name = unit(inputs.host, inputs.name)
    before = ServiceInputs(**require(world, inputs.host, inputs.name))
    _remove_files(world, [path for path in before.files if path not in inputs.files])
    written = _write_files(world, inputs)
    if written or _visible(before) != _visible(inputs):
        supervision.write_directory(world.layout.scan / name, _run(inputs))
        supervision.stop(world, name)
        supervision.start(world, name)
    elif inputs.restart and not _is_up(world, name):
        supervision.start(world, name)
    _await_ready(world, inputs)
    write_json(world.layout.service_record(inputs.host, inputs.name), inputs.record())


def delete(world: World, host_name: str, name: str, files: tuple[str, ...] = ()) -> None:
    """Stop a service and remove it with its files; its data and log stay with the host."""
    supervision.remove(world, unit(host_name, name))
    record = read_json(world.layout.service_record(host_name, name)) or {}
    _remove_files(world, [*files, *record.get("files", {})])
    world.layout.service_record(host_name, name).unlink(missing_ok=True)


def find(world: World, host_name: str, name: str) -> JsonObject | None:
    """The inputs of a service as it is laid down: its files are read back; None if it is not there."""
    record = read_json(world.layout.service_record(host_name, name))
    if record is None or not supervision.exists(world, unit(host_name, name)) or not world.has_namespace(host_name):
        return None
    files = {path: _content(world.seen(Path(path))) for path in record.get("files", {})}
    return {**record, "files": {path: content for path, content in files.items() if content is not None}}


def require(world: World, host_name: str, name: str) -> JsonObject:
    """The inputs of a service; a LabError if it is not there."""
    record = read_json(world.layout.service_record(host_name, name))
    if record is None:
        known = ", ".join(names(world, host_name)) or "none"
        raise LabError(f"host {host_name!r} of lab {world.name!r} has no service {name!r}: it has {known}")
    return record


def names(world: World, host_name: str) -> list[str]:
    """Every service of a host that was finished."""
    return sorted(path.stem for path in (world.layout.host(host_name) / "services").glob("[!.]*.json"))


def unit(host_name: str, name: str) -> str:
    """What the supervisor calls a service."""
    return f"{host_name}@{name}"


def _run(inputs: ServiceInputs) -> supervision.Run:
    directory = f"/run/lab/hosts/{inputs.host}"
    return supervision.Run(
        command=inputs.command,
        network_namespace=inputs.host,
        working_directory=f"{directory}/data",
        environment={"HOME": f"{directory}/data", **inputs.environment},
        log=f"{directory}/log/{inputs.name}",
        restart=inputs.restart,
    )


def _visible(inputs: ServiceInputs) -> tuple[object, ...]:
    return inputs.command, inputs.environment, inputs.restart


def _write_files(world: World, inputs: ServiceInputs) -> bool:
    """Write the files that differ; whether there were any."""
    written = False
    for path, content in inputs.files.items():
        place = world.seen(Path(path))
        if _content(place) != content:
            write(place, content, FILE_MODE)
            written = True
    data = f"/run/lab/hosts/{inputs.host}/data"
    (world.seen(Path(data)) / inputs.name).mkdir(exist_ok=True)
    if written:
        disk.sync(world, inputs.host)
    return written


def _content(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _remove_files(world: World, files: list[str]) -> None:
    for path in files:
        world.seen(Path(path)).unlink(missing_ok=True)


def _is_up(world: World, name: str) -> bool:
    status = supervision.status(world, name)
    return bool(status and status.up)


def _await_ready(world: World, inputs: ServiceInputs) -> None:
    if inputs.ready is None or inputs.ready.kind == "none":
        return
    script = str(Path(__file__).with_name("await_ready.py"))
    ended = world.layout.inside(world.layout.scan) / unit(inputs.host, inputs.name) / supervision.ENDED
    asking = [sys.executable, "-I", "-S", script, json.dumps(inputs.ready.completed()), str(ended)]
    asked = commands.attempt([*world.entering(inputs.host), *asking])
    if asked.returncode != 0:
        raise LabError(_not_ready(world, inputs, inputs.ready, (asked.stdout or asked.stderr).strip()))


def _not_ready(world: World, inputs: ServiceInputs, ready: Ready, answer: str) -> str:
    log = world.layout.service_log(inputs.host, inputs.name)
    status = supervision.status(world, unit(inputs.host, inputs.name))
    state = f"{'up' if status.up else 'down'} for {status.seconds} s" if status else "not supervised"
    return (
        f"service {inputs.name!r} on host {inputs.host!r} was not ready within {ready.seconds_max:g} s "
        f"({ready.kind} {ready.address}{ready.path if ready.kind == 'http' else ''}: {answer}); it is {state}; "
        f"{log / 'current'} ends:\n{supervision.last_lines(log)}"
    )
