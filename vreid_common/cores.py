"""The processor cores that this process may use."""

import os

__all__ = ["available_cores"]


def available_cores() -> int:
    """Cores that the system lets this process run on: fewer than the machine has under taskset or in a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
