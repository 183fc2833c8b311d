"""How much memory this process needs beside what it holds already."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path

import torch

__all__ = ["PeakMemory"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MEGABYTE = 1 << 20


class PeakMemory:
    """Notes what the process holds, resident or on the GPU, and then the most that it held since.

    Where there is no /proc the most of the process's whole life stands for both, so that a rise may be missed.
    """

    def __init__(self, device: str) -> None:
        self._on_card = device == "cuda"
        gc.collect()
        if self._on_card:
            torch.cuda.reset_peak_memory_stats()
        elif _RESET.exists():
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's: freed memory is no longer held
            if trim is not None:
                trim(0)
            _RESET.write_text("5")  # the peak begins anew
        self._before = self._peak()

    def megabytes(self) -> float:
        """The rise until now, in MiB."""
        return (self._peak() - self._before) / _MEGABYTE

    def _peak(self) -> int:
        if self._on_card:
            return torch.cuda.max_memory_allocated()
        if _STATUS.exists():
            line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
            return int(line.split()[1]) * 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
