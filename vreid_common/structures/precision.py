"""float32 products that are float32 products."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["full_precision"]


class _Users:
    """How many threads are in ``full_precision``, and what the first of them found."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.found: _Settings | None = None


class _Settings:
    """What is set for float32 products, by either of PyTorch's two interfaces.

    The older one (``torch.set_float32_matmul_precision``) has one value and raises once the newer one
    (``fp32_precision`` of each backend, since PyTorch 2.9) was used in another way.
    """

    def __init__(self) -> None:
        self.by_backend = {backend: _own_value(backend) for backend in _backends()}
        try:
            self.old: str | None = torch.get_float32_matmul_precision()
        except RuntimeError:
            self.old = None

    def set_full(self) -> None:
        if self.old is not None:
            torch.set_float32_matmul_precision("highest")
            return
        for backend in self.by_backend:
            backend.fp32_precision = "ieee"

    def restore(self) -> None:
        if self.old is not None:
            torch.set_float32_matmul_precision(self.old)
        for backend, value in self.by_backend.items():
            backend.fp32_precision = value


def _backends() -> list[Any]:
    both = (torch.backends.cuda.matmul, getattr(torch.backends.mkldnn, "matmul", None))
    return [backend for backend in both if hasattr(backend, "fp32_precision")]


def _own_value(backend: Any) -> str:
    """What is set for products themselves: "none" where they follow ``torch.backends.fp32_precision``."""
    value = backend.fp32_precision
    backend.fp32_precision = "none"
    follows = backend.fp32_precision == value
    backend.fp32_precision = value
    return "none" if follows else value


_users = _Users()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """float32 products, whatever a training run chose: TF32 or autocast would change ranks of close gallery images.

    The setting is the whole process's, so the first of several threads sets it and the last one restores it.
    """
    with _users.lock:
        if _users.count == 0:
            _users.found = _Settings()
            _users.found.set_full()
        _users.count += 1
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        with _users.lock:
            _users.count -= 1
            if _users.count == 0:
                _users.found.restore()
