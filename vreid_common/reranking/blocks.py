"""Work on blocks of rows: side by side in threads on the CPU, one after another on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from vreid_common.threads import run_threads

__all__ = ["for_each_block"]


def for_each_block(work: Callable[[int, int], None], size: int, rows: int, device: torch.device) -> None:
    """Calls ``work(start, stop)`` for each ``rows`` of ``size`` rows, without gradients.

    Args:
        work: writes the results of its own rows only.
        size: the number of rows.
        rows: the rows of a block.
        device: where ``work`` computes.
    """
    starts = range(0, size, rows)
    # Threads do not inherit the mode, and without it may not write into what was made in it.
    inference = torch.is_inference_mode_enabled()

    def run(numbers: Iterator[int]) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            for number in numbers:
                work(starts[number], min(starts[number] + rows, size))

    if device.type == "cpu" and len(starts) > 1:
        run_threads(run, len(starts))
    else:
        run(iter(range(len(starts))))
