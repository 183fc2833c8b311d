"""Shows how far a study is: one bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from tqdm import tqdm

from vreid_common.study.plan import Run
from vreid_common.study.process import RunProcess

__all__ = ["ProgressView"]

_REDRAW_SECONDS = 1.0


class ProgressView:
    """Counts ended runs out of ``total``; on a terminal the bar also shows where each running one is."""

    def __init__(self, total: int) -> None:
        layout = "{n_fmt}/{total_fmt} runs |{bar:20}| {elapsed}{postfix}"
        self._bar = tqdm(total=total, bar_format=layout, disable=not sys.stderr.isatty(), dynamic_ncols=True)
        self._total = total
        self._ended = 0
        self._drawn = 0.0

    def __enter__(self) -> ProgressView:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.close()

    def started(self, run: Run) -> None:
        if self._bar.disable:
            self._line(f"started {run.label} ({run.id})")

    def ended(self, run: Run, seconds: float | None = None, failure: str | None = None) -> None:
        """``seconds`` is None for a run that another study did."""
        self._ended += 1
        self._bar.update()
        done = "done by another study" if seconds is None else f"done in {seconds:.0f} s"
        outcome = done if failure is None else f"FAILED: {failure}"
        self._line(f"[{self._ended}/{self._total}] {run.label} ({run.id}) {outcome}")

    def update(self, running: Sequence[RunProcess], waiting: int) -> None:
        if not self._bar.disable and time.monotonic() - self._drawn > _REDRAW_SECONDS:
            self._drawn = time.monotonic()
            positions = "; ".join(f"{process.run.label}: {process.position()}" for process in running)
            self._bar.set_postfix_str(f"{positions or 'waiting for another study'}, {waiting} to start")

    def _line(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)
