"""What a caller can do to a stack: up, destroy, refresh; take over a state of the CLI."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Unpack

from diversite.errors import OfflineError
from offline import checkpoint, urns
from offline.checkpoint import ResourceState
from offline.deployment import Deployment
from offline.journal import Journal, locked
from offline.previewing import preview_of
from offline.project import Project
from offline.providers import cloud_refusal
from offline.results import Outcome, Preview, Resource, Step, resource_of
from offline.session import Session, opened
from offline.values import mark_secret
from offline.wishes import Order, Wishes


def up(project: Project, stack: str, **wishes: Unpack[Wishes]) -> Outcome:
    """Make the stack what its program says, with the project's own plugins.

    Previews first and stops there when the preview is not ok. An interrupt (or `stop`, set by the caller) lets running
    steps finish and takes no new ones; the next `up` continues, also after a kill.

    Raises:
        OfflineError: as `preview`, and when another run holds the stack or the program declares a cloud's resources.
    """
    order = Order(project, stack, wishes)
    with locked(project.lock_file(stack)):
        before = preview_of(order)
        _refuse_clouds(before, project)
        return _apply(order, before) if before.ok else _stopped_before(order, before)


def destroy(project: Project, stack: str, **wishes: Unpack[Wishes]) -> Outcome:
    """Delete every resource of the stack, those included that a killed run was creating. Runs no program.

    Raises:
        OfflineError: another run holds the stack, its state cannot be read, or a plugin does not start.
    """
    order = Order(project, stack, wishes)
    with locked(project.lock_file(stack)), opened(order, preview=False) as session:
        began = time.monotonic()
        adopted = session.deployment.adopt_interrupted()
        session.deployment.remove([state for state in session.journal.resources() if state not in adopted] + adopted)
        session.journal.commit()
        return _outcome(session, began)


def refresh(project: Project, stack: str, **wishes: Unpack[Wishes]) -> Outcome:
    """Make the state what is really there. What is gone is named in `Outcome.gone` and dropped; `up` makes it anew.

    Raises:
        OfflineError: as `destroy`.
    """
    order = Order(project, stack, wishes)
    with locked(project.lock_file(stack)), opened(order, preview=False) as session:
        began = time.monotonic()
        found = _read_all(session)
        session.journal.replace_base(found)
        gone = tuple(state.urn for state, new in found.items() if new is None)
        return replace(_outcome(session, began), resources=_read_results(found), gone=gone)


def take_over(project: Project, stack: str, text: str) -> None:
    """Make the text of `pulumi stack export` the state of a stack, in place of the one it has.

    Raises:
        OfflineError: it is no state that this runner can go on from; nothing is changed then.
    """
    with locked(project.lock_file(stack)):
        deployment = checkpoint.parse(text, stack, "the given state", project.configuration(stack).salt)
        if problems := checkpoint.problems(deployment.resources):
            raise OfflineError("the given state is not whole: " + "; ".join(problems))
        Journal(deployment, project.state_file(stack)).commit()


def _apply(order: Order, before: Preview) -> Outcome:
    began = time.monotonic()
    with opened(order, preview=False) as session:
        succeeded = session.run_program()
        session.deployment.finish(succeeded=succeeded)
        if succeeded:
            session.judge()
        return replace(_outcome(session, began), preview=before)


def _stopped_before(order: Order, before: Preview) -> Outcome:
    return Outcome(
        project=order.project.name, stack=order.stack, resources=(), diagnostics=before.diagnostics, preview=before
    )


def _refuse_clouds(before: Preview, project: Project) -> None:
    for resource in before.resources:
        package = urns.package_of(resource.type)
        if resource.custom and package not in project.plugins and resource.step is not Step.SAME:
            raise cloud_refusal(package)


def _outcome(session: Session, began: float) -> Outcome:
    deployment = session.deployment
    return Outcome(
        project=session.order.project.name,
        stack=session.order.stack,
        resources=tuple(deployment.account.results.values()),
        diagnostics=tuple(deployment.account.diagnostics),
        policies=tuple(deployment.account.findings),
        outputs=deployment.outputs,
        interrupted=deployment.stopping.is_set(),
        seconds=time.monotonic() - began,
    )


def _read_all(session: Session) -> dict[ResourceState, ResourceState | None]:
    served = [item for item in session.journal.base if item.custom and not urns.is_provider(item.type)]
    with ThreadPoolExecutor(max_workers=session.order.parallel) as pool:
        answers = list(pool.map(lambda item: _read(session, item), served))
    return dict(zip(served, answers, strict=True))


def _read(session: Session, item: ResourceState) -> ResourceState | None:
    if session.deployment.stopping.is_set():
        return item
    try:
        identity, outputs, inputs = session.deployment.account.provider_for(item).read(item)
    except OfflineError as error:
        session.deployment.account.diagnose("error", str(error), item.urn)
        return item
    if not identity:
        _say_gone(session.deployment, item)
        return None
    outputs = mark_secret(outputs, item.additional_secret_outputs)
    if (identity, outputs, inputs) == (item.id, item.outputs, item.inputs):
        return item
    return replace(item, id=identity, outputs=outputs, inputs=inputs, modified=checkpoint.now())


def _say_gone(deployment: Deployment, item: ResourceState) -> None:
    deployment.account.diagnose(
        "warning", f"{urns.name_of(item.urn)} is gone; the state forgets it, and `up` makes it anew.", item.urn
    )


def _read_results(found: Mapping[ResourceState, ResourceState | None]) -> tuple[Resource, ...]:
    return tuple(resource_of(new or old, _read_step(old, new)) for old, new in found.items())


def _read_step(old: ResourceState, new: ResourceState | None) -> Step:
    if new is None:
        return Step.DELETE
    return Step.SAME if new is old else Step.UPDATE
