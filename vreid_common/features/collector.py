"""Collects features and labels batch by batch, and joins those of all processes in the data set's order.

Shape shorthand: B images of a batch, N images of the test set, D feature dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.features.gather import exchange, gather_rows
from vreid_common.structures import UNKNOWN, FeatureSet

__all__ = ["MAIN_FEATURE", "FeatureCollector"]

MAIN_FEATURE = "main"
"""Name of the feature of a model that returns a Tensor instead of named ones."""

# Keys of a batch and whether FastReID's own batches have them. Positions are kept beside the labels.
_LABEL_KEYS = {"targets": True, "camids": True, "track_ids": False, "view_ids": False, "timestamps": False}
_LABEL_KEYS |= {"image_digests": False, "indices": False}
# Features stay on the device until so many bytes are there: a copy for each batch would make the device wait for the host.
_FLUSH_BYTES = 64 << 20


class FeatureCollector:
    """One round of extraction on this process."""

    def __init__(self) -> None:
        self._features: dict[str, list[Tensor]] = {}
        self._labels: list[Tensor] = []
        self._paths: list[str] = []
        self._indexed: bool | None = None
        self._first_unflushed = 0
        self._unflushed_bytes = 0
        self.device = torch.device("cpu")

    def add(self, inputs: Mapping[str, Any], outputs: Tensor | Mapping[str, Tensor]) -> None:
        """Adds a batch: ``inputs`` as FastReID's or our loader gives them, ``outputs`` (B, D) of any float type and device.

        Raises:
            InputError: a label is missing or not an integer, or the features do not fit the batch or the batches before.
        """
        columns = [_labels(inputs, key, needed) for key, needed in _LABEL_KEYS.items()]
        labels = torch.stack([column.to(columns[0].device) for column in columns], dim=1)
        features = dict(outputs) if isinstance(outputs, Mapping) else {MAIN_FEATURE: outputs}
        if self._labels and features.keys() != self._features.keys():
            raise InputError(f"The model returned {list(features)} after batches with {list(self._features)}.")
        for name, feature in features.items():
            if feature.ndim != 2 or len(feature) != len(labels) or not feature.is_floating_point():
                raise InputError(
                    f"The model's feature {name!r} is {feature.dtype} {tuple(feature.shape)} for a batch of {len(labels)} "
                    "images: it has to be a float Tensor with a row an image."
                )
        indexed = "indices" in inputs
        if self._indexed not in (None, indexed):
            raise InputError("Some batches of the test loader have `indices` and some have not.")
        self._indexed = indexed
        for name, feature in features.items():
            # A copy, as the model may write its next output into the same memory.
            kept = feature.detach().to(torch.float32, copy=True)
            self._features.setdefault(name, []).append(kept)
            self._unflushed_bytes += kept.nbytes
            self.device = kept.device
        self._labels.append(labels)
        self._paths += inputs.get("img_paths") or [""] * len(labels)
        if self._unflushed_bytes >= _FLUSH_BYTES:
            self._flush()

    def gather(self) -> dict[str, FeatureSet]:
        """Name → features of all processes in the data set's order (rank after rank where batches have no ``indices``).

        Every process has to call it; the result is empty except on the main process. What was collected is given up.

        Raises:
            InputError: nothing was collected, processes disagree, an image is missing or double, or a feature is not finite.
        """
        self._flush()
        paths = json.dumps(self._paths).encode()
        dims = {name: chunks[0].shape[1] for name, chunks in self._features.items()}
        header = {"count": len(self._paths), "dims": dims, "indexed": self._indexed, "path_bytes": len(paths)}
        headers = exchange(header)
        with_images = [header for header in headers if header["count"]]
        if not with_images:
            raise InputError("There is nothing to evaluate: the test loader gave no batch.")
        first = with_images[0]
        if any((other["dims"], other["indexed"]) != (first["dims"], first["indexed"]) for other in with_images):
            raise InputError("The processes returned features of different names or sizes, or some without `indices`.")

        # All that travels does so before anything is judged: a fault found on the main process leaves no other one sending.
        counts = [header["count"] for header in headers]
        labels = gather_rows(torch.cat([torch.empty(0, len(_LABEL_KEYS), dtype=torch.int64), *self._labels]), counts)
        path_bytes = gather_rows(torch.frombuffer(bytearray(paths), dtype=torch.uint8), [h["path_bytes"] for h in headers])
        features = {
            name: gather_rows(torch.cat([torch.empty(0, dim), *self._features.pop(name, [])]), counts)
            for name, dim in first["dims"].items()
        }
        if labels is None or path_bytes is None:
            return {}
        parts = path_bytes.split([header["path_bytes"] for header in headers])
        listing = [path for part in parts for path in json.loads(bytes(part.numpy()))]
        order = _data_set_order(labels[:, -1]) if first["indexed"] else None
        if order is not None:
            labels, listing = labels[order], [listing[i] for i in order.tolist()]
        return {
            name: _feature_set(name, rows if order is None else rows[order], labels, listing)
            for name, rows in features.items()
            if rows is not None
        }

    def _flush(self) -> None:
        for chunks in (*self._features.values(), self._labels):
            chunks[self._first_unflushed :] = [chunk.cpu() for chunk in chunks[self._first_unflushed :]]
        self._first_unflushed, self._unflushed_bytes = len(self._labels), 0


def _labels(inputs: Mapping[str, Any], key: str, needed: bool) -> Tensor:
    if key not in inputs and not needed:
        return torch.full((len(inputs["targets"]),), UNKNOWN, device=getattr(inputs["targets"], "device", None))
    try:
        labels = torch.as_tensor(inputs[key])
        if labels.ndim != 1 or labels.is_floating_point():
            raise ValueError(f"{labels.dtype} {tuple(labels.shape)}")
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"A batch of the test loader has no integer {key!r}, one an image: {error}.") from error
    return labels.long()


def _data_set_order(indices: Tensor) -> Tensor | None:
    """What sorts rows by their index; None where they are sorted.

    Raises:
        InputError: the indices are not 0 to N - 1, each once.
    """
    expected = torch.arange(len(indices))
    if torch.equal(indices, expected):
        return None
    ordered, order = indices.sort()
    if torch.equal(ordered, expected):
        return order
    double = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(double):
        raise InputError(
            f"Image {int(double[0])} of the test set was evaluated more than once: mend the test loader's sampler."
        )
    missing = int((ordered != expected).nonzero()[0])
    raise InputError(f"Image {missing} of the test set was not evaluated: mend the test loader's sampler.")


def _feature_set(name: str, features: Tensor, labels: Tensor, paths: list[str]) -> FeatureSet:
    try:
        columns = dict(zip(("pids", *list(_LABEL_KEYS)[1:-1]), labels[:, :-1].T.contiguous(), strict=True))
        return FeatureSet(features, **columns, paths=tuple(paths))
    except InputError as error:
        raise InputError(f"Feature {name!r} of the model cannot be evaluated: {error}") from error
