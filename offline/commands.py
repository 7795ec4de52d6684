"""How children are started: the commands and the environment of a policy pack and of a plugin. Imports nothing slow."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from diversite.errors import OfflineError
from offline.forks import PythonProgram
from offline.project import Project, StackConfiguration
from offline.wishes import Order

POLICY_FILE: Final = "PulumiPolicy.yaml"
PACK_NAME: Final = "the policy pack"
ORGANIZATION: Final = "organization"


def pack_command(order: Order, engine_address: str) -> list[str]:
    """What starts the pack that was asked for; empty when none was.

    Raises:
        OfflineError: the directory holds none.
    """
    program = pack_program(order, engine_address)
    return [str(order.project.python), "-u", "-m", program.module, *program.arguments] if program else []


def pack_program(order: Order, engine_address: str) -> PythonProgram | None:
    """As `pack_command`, for a process that runs Python already."""
    if order.policies is None:
        return None
    if not (order.policies / POLICY_FILE).exists():
        raise OfflineError(f"{order.policies} holds no {POLICY_FILE}; name the directory of a policy pack.")
    return PythonProgram(module="pulumi.policy", arguments=(engine_address, str(order.policies)))


def plugin_command(project: Project, package: str, engine_address: str) -> list[str]:
    """What starts a plugin of the project.

    Raises:
        OfflineError: its executable is not there.
    """
    executable = project.plugins[package]
    if not executable.exists():
        raise OfflineError(f"{executable}, which Pulumi.yaml names as the plugin {package}, is not there.")
    return [str(executable), engine_address]


def plugin_program(command: list[str]) -> PythonProgram | None:
    """What the command of a plugin runs, where its directory is a program in Python; else None."""
    executable, *arguments = command
    directory = Path(executable).parent
    return PythonProgram(path=directory, arguments=tuple(arguments)) if (directory / "__main__.py").exists() else None


def plugin_name(package: str) -> str:
    """How messages name a plugin."""
    return f"the plugin {package}"


def environment_of(order: Order, configuration: StackConfiguration, *, preview: bool) -> dict[str, str]:
    """The environment of every child, as the engine sets it."""
    return {
        **os.environ,
        "PULUMI_PROJECT": order.project.name,
        "PULUMI_STACK": order.stack,
        "PULUMI_ORGANIZATION": ORGANIZATION,
        "PULUMI_DRY_RUN": "true" if preview else "false",
        "PULUMI_CONFIG": json.dumps(dict(configuration.values)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(configuration.secret_keys)),
    }
