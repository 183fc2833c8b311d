"""What a user sees while a run trains: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from contextvars import ContextVar

from fastreid.utils.events import EventWriter, get_event_storage
from tqdm import tqdm

__all__ = ["STAGE", "ProgressPrinter"]

logger = logging.getLogger(__name__)

LINE_PERIOD = 20.0
"""Seconds between two lines where there is no terminal."""

STAGE: ContextVar[str] = ContextVar("stage", default="")
"""Which of a command's stages is running, such as "stage 1 of 2", whose time left is shown; "" where there is one only."""


class ProgressPrinter(EventWriter):
    """Shows loss, rate and time left.

    Args:
        first: iteration that the run starts at (more than 0 where it is resumed).
        total: iterations of the whole run.
        iters_per_epoch: iterations of an epoch.
    """

    def __init__(self, first: int, total: int, iters_per_epoch: int) -> None:
        self._first, self._total, self._iters_per_epoch = first, total, iters_per_epoch
        self._started = self._written = time.monotonic()
        self._shown = first  # FastReID writes after the last iteration, after its epoch and after the training
        self._bar = tqdm(total=total, initial=first, unit="it", dynamic_ncols=True) if sys.stderr.isatty() else None

    def write(self) -> None:
        storage = get_event_storage()
        done = storage.iter + 1
        latest = storage.latest()
        if "total_loss" not in latest:
            return
        stage = STAGE.get() and f"{STAGE.get()}, "
        epoch = f"{stage}epoch {storage.iter // self._iters_per_epoch + 1}/{self._total // self._iters_per_epoch}"
        loss, rate = latest["total_loss"][0], latest["images_per_second"][0]
        if self._bar is not None:
            self._bar.set_description(epoch, refresh=False)
            self._bar.set_postfix_str(f"loss {loss:.4g}, {rate:.0f} img/s", refresh=False)
            self._bar.update(done - self._bar.n)
            return
        now = time.monotonic()
        if done == self._shown or (now - self._written < LINE_PERIOD and done < self._total):
            return
        self._written, self._shown = now, done
        left = (now - self._started) / max(done - self._first, 1) * (self._total - done)
        lr = latest["lr"][0]
        logger.info(
            "%s, iteration %d/%d: loss %.4g, lr %.2e, %.0f img/s, %s left%s",
            epoch, done, self._total, loss, lr, rate, tqdm.format_interval(left), " in this stage" if STAGE.get() else "",
        )  # fmt: skip

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
