"""FastReID's meta-architectures, backbones and losses."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vreid_common.compat.in_place import in_place_of

__all__ = ["find_packaged_configs", "keep_teachers_still", "normalise_out_of_place", "weigh_hard_examples_stably"]


def normalise_out_of_place() -> None:
    """A4, B2, B3: images stayed on the CPU, and were normalised in place: flipped passes and callers' tensors twice."""
    from fastreid.modeling.meta_arch import MGN, Baseline

    def preprocess_image(self: Any, batched_inputs: Any) -> Any:
        images = batched_inputs["images"] if isinstance(batched_inputs, Mapping) else batched_inputs
        images = images.to(self.device, non_blocking=True).to(self.pixel_mean.dtype)
        return images.sub(self.pixel_mean).div_(self.pixel_std)

    def on_device(forward: Callable) -> Callable:
        @functools.wraps(forward)
        def wrapped(self: Any, batched_inputs: Any) -> Any:
            targets = batched_inputs.get("targets") if isinstance(batched_inputs, Mapping) else None
            if isinstance(targets, torch.Tensor):  # FastRetri evaluates with labels that are texts
                batched_inputs = {**batched_inputs, "targets": targets.to(self.device, non_blocking=True)}
            return forward(self, batched_inputs)

        return wrapped

    for architecture in (Baseline, MGN):  # MoCo and Distiller inherit both methods' effect from Baseline
        architecture.preprocess_image = preprocess_image
        architecture.forward = on_device(architecture.forward)


def find_packaged_configs() -> None:
    """A12: RegNet and EfficientNet open their YAML files relative to the working directory."""
    import fastreid
    from fastreid.modeling.backbones.regnet.config import cfg

    site = Path(fastreid.__file__).parent.parent

    class PackagedConfig(type(cfg)):
        def merge_from_file(self, cfg_filename: str) -> None:
            packaged = site / cfg_filename
            super().merge_from_file(str(packaged if packaged.is_file() else cfg_filename))

    def change(node: Any) -> None:
        object.__setattr__(node, "__class__", PackagedConfig)  # a node's own __setattr__ takes keys only
        for part in node.values():
            if isinstance(part, dict):
                change(part)  # yacs refuses to merge nodes of two types

    change(cfg)  # both modules have this one object


def weigh_hard_examples_stably() -> None:
    """B10: the soft triplet took its maximum over all pairs, so the negatives' weights underflowed to nothing."""
    # The package's attribute of this name is the function, not the module.
    triplet_loss = importlib.import_module("fastreid.modeling.losses.triplet_loss")

    @in_place_of(triplet_loss.softmax_weights)
    def softmax_weights(dist: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weights = dist.masked_fill(mask == 0, -float("inf")).softmax(dim=1)
        return weights.nan_to_num(0.0)  # a row without any pair


def keep_teachers_still() -> None:
    """B16: distillation teachers ran in train mode: their BN statistics moved, and what they taught was noisy.

    Their backbone evaluates, as do normalisation and dropout in their heads; the heads themselves stay in train mode, because
    the losses need the logits that only a training forward returns. The EMA copy of the student stays as it was: nothing else
    updates its BN statistics.
    """
    from fastreid.modeling.meta_arch import Distiller

    built = Distiller.__init__

    @functools.wraps(built)
    def __init__(self: Distiller, cfg: Any) -> None:
        built(self, cfg)
        self._keep_teachers_still()

    def train(self: Distiller, mode: bool = True) -> Distiller:
        super(Distiller, self).train(mode)
        self._keep_teachers_still()
        return self

    def _keep_teachers_still(self: Distiller) -> None:
        for teacher in getattr(self, "model_ts", [])[int(getattr(self, "ema_enabled", False)) :]:
            teacher.train()
            teacher.backbone.eval()
            for module in teacher.modules():
                if _is_random_or_counts(module):
                    module.eval()

    Distiller.__init__, Distiller.train, Distiller._keep_teachers_still = __init__, train, _keep_teachers_still


def _is_random_or_counts(module: nn.Module) -> bool:
    """Dropout of any kind, and whatever keeps running statistics."""
    return hasattr(module, "running_mean") or re.match(r"Drop|.*Dropout", type(module).__name__) is not None
