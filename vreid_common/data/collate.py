"""Samples to a batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import default_collate

from vreid_common.errors import InputError

__all__ = ["collate"]


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stacks samples, key by key: Tensors and numbers of any kind to a Tensor, strings to a list.

    Integers become int64, whatever type the data set's labels had (FastReID's collator turns NumPy scalars into None).

    Raises:
        InputError: the images differ in size.
    """
    sizes = {tuple(sample["images"].shape) for sample in samples}
    if len(sizes) > 1:
        raise InputError(
            f"The images of one batch differ in size, {' and '.join(map(str, sorted(sizes)[:2]))}: "
            "give INPUT.SIZE_TRAIN and INPUT.SIZE_TEST two numbers, or enable INPUT.CROP."
        )
    return {key: _long(value) if key != "images" else value for key, value in default_collate(list(samples)).items()}


def _long(value: Any) -> Any:
    is_integer = isinstance(value, torch.Tensor) and not value.is_floating_point()
    return value.long() if is_integer else value
