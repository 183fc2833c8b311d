"""Classifiers, whose rows belong to the vehicles that they were trained on, by name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor, nn

__all__ = ["classifier_parameters", "move_rows", "training_classes", "training_on"]

logger = logging.getLogger(__name__)

_classes: ContextVar[tuple[str, ...] | None] = ContextVar("classes", default=None)


@contextmanager
def training_on(names: Sequence[str]) -> Iterator[None]:
    """While a model is built in it, ``training_classes`` gives ``names``: for models that load checkpoints of their own."""
    token = _classes.set(tuple(names))
    try:
        yield
    finally:
        _classes.reset(token)


def training_classes() -> tuple[str, ...] | None:
    """The vehicles that the model being built will be trained on, in the order of their classes; None outside of a training."""
    return _classes.get()


def classifier_parameters(model: nn.Module) -> list[str]:
    """Names of the parameters that have a row for each class, in FastReID's heads and those made after them."""
    found = []
    for prefix, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if not hasattr(module, "cls_layer") or not isinstance(weight, Tensor):
            continue
        own = module.named_parameters(prefix, recurse=False)
        found += [name for name, parameter in own if parameter.shape[:1] == weight.shape[:1]]
    return found


def move_rows(
    model: nn.Module, state: dict[str, Tensor], path: str, theirs: Sequence[str] | None, ours: Sequence[str] | None
) -> None:
    """Puts the classifiers' rows of a checkpoint where the model's classes are, and says how many were kept.

    Rows of vehicles that both know by name are kept, all others are the model's own, as they were initialised. Where either's
    names are not known, a classifier of the same number of rows is taken as it is, and one of another number left out.

    Args:
        model: has the rows that new vehicles begin with.
        state: the checkpoint's weights; changed in place.
        path: the checkpoint, for messages.
        theirs: names of the checkpoint's classes, in their order; None if it does not say.
        ours: names of the model's classes; None in an evaluation, where it has none.
    """
    own = dict(model.named_parameters())
    names = [name for name in classifier_parameters(model) if name in state and state[name].shape[1:] == own[name].shape[1:]]
    if theirs is not None and ours is not None:
        named = [name for name in names if (len(state[name]), len(own[name])) == (len(theirs), len(ours))]
    else:
        named = []
    for name in sorted(set(names) - set(named)):
        if state[name].shape != own[name].shape:
            # A model that only gives features has a classifier of no identity.
            logger.log(
                logging.INFO if len(own[name]) else logging.DEBUG,
                "Not loaded: %s, a classifier of %d identities where the model has %d.",
                name,
                len(state[name]),
                len(own[name]),
            )
            state.pop(name)
        elif ours is not None:
            logger.info("%s does not name the vehicles of %s: its rows are taken in their order.", path, name)
    if not named or list(theirs) == list(ours):
        return
    rows = {vehicle: row for row, vehicle in enumerate(theirs)}
    kept = [(row, rows[vehicle]) for row, vehicle in enumerate(ours) if vehicle in rows]
    for name in named:
        moved = own[name].detach().clone().cpu()
        if kept:
            to, source = (list(places) for places in zip(*kept, strict=True))
            moved[to] = state[name][source].to(moved.dtype)
        state[name] = moved
    logger.info(
        "%s, classifier (%s): the rows of %d vehicles are kept, %d are new and begin untrained, %d of the file's are gone.",
        path, ", ".join(named), len(kept), len(ours) - len(kept), len(theirs) - len(kept),
    )  # fmt: skip
