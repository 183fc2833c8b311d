"""Features of several models at several scales, extracted in one reading of the images and kept apart on disk.

Each model's feature of each view has a store of its own, so that another choice of models or scales extracts only what is new,
and another re-ranking nothing.

Shape shorthand: N images, B images of a batch, M models, V views (scales, each with its mirror image or not), D feature
dimensions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vreid_common.data import ItemDataset
from vreid_common.errors import InputError
from vreid_common.features.ensemble import main_feature, resize_images
from vreid_common.features.extractor import Extractor
from vreid_common.features.store import FeatureStore, open_store

__all__ = ["FeatureGrid", "GridModel", "open_grid"]

_SHARD = 128
"""Images of a shard: the same in all stores, whatever the batch, so that one reading fills them all."""

_View = tuple[float, bool]
"""Scale of the input, and whether it is mirrored."""


@dataclass(frozen=True)
class GridModel:
    """A model of a grid.

    Attributes:
        name: what messages call it.
        identity: all that its feature of an image depends on, but for the view (``features.identity``), as JSON.
        build: makes the model; called only if something has to be extracted.
    """

    name: str
    identity: Mapping[str, Any]
    build: Callable[[], nn.Module]


@contextmanager
def open_grid(
    root: str | os.PathLike[str],
    models: Sequence[GridModel],
    num_images: int,
    scales: Sequence[float] = (1.0,),
    *,
    flip: bool = False,
) -> Iterator[FeatureGrid]:
    """The stores under ``root`` of all models and views, made where they are not there; every process has to open them.

    Args:
        root: folder of stores, on a disk that all processes share.
        models: M of them.
        num_images: N.
        scales: of the input.
        flip: also the mirror image, at each scale.

    Raises:
        InputError: there is no model or scale, one is there twice, or ``open_store`` cannot open a store.
    """
    if not models:
        raise InputError("There is no model to extract features with.")
    if not scales or len(set(scales)) < len(scales):
        raise InputError(f"The scales are {', '.join(map(str, scales)) or 'empty'}: give one or more, each once.")
    views = [(float(scale), mirrored) for scale in scales for mirrored in ((False, True) if flip else (False,))]
    if len({str(model.identity) for model in models}) < len(models):
        raise InputError(f"One model is given twice: {', '.join(model.name for model in models)}.")
    with ExitStack() as opened:
        stores = [
            {
                (scale, mirrored): opened.enter_context(
                    open_store(root, {**model.identity, "scale": scale, "mirrored": mirrored}, num_images, _SHARD)
                )
                for scale, mirrored in views
            }
            for model in models
        ]
        yield FeatureGrid(models, stores)


class FeatureGrid:
    """M models × V views of N images; ``open_grid`` makes it."""

    def __init__(self, models: Sequence[GridModel], stores: Sequence[Mapping[_View, FeatureStore]]) -> None:
        self._models = models
        self._stores = stores

    def fill(self, dataset: ItemDataset, extractor_of: Callable[[nn.Module], Extractor]) -> int:
        """Extracts what is missing, reading each image once and resizing it once a scale; every process has to call it.

        Args:
            dataset: the N images.
            extractor_of: an extractor of a module that is called with batches.

        Returns:
            How many images had to be read, by all processes.

        Raises:
            InputError: as ``Extractor.fill``.
        """
        pending = [
            (number, view) for number, stores in enumerate(self._stores) for view, store in stores.items() if store.missing()
        ]
        if not pending:
            return 0
        models = {number: self._models[number].build() for number in sorted({number for number, _ in pending})}
        network = _Views({(number, view): models[number] for number, view in pending})
        sink = _Columns([self._stores[number][view] for number, view in network.order], network)
        images = sum(len(sink.images(shard)) for shard in sink.missing())
        extractor_of(network).fill(dataset, sink)
        return images

    def combined(self, scales: Sequence[float] | None = None) -> Tensor:
        """L2(Σ_m Σ_v L2(x_mv)) over all models and the views of ``scales`` (None: all of the grid), read from the stores.

        Source: DEx Eq. 4, the single vectors normalised before. ``Ensemble(models, scales, combine="sum")`` gives the same.

        Returns:
            (N, D) float32.

        Raises:
            InputError: two models' features differ in size (both are named), a scale is not in the grid, or a store is damaged.
        """
        total: Tensor | None = None
        first = self._models[0].name
        for model, stores in zip(self._models, self._stores, strict=True):
            for store in _of_scales(stores, scales):
                features = normalize(store.load(), dim=1)
                if total is None:
                    total = features
                elif total.shape[1] != features.shape[1]:
                    raise InputError(
                        f"The features of {first} have {total.shape[1]} dimensions and those of {model.name} "
                        f"{features.shape[1]}: Eq. 4 adds them, so all models need the same parts of the same size."
                    )
                else:
                    total += features
        if total is None:
            raise InputError("No scale was asked for.")
        return normalize(total, dim=1)


def _of_scales(stores: Mapping[_View, FeatureStore], scales: Sequence[float] | None) -> list[FeatureStore]:
    known = {scale for scale, _ in stores}
    for scale in scales or ():
        if scale not in known:
            raise InputError(f"There are no features of scale {scale}: the scales are {', '.join(map(str, sorted(known)))}.")
    return [store for (scale, _), store in stores.items() if scales is None or scale in scales]


class _Views(nn.Module):
    """Models and the views that each is shown, as one model whose feature is all of theirs side by side."""

    def __init__(self, pairs: Mapping[tuple[int, _View], nn.Module]) -> None:
        super().__init__()
        # By view first, so that a batch is resized once a scale.
        self.order = sorted(pairs, key=lambda pair: (pair[1], pair[0]))
        self.models = nn.ModuleDict({str(number): model for (number, _), model in pairs.items()})
        self.widths: list[int] = []

    def forward(self, batch: Mapping[str, Any]) -> Tensor:
        features: list[Tensor] = []
        resized: tuple[float, Tensor] = (1.0, batch["images"])
        for number, (scale, mirrored) in self.order:
            if resized[0] != scale:
                resized = (scale, resize_images(batch["images"], scale))
            images = resized[1].flip(dims=(3,)) if mirrored else resized[1]
            features.append(main_feature(self.models[str(number)]({**batch, "images": images})).float())
        self.widths = [feature.shape[1] for feature in features]
        return torch.cat(features, dim=1)


class _Columns:
    """Several stores of the same images as one, which takes their features side by side (``extractor.Sink``)."""

    def __init__(self, stores: Sequence[FeatureStore], network: _Views) -> None:
        self._stores = stores
        self._network = network
        self._missing = [set(store.missing()) for store in stores]
        self.num_images = stores[0].num_images

    def images(self, shard: int) -> range:
        return self._stores[0].images(shard)

    def missing(self) -> list[int]:
        return sorted(set().union(*self._missing))

    def write(self, shard: int, features: Tensor) -> None:
        columns = features.split(self._network.widths, dim=1)
        for store, missing, part in zip(self._stores, self._missing, columns, strict=True):
            if shard in missing:
                store.write(shard, part)
