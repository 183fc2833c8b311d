"""Batch normalisation of images that are not to enter its running statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vreid_common.features.inference import evaluation_mode

__all__ = ["own_statistics"]


@contextmanager
def own_statistics(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, but batch normalisation normalises a batch by that batch's own statistics, and keeps none of it.

    Layers that are frozen, or were in evaluation mode before, go on with their running statistics.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.training]
    tracking = [layer.track_running_stats for layer in layers]
    with evaluation_mode(network):
        for layer in layers:
            layer.training, layer.track_running_stats = True, False
        try:
            yield
        finally:
            for layer, tracks in zip(layers, tracking, strict=True):
                layer.track_running_stats = tracks
