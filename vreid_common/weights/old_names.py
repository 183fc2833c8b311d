"""Names that weights had in FastReID's earlier releases, as in its published model zoo."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

__all__ = ["current_names"]

logger = logging.getLogger(__name__)

_CLASSIFIERS = {"classifier.weight": "weight", "classifier_occ.weight": "weight_occ"}
"""Until FastReID 1.3 the classifier was a module of the head; PartialReID's head has a second one."""
_NECKS = {"bnneck": "bottleneck", "bnneck_occ": "bnneck_occ"}
"""Until FastReID 1.0 the neck was one normalisation; it is a sequence now, whose last part is the normalisation."""
_PIXELS = ("pixel_mean", "pixel_std")
"""Until FastReID 1.1 these were saved; they are the config's PIXEL_MEAN and PIXEL_STD."""


def current_names(state: dict[str, Any], model: nn.Module, path: str) -> dict[str, Any]:
    """The tensors of ``state`` by the names that they have in ``model``; renaming and leaving out are logged.

    A tensor is renamed only if the model has nothing of its own name, and nothing in the file has the new one: a head that
    still calls a part ``bnneck`` keeps it.

    Args:
        state: a FastReID model's tensors by name.
        model: the model that they are for.
        path: the file, for the log.
    """
    own = set(model.state_dict())
    renamed: dict[str, str] = {}
    for name in state:
        new = None if name in own else _current_name(name, own)
        if new is not None and new not in state:
            renamed[name] = new
    # The first releases that had the new neck still saved the old one's count beside it.
    dropped = {name for name in state if name not in own and name not in renamed and _is_obsolete(name, model)}
    if renamed:
        first = " to ".join(next(iter(renamed.items())))
        logger.info("%s has %d tensors under names of an earlier FastReID, renamed: %s, ...", path, len(renamed), first)
    _compare_pixels(state, model, path)
    return {renamed.get(name, name): value for name, value in state.items() if name not in dropped}


def _current_name(name: str, own: Collection[str]) -> str | None:
    """The name of ``own`` that an earlier release's ``name`` became."""
    for old, new in _CLASSIFIERS.items():
        head = name.removesuffix(old)
        if head != name and head.endswith(".") and head + new in own:
            return head + new
    found = re.fullmatch(r"(.*\.)(bnneck|bnneck_occ)\.(?:(\d+)\.)?(\w+)", name)
    if found is None:
        return None
    head, neck, index, leaf = found.groups()
    neck = f"{head}{_NECKS[neck]}"
    place = f"{neck}.{index}" if index else _normalisation(neck, own)
    new = f"{place}.{leaf}"
    return new if new in own else None


def _normalisation(neck: str, own: Collection[str]) -> str | None:
    """The part of the sequence ``neck`` that has running statistics; the other one is a convolution, which has weights too."""
    parts = (key.removesuffix(".running_mean") for key in own if key.endswith(".running_mean"))
    return next((part for part in parts if part.rpartition(".")[0] == neck), None)


def _is_obsolete(name: str, model: nn.Module) -> bool:
    return name.endswith(".bnneck.num_batches_tracked") or (name in _PIXELS and hasattr(model, name))


def _compare_pixels(state: dict[str, Any], model: nn.Module, path: str) -> None:
    for name in _PIXELS:
        there, here = state.get(name), getattr(model, name, None)
        if there is None or here is None:
            continue
        there, here = torch.as_tensor(there).flatten().float(), here.flatten().float().cpu()
        if there.shape != here.shape or not torch.allclose(there, here, atol=1e-3):
            logger.warning(
                "%s was trained with MODEL.%s %s; the config has %s.", path, name.upper(), there.tolist(), here.tolist()
            )
