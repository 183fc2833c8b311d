"""Features of a set of images with the images' labels, and their form on disk.

Shape shorthand: N images, D feature dimensions.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.files import file_sha256, write_atomically
from vreid_common.structures.item import UNKNOWN, VehicleImage
from vreid_common.structures.joining import join_sets
from vreid_common.structures.names import NAMED_LABELS, LabelNames

__all__ = ["FeatureSet"]

_FIELDS = {label: label.removesuffix("s") for label in ("pids", "camids", "track_ids", "view_ids", "timestamps")}
"""Label → the field of an item that has it."""
_LABELS = (*_FIELDS, "image_digests")
_FORMAT, _FIRST_FORMAT = "vreid-features-2", "vreid-features-1"
"""The first one had neither names, model nor digest."""
_NO_LABEL, _NO_NAMES = torch.empty(0, dtype=torch.int64), LabelNames()


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Features with the labels of the images that they come from. ``FeatureSet.create`` converts and fills in what is unknown.

    Attributes:
        features: (N, D) finite float32, on any device.
        pids: (N,) int64 identities, on the CPU like all labels.
        camids: (N,) int64 cameras; ``UNKNOWN`` (-1) where not known, as in the three below.
        track_ids: (N,) int64 tracklets.
        view_ids: (N,) int64 indices into ``VIEWS``.
        timestamps: (N,) int64, on the data set's own clock.
        paths: the N image files ("" where not known).
        names: what the data's owner calls vehicles, cameras and tracks.
        image_digests: (N,) int64, equal where two image files have the same bytes (``digest_images``).
        model: what made the features, as JSON; equal where they can be compared, None where that is not known.

    Raises:
        ValueError: a shape, dtype or length does not fit.
        InputError: a feature is not finite.
    """

    features: Tensor
    pids: Tensor
    camids: Tensor
    track_ids: Tensor
    view_ids: Tensor
    timestamps: Tensor
    paths: tuple[str, ...]
    names: LabelNames = _NO_NAMES
    image_digests: Tensor = _NO_LABEL
    model: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.image_digests is _NO_LABEL:
            object.__setattr__(self, "image_digests", torch.full((len(self),), UNKNOWN))
        if self.features.ndim != 2 or self.features.dtype != torch.float32:
            raise ValueError(f"Features are (N, D) float32, got {self.features.dtype} {tuple(self.features.shape)}.")
        for name in _LABELS:
            label = getattr(self, name)
            if label.shape != (len(self),) or label.dtype != torch.int64 or label.device.type != "cpu":
                raise ValueError(
                    f"{name} are ({len(self)},) int64 on the CPU, as there are {len(self)} features; "
                    f"got {label.dtype} {tuple(label.shape)} on {label.device}."
                )
        if len(self.paths) != len(self):
            raise ValueError(f"There are {len(self)} features but {len(self.paths)} paths.")
        # One sum finds NaN and infinity without an N×D mask; only where it is not finite are the rows looked at.
        if not torch.isfinite(self.features.sum()):
            finite = torch.isfinite(self.features).all(dim=1)
            if not finite.all():
                row = int((~finite).nonzero()[0])
                path = f" ({self.paths[row]})" if self.paths[row] else ""
                raise InputError(f"The feature in row {row}{path} is not finite, one of {int((~finite).sum())} of {len(self)}.")

    @classmethod
    def create(
        cls,
        features: Tensor | np.ndarray,
        pids: Tensor | np.ndarray | Sequence[int],
        camids: Tensor | np.ndarray | Sequence[int] | None = None,
        track_ids: Tensor | np.ndarray | Sequence[int] | None = None,
        view_ids: Tensor | np.ndarray | Sequence[int] | None = None,
        paths: Sequence[str] | None = None,
        timestamps: Tensor | np.ndarray | Sequence[int] | None = None,
        names: LabelNames | None = None,
        image_digests: Tensor | np.ndarray | Sequence[int] | None = None,
    ) -> FeatureSet:
        """Builds a feature set from arrays, Tensors or lists of any numeric dtype; what is not given is unknown."""
        features = torch.as_tensor(features).detach().to(torch.float32)
        labels = [
            torch.full((len(features),), UNKNOWN) if label is None else torch.as_tensor(label).to("cpu", torch.int64)
            for label in (pids, camids, track_ids, view_ids, timestamps, image_digests)
        ]
        paths = ("",) * len(features) if paths is None else tuple(paths)
        return cls(features, **dict(zip(_LABELS, labels, strict=True)), paths=paths, names=names or _NO_NAMES)

    @classmethod
    def from_items(cls, features: Tensor | np.ndarray, items: Sequence[VehicleImage]) -> FeatureSet:
        """Features (N, D) of N images of a data set, with the images' labels, their names, and paths."""
        labels = {label: [getattr(item, field) for item in items] for label, field in _FIELDS.items()}
        return cls.create(features, **labels, paths=[item.path for item in items], names=LabelNames.of_items(items))

    @classmethod
    def concatenate(cls, sets: Sequence[FeatureSet]) -> FeatureSet:
        """The images of one or more sets of one D and device, one set after the other, joined by their names.

        Raises:
            InputError: one set has names and another one bare numbers.
        """
        if len(sets) > 1:
            sets = join_sets(sets, [f"Set {place} of {len(sets)}" for place in range(1, len(sets) + 1)])
        return cls(
            **{name: torch.cat([getattr(images, name) for images in sets]) for name in ("features", *_LABELS)},
            paths=tuple(path for images in sets for path in images.paths),
            names=sets[0].names,
            model=next((images.model for images in sets if images.model is not None), None),
        )

    def __len__(self) -> int:
        return len(self.features)

    def select(self, indices: Tensor | np.ndarray | Sequence[int] | slice) -> FeatureSet:
        """The images at ``indices`` (K,), in that order, or those where a boolean mask (N,) is true. A slice copies nothing.

        Raises:
            IndexError: an index is outside [0, N).
        """
        if isinstance(indices, slice):
            labels = {name: getattr(self, name)[indices] for name in _LABELS}
            return replace(self, features=self.features[indices], **labels, paths=self.paths[indices])
        index = torch.as_tensor(indices).cpu()
        index = index.nonzero().flatten() if index.dtype == torch.bool else index.to(torch.int64)
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < len(self):
            raise IndexError(f"Indices run from {int(index.min())} to {int(index.max())}, but there are {len(self)} images.")
        return replace(
            self,
            features=self.features[index.to(self.features.device)],
            **{name: getattr(self, name)[index] for name in _LABELS},
            paths=tuple(self.paths[i] for i in index.tolist()),
        )

    def name_of(self, label: str, row: int) -> str | None:
        """What the owner calls the vehicle, camera or track ("pids", "camids", "track_ids") of an image; None if unknown."""
        return self.names.of(label, int(getattr(self, label)[row]))

    def to(self, device: str | torch.device) -> FeatureSet:
        """The same images with their features on ``device``."""
        return replace(self, features=self.features.to(device))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes ``<path>.safetensors`` (features, labels) and ``<path>.json`` (the rest), each under a temporary name first.

        The latter has a digest of both, so that damage is found by ``load``, and so is a pair of which one file was replaced.
        """
        tensors, listing = _file_pair(path)
        mark = uuid.uuid4().hex
        content = {"features": self.features.cpu().contiguous(), **{name: getattr(self, name).contiguous() for name in _LABELS}}
        record = {"format": _FORMAT, "mark": mark, "shape": list(self.features.shape), "paths": self.paths}
        record |= {"names": self._names_in_use().to_json(), "model": self.model}
        tensors.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(tensors, lambda temporary: save_file(content, temporary, metadata={"format": _FORMAT, "mark": mark}))
        text = json.dumps({**record, "sha256": _digest(record, tensors)})
        write_atomically(listing, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: str | torch.device = "cpu") -> FeatureSet:
        """Reads what ``save(path)`` wrote, with the features on ``device``.

        Raises:
            InputError: one of the two files is not there, damaged or of another kind, or they are not from one ``save``.
        """
        tensors, listing = _file_pair(path)
        for file in (tensors, listing):
            if not file.is_file():
                raise InputError(f"{file} is missing: a feature set is {tensors.name} and {listing.name} together.")
        try:
            record = json.loads(listing.read_text(encoding="utf-8"))
            with safe_open(tensors, framework="pt") as content:
                mark = (content.metadata() or {}).get("mark")
                # Older sets have no timestamps or digests of images.
                stored = {"features", *_LABELS[:4], *content.keys()}
                values = {name: content.get_tensor(name) for name in ("features", *_LABELS) if name in stored}
        except (SafetensorError, ValueError) as error:
            raise InputError(f"{tensors} and {listing.name} are not a feature set: {error}.") from error
        if not isinstance(record, dict) or record.get("format") not in (_FORMAT, _FIRST_FORMAT):
            raise InputError(f"{listing} is not the list of a feature set (format {_FORMAT}).")
        if record.get("mark") != mark:
            raise InputError(f"{tensors} and {listing.name} were not written together: extract the features again.")
        if record["format"] == _FORMAT and record.pop("sha256", None) != _digest(record, tensors):
            raise InputError(f"{tensors} or {listing.name} is damaged (its digest is another): extract the features again.")
        paths = record.get("paths")
        if not (isinstance(paths, list) and all(isinstance(name, str) for name in paths)):
            raise InputError(f"{listing} has no list of paths.")
        try:
            names = LabelNames.from_json(record.get("names", {}))
            values = {"timestamps": torch.full((len(values["features"]),), UNKNOWN)} | values
            values["features"] = values["features"].to(device)
            return cls(**values, paths=tuple(paths), names=names, model=record.get("model"))
        except (ValueError, InputError) as error:
            raise InputError(f"{tensors}: {error}") from error

    def _names_in_use(self) -> LabelNames:
        return self.names.used_by({label: getattr(self, label).numpy() for label in NAMED_LABELS})


def _digest(record: Mapping[str, Any], tensors: Path) -> str:
    """SHA-256 of what the two files of a feature set hold."""
    text = json.dumps(record, sort_keys=True) + file_sha256(tensors)
    return hashlib.sha256(text.encode()).hexdigest()


def _file_pair(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    path = Path(path)
    if not path.name:
        raise InputError(f"{str(path)!r} is no name of a feature file.")
    stem = path.with_suffix("") if path.suffix in (".safetensors", ".json") else path
    return stem.with_name(f"{stem.name}.safetensors"), stem.with_name(f"{stem.name}.json")
