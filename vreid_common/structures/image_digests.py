"""Digests of image files, by which copies of one picture are known whatever they are called."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from vreid_common.structures.item import UNKNOWN

__all__ = ["digest_images", "image_digest"]


def image_digest(path: str) -> int:
    """The first 64 bits of the SHA-256 of a file's bytes, as a signed number; ``UNKNOWN`` (-1) where it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path an image costs more than it gives
            digest = hashlib.sha256(file.read()).digest()
    except OSError:
        return UNKNOWN
    number = int.from_bytes(digest[:8], "big", signed=True)
    return number if number != UNKNOWN else 0


def digest_images(paths: Sequence[str]) -> Tensor:
    """``image_digest`` of N files, (N,) int64. Reads them all, several at a time."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return torch.tensor(list(pool.map(image_digest, paths)), dtype=torch.int64)
