"""Progress of a deployment: a live line in a terminal; afterwards one line for each kind of resource."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from offline import Diagnostic, Event

CHANGES = ("create", "update", "replace", "delete")


class Deployment:
    """Tells the steps of a run; pass `on_event` to it. Components are made of resources, and not counted."""

    def __init__(self, console: Console, title: str) -> None:
        self.counts: Counter[str] = Counter()
        self._console = console
        self._title = title
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._kinds: dict[tuple[str, str], list[float]] = {}
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
        )
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        for (step, name), moments in sorted(self._kinds.items(), key=lambda item: item[1][0]):
            span = f"{moments[0]:4.1f} to {moments[-1]:4.1f} s"
            self._console.print(f"  {step}d {len(moments):3} {name:8} {span}", highlight=False)

    def on_event(self, event: Event) -> None:
        """Take note of one event."""
        with self._lock:
            if event.kind == "step-done" and event.step and event.step.value in CHANGES:
                self._done(event, event.step.value)
            elif event.kind == "diagnostic" and event.severity == "warning":
                self._console.print(f"  warning: {event.message}", markup=False, highlight=False)

    def tell_failure(self, errors: Iterable[Diagnostic]) -> None:
        """Every error of a run, and how to go on."""
        for error in errors:
            self._console.print(f"  failed: {error.message}", style="red", markup=False, highlight=False)
        self._console.print(
            "The same command goes on where this one stopped; `diversite lab down` removes what is there."
        )

    def _done(self, event: Event, step: str) -> None:
        if event.type.startswith(("diversite:", "pulumi:")):
            return
        self.counts[step] += 1
        kind = event.type.rsplit(":", 1)[-1].lower()
        self._kinds.setdefault((step, kind), []).append(time.monotonic() - self._began)
        self._progress.update(self._task, description=f"{self._title}: {sum(self.counts.values())} {event.name}")
