"""float32 products that are float32 products."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["full_precision"]


class _Users:
    """How many threads are in ``full_precision``, and what the first of them found."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.precision = "highest"


_users = _Users()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """float32 products, whatever a training run chose: TF32 or autocast would change ranks of close gallery images.

    The setting is the whole process's, so the first of several threads sets it and the last one restores it.
    """
    with _users.lock:
        if _users.count == 0:
            _users.precision = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("highest")
        _users.count += 1
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        with _users.lock:
            _users.count -= 1
            if _users.count == 0:
                torch.set_float32_matmul_precision(_users.precision)
