"""Executes the runs that are missing: several at a time, parents first, and goes on when one fails."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from vreid_common.cores import available_cores
from vreid_common.errors import InputError
from vreid_common.study.plan import Run, with_ancestors
from vreid_common.study.process import RunProcess, checkpoint_of, recorded_command
from vreid_common.study.progress import ProgressView
from vreid_common.study.results import ResultStore, read_run_output

__all__ = ["Failure", "Resources", "execute", "missing_runs"]

_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 60.0
"""How long interrupted trainings get to save their state."""


@dataclass(frozen=True)
class Failure:
    run: Run
    reason: str


@dataclass(frozen=True)
class Resources:
    """How many runs at a time, on how many threads each, and the GPUs (as CUDA_VISIBLE_DEVICES names them) to spread over."""

    jobs: int
    threads: int
    gpus: tuple[str, ...] = ()

    @classmethod
    def of_this_machine(cls, jobs: int | None = None, threads: int | None = None) -> Resources:
        """One run a GPU, or without GPUs one run for every two cores; the cores are divided among the runs."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
        gpus = tuple(names) if torch.cuda.is_available() else ()
        cores = available_cores()
        jobs = jobs or len(gpus) or max(1, cores // 2)
        return cls(jobs, threads or max(1, cores // jobs), gpus)


def missing_runs(wanted: Sequence[Run], store: ResultStore, work_dir: Path) -> list[Run]:
    """The runs to execute so that every wanted one has a result, parents first.

    A parent whose result is known but whose checkpoint is not in the work folder is executed again. Results that an earlier
    study left in the work folder are taken over.
    """
    missing: list[Run] = []
    for run in wanted:
        if store.load(run) is None and not _take_over(run, store, work_dir):
            missing.append(run)
    needed: list[Run] = []
    for run in missing:
        node: Run | None = run
        while node is not None:
            needed.append(node)
            node = node.parent if node.parent is not None and checkpoint_of(node.parent, work_dir) is None else None
    ids = {run.id for run in needed}
    return [run for run in with_ancestors(needed) if run.id in ids]


def _take_over(run: Run, store: ResultStore, work_dir: Path) -> bool:
    output = read_run_output(work_dir / run.id)
    if output is None:
        return False
    store.save(run, output, recorded_command(run, work_dir))
    return True


def execute(runs: Sequence[Run], store: ResultStore, work_dir: Path, resources: Resources, view: ProgressView) -> list[Failure]:
    """Executes ``runs`` (as :func:`missing_runs` orders them) and stores each result as soon as it is there.

    A run whose parent failed is not started and counts as failed. On KeyboardInterrupt (or SIGTERM) the running trainings are
    asked to save and end, and the interrupt is passed on.
    """
    scheduler = _Scheduler(runs, store, work_dir, resources, view)
    with _sigterm_as_interrupt():
        try:
            while scheduler.turn():
                time.sleep(_POLL_SECONDS)
        except BaseException:
            scheduler.stop()
            raise
    return list(scheduler.failures.values())


class _Scheduler:
    """The state of one :func:`execute`: every run is waiting, running, or has ended."""

    def __init__(
        self, runs: Sequence[Run], store: ResultStore, work_dir: Path, resources: Resources, view: ProgressView
    ) -> None:
        self._store, self._work_dir, self._resources, self._view = store, work_dir, resources, view
        self._waiting = list(runs)
        self._running: dict[int, RunProcess] = {}
        self._elsewhere: set[str] = set()
        self.failures: dict[str, Failure] = {}

    def turn(self) -> bool:
        """Takes in what ended, starts what can start; False when nothing is left."""
        for slot in [slot for slot, process in self._running.items() if process.exit_code is not None]:
            self._finish(self._running.pop(slot))
        self._start_ready()
        self._view.update(list(self._running.values()), len(self._waiting))
        return bool(self._waiting or self._running)

    def stop(self) -> None:
        """Lets the running trainings save and end; a second interrupt ends them at once."""
        for process in self._running.values():
            process.interrupt()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            for process in self._running.values():
                process.end(deadline - time.monotonic())
        except KeyboardInterrupt:
            for process in self._running.values():
                process.end(0)
            raise

    def _finish(self, process: RunProcess) -> None:
        try:
            if process.exit_code == 0 and _take_over(process.run, self._store, self._work_dir):
                self._view.ended(process.run, process.seconds)
                return
            why = f"ended with exit code {process.exit_code}" if process.exit_code else "ended without writing results.json"
        except InputError as error:
            why = str(error)
        self._fail(process.run, f"{why}; the end of {process.folder / 'study.log'}:\n{process.last_lines()}")

    def _fail(self, run: Run, reason: str) -> None:
        self.failures[run.id] = Failure(run, reason)
        self._view.ended(run, failure=reason)

    def _start_ready(self) -> None:
        for run in list(self._waiting):
            if run.parent is not None and run.parent.id in self.failures:
                self._waiting.remove(run)
                self._fail(run, f"not started, because `{run.parent.label}` failed")
            elif not self._parent_is_due(run):
                self._start(run)

    def _parent_is_due(self, run: Run) -> bool:
        due = [*self._waiting, *(process.run for process in self._running.values())]
        return run.parent is not None and any(run.parent.id == other.id for other in due)

    def _start(self, run: Run) -> None:
        slot = next((slot for slot in range(self._resources.jobs) if slot not in self._running), None)
        if slot is None:
            return
        if run.id in self._elsewhere and _take_over(run, self._store, self._work_dir):
            self._waiting.remove(run)
            self._view.ended(run)
            return
        gpus = self._resources.gpus
        try:
            process = RunProcess.start(run, self._work_dir, self._resources.threads, gpus[slot % len(gpus)] if gpus else None)
        except InputError as error:
            self._waiting.remove(run)
            self._fail(run, str(error))
            return
        if process is None:
            self._elsewhere.add(run.id)
            return
        self._waiting.remove(run)
        self._running[slot] = process
        self._view.started(run)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
