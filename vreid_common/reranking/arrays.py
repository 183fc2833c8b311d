"""NumPy in, NumPy out; Tensor in, Tensor out on the same device: how every function of this package takes and gives arrays."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["Array", "as_features", "as_labels", "give_back"]

Array = Tensor | np.ndarray


def as_features(*arrays: Array, names: tuple[str, ...] = ("query", "gallery")) -> list[Tensor]:
    """Feature arrays (N, D) of one D as float32 Tensors on one device, contiguous; copied only where they are not so already.

    Raises:
        TypeError: one is neither a Tensor nor an array, or they are of both kinds.
        ValueError: a shape, dtype or device does not fit the others, or a feature is not finite.
    """
    if len({isinstance(array, Tensor) for array in arrays}) > 1:
        raise TypeError("Features are all Tensors or all NumPy arrays, not some of each.")
    tensors = []
    for name, array in zip(names, arrays, strict=False):
        if not isinstance(array, Tensor | np.ndarray):
            raise TypeError(f"The {name} features are a Tensor or a NumPy array, got {type(array).__name__}.")
        floating = array.is_floating_point() if isinstance(array, Tensor) else array.dtype.kind == "f"
        if array.ndim != 2 or not floating:
            raise ValueError(f"The {name} features are (N, D) floats, got {array.dtype} {tuple(array.shape)}.")
        if isinstance(array, np.ndarray):
            # torch takes neither negative strides nor read-only memory without a warning: such arrays are copied.
            array = torch.from_numpy(np.require(array, np.float32, ["C", "W"]))
        tensor = array.detach().to(torch.float32).contiguous()
        # One sum a row finds NaN and infinity without an N×D mask; a finite sum that overflowed is looked at again.
        sums = tensor.sum(dim=1)
        if not bool(torch.isfinite(sums).all()):
            bad = ~torch.isfinite(tensor).all(dim=1)
            if bool(bad.any()):
                row = int(bad.nonzero()[0])
                raise ValueError(f"Row {row} of the {name} features is not finite, one of {int(bad.sum())} such rows.")
        tensors.append(tensor)
    first = tensors[0]
    for name, tensor in zip(names[1:], tensors[1:], strict=False):
        if tensor.shape[1] != first.shape[1]:
            raise ValueError(
                f"The {names[0]} features have {first.shape[1]} dimensions, those of the {name} {tensor.shape[1]}."
            )
        if tensor.device != first.device:
            raise ValueError(f"The {names[0]} features are on {first.device}, those of the {name} on {tensor.device}.")
    return tensors


def as_labels(labels: Array, size: int, name: str) -> Tensor:
    """Labels (size,) as int64 on the CPU.

    Raises:
        ValueError: they are no integers or of another number.
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu":
        # torch takes neither negative strides nor, without a warning, read-only memory.
        labels = np.require(labels, np.int64, ["C", "W"])
    tensor = torch.as_tensor(labels).detach().cpu()
    if tensor.shape != (size,) or (size and (tensor.is_floating_point() or tensor.dtype == torch.bool)):
        raise ValueError(f"{name} are ({size},) integers, got {tensor.dtype} {tuple(tensor.shape)}.")
    return tensor.to(torch.int64)


def give_back(result: Tensor, like: Array) -> Array:
    """``result`` in the kind of array that ``like`` is."""
    return result if isinstance(like, Tensor) else result.cpu().numpy()
