"""FastReID's data: its loader, its decoding and its transforms."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from vreid_common.compat.in_place import copy_of, in_place_of

__all__ = ["affine_of_todays_torchvision", "collate_numpy_labels", "load_without_cuda_streams", "read_images_as_rgb"]


def load_without_cuda_streams() -> None:
    """A3, B14: DataLoaderX makes a CUDA stream at once and hangs for ever when its thread meets a corrupt image."""
    from fastreid.data.data_utils import DataLoaderX

    def __init__(self: DataLoader, local_rank: int, *, pin_memory: bool = False, **kwargs: Any) -> None:
        DataLoader.__init__(self, pin_memory=pin_memory and torch.cuda.is_available(), **kwargs)
        self.local_rank = local_rank

    def __iter__(self: DataLoader) -> Iterator[Any]:
        batches = DataLoader.__iter__(self)
        return map(self._on_device, batches) if torch.cuda.is_available() else batches

    def _on_device(self: DataLoader, batch: Any) -> Any:
        """Models that do not move images themselves had them from here."""
        if not isinstance(batch, dict):
            return batch
        return {
            key: value.to(self.local_rank, non_blocking=True) if isinstance(value, torch.Tensor) else value
            for key, value in batch.items()
        }

    for name in ("__next__", "preload", "_shutdown_background_thread"):
        delattr(DataLoaderX, name)
    DataLoaderX.__init__, DataLoaderX.__iter__, DataLoaderX._on_device = __init__, __iter__, _on_device
    DataLoaderX.shutdown = lambda self: None


def read_images_as_rgb() -> None:
    """B15: palette, alpha and CMYK images reached the network as they were."""
    from fastreid.data import data_utils

    as_it_is = copy_of(data_utils.read_image)

    @in_place_of(data_utils.read_image)
    def read_image(file_name: str, format: str | None = "RGB") -> Any:
        return as_it_is(file_name, format or "RGB")


def collate_numpy_labels() -> None:
    """B15: labels that are NumPy's numbers or arrays became None."""
    from fastreid.data import build

    collate = copy_of(build.fast_batch_collator)

    @in_place_of(build.fast_batch_collator)
    def fast_batch_collator(batched_inputs: Sequence[Any]) -> Any:
        if isinstance(batched_inputs[0], (np.number, np.bool_, np.ndarray)):
            return torch.as_tensor(np.stack(batched_inputs))
        return collate(batched_inputs)


def affine_of_todays_torchvision() -> None:
    """A7: `RandomAffine(resample=, fillcolor=)` are called `interpolation` and `fill` now."""
    import torchvision.transforms as T
    from fastreid.data.transforms import build

    transforms = types.ModuleType(T.__name__)
    transforms.__dict__.update(T.__dict__)

    def random_affine(*args: Any, resample: bool = False, fillcolor: float = 0, **kwargs: Any) -> T.RandomAffine:
        mode = T.InterpolationMode.BILINEAR if resample else T.InterpolationMode.NEAREST
        return T.RandomAffine(*args, interpolation=mode, fill=fillcolor, **kwargs)

    transforms.RandomAffine = random_affine
    build.T = transforms  # the module's own name for torchvision, which nobody else has from there
