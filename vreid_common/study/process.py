"""One run as a child process: its command, its folder and its lock.

A run's folder ``<work_dir>/<hash>`` holds everything the training writes, ``study.log`` (what it printed) and ``lock``, held as
long as the child lives: a second study waits for the run instead of starting it twice, even if the first study was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from vreid_common.errors import InputError
from vreid_common.files import open_lock
from vreid_common.lifetime import ended_with_us
from vreid_common.study.plan import Run
from vreid_common.study.results import read_run_output

__all__ = ["RunProcess", "checkpoint_of", "command_of", "recorded_command"]


def command_of(run: Run, work_dir: Path) -> list[str]:
    """Arguments after ``python`` that execute ``run``.

    ``--resume`` continues what an interrupted study left and is without effect in an empty folder.
    """
    trained = run.evaluates or run
    settings = dict(trained.overrides)
    if trained.after is not None and trained.checkpoint_key is not None:
        settings[trained.checkpoint_key] = _checkpoint_path(trained.after, work_dir)
    if run.evaluates is not None:
        settings |= {**run.overrides, "MODEL.WEIGHTS": _checkpoint_path(run.evaluates, work_dir)}
    settings |= {"OUTPUT_DIR": work_dir / run.id, "SEED": run.seed}
    mode = "--resume" if run.evaluates is None else "--eval-only"
    options = [text for key, value in settings.items() for text in (key, _option_text(value))]
    return [str(run.project / "train_net.py"), "--config-file", str(run.config), mode, *options]


def _option_text(value: object) -> str:
    """The value as yacs reads it; lists in double quotes, which need no escaping in a shell's single ones."""
    if not isinstance(value, list):
        return str(value)
    return f"[{', '.join(json.dumps(item) if isinstance(item, str) else str(item) for item in value)}]"


def recorded_command(run: Run, work_dir: Path) -> str:
    """The command as a reader would type it in the repository's root, free of this machine's folders."""
    root = run.project.parent.parent
    words = [word.replace(f"{work_dir}/", "runs/").replace(f"{root}/", "") for word in command_of(run, work_dir)]
    return shlex.join(["python", *words])


def checkpoint_of(run: Run, work_dir: Path) -> Path | None:
    """The final checkpoint of a finished training in the work folder, or None."""
    finished = read_run_output(work_dir / run.id) is not None
    path = _checkpoint_path(run, work_dir)
    return path if finished and path.is_file() else None


def _checkpoint_path(run: Run, work_dir: Path) -> Path:
    """Where the final checkpoint is: results.json says so (a training of several stages keeps it in the last one's folder)."""
    output = read_run_output(work_dir / run.id) or {}
    return work_dir / run.id / output.get("checkpoint", "model_final.pth")


class RunProcess:
    """A started run. It lives in a session of its own, so that Ctrl-C reaches it once: through :meth:`interrupt`."""

    def __init__(self, run: Run, folder: Path, child: subprocess.Popen[bytes]) -> None:
        self.run = run
        self.folder = folder
        self.started = time.monotonic()
        self._child = child

    @classmethod
    def start(cls, run: Run, work_dir: Path, threads: int, gpu: str | None) -> RunProcess | None:
        """Starts ``run``, or returns None if another study is at it.

        Raises:
            InputError: if the run that it starts from left no final checkpoint.
        """
        if run.parent is not None and checkpoint_of(run.parent, work_dir) is None:
            raise InputError(
                f"`{run.parent.label}` left no final checkpoint in {work_dir / run.parent.id}, which this run starts from"
            )
        folder = work_dir / run.id
        folder.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        if gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = gpu
        with open_lock(folder / "lock") as lock, (folder / "study.log").open("ab") as log:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            (folder / "results.json").unlink(missing_ok=True)  # of an earlier training, whose checkpoint is gone
            child = subprocess.Popen(
                [sys.executable, *command_of(run, work_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(lock.fileno(),),  # the lock lives as long as the child
                start_new_session=True,
                # A study that is killed lets its runs save and end: nobody would be there to take their results.
                preexec_fn=ended_with_us(signal.SIGTERM),
            )
        return cls(run, folder, child)

    @property
    def exit_code(self) -> int | None:
        return self._child.poll()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def interrupt(self) -> None:
        """What Ctrl-C does: the training saves and ends."""
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGINT)

    def end(self, patience: float) -> None:
        """Waits ``patience`` seconds, then kills the child and all its workers."""
        try:
            self._child.wait(max(patience, 0.0))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def position(self) -> str:
        """How far it is, from the last line of the newest metrics.json below its folder."""
        files = sorted(self.folder.rglob("metrics.json"), key=lambda path: path.stat().st_mtime)
        if not files:
            return "starting"
        with files[-1].open("rb") as file:
            file.seek(max(0, files[-1].stat().st_size - 8192))
            lines = file.read().split(b"\n")
        for line in reversed(lines[:-1]):
            with contextlib.suppress(ValueError):
                entry: Mapping[str, object] = json.loads(line)
                return f"iteration {entry.get('iteration', '?')}"
        return "starting"

    def last_lines(self, count: int = 15) -> str:
        """The end of what the run printed."""
        log = self.folder / "study.log"
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16384))
            text = file.read().decode("utf-8", "replace").replace("\r", "\n")
        return "\n".join([line for line in text.splitlines() if line.strip()][-count:])
