"""Runs a main module as it is and reads, on the way, what the cross-view module needs.

Shape shorthand: B images; C, H, W a feature map; D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from fastreid.modeling.heads import EmbeddingHead
from torch import Tensor, nn

from vreid_common.errors import InputError

__all__ = ["MainObserver", "Observation", "main_feature"]


def main_feature(output: Tensor | dict[str, Tensor]) -> Tensor:
    """The (B, D) feature in what a meta-architecture returns in evaluation; of several by name, the first is the main one."""
    return output if isinstance(output, Tensor) else next(iter(output.values()))


@dataclass(frozen=True)
class Observation:
    """One forward pass of the main module."""

    output: Any
    """What the main module returned: its losses in training, (B, D) features in evaluation."""
    feature: Tensor
    """(B, D) the global feature x_g."""
    stage_input: Tensor | None
    """(B, C, H, W) what entered the first layer that is not shared; None where all are shared."""


class MainObserver:
    """Taps a main module by forward hooks, which are there only during a call.

    The shared layers so run once, in the main module's own forward, and the main module neither knows nor changes.

    Args:
        main: any meta-architecture.
        feature: WCVL.MAIN.FEATURE.
        end_to_end: the main module will run in training mode too, where it returns losses, so features come from its heads.
        tap: the first block of the first stage that is not shared; None where all are shared.

    Raises:
        InputError: no such ``feature``, or this main module cannot give it.
    """

    def __init__(self, main: nn.Module, feature: str, end_to_end: bool, tap: nn.Module | None) -> None:
        if feature not in ("before_bnneck", "output"):
            raise InputError(f"WCVL.MAIN.FEATURE is {feature!r}; it has to be 'before_bnneck' or 'output'.")
        self.main = main
        self.tap = tap
        self._before_bnneck = feature == "before_bnneck"
        self._necks: list[nn.Sequential] = []
        if self._before_bnneck or end_to_end:
            self._necks = [module.bottleneck for module in main.modules() if isinstance(module, EmbeddingHead)]
            if not self._necks:
                raise InputError(
                    f"{type(main).__name__} has none of FastReID's embedding heads to read a feature from: "
                    "set WCVL.MAIN.FEATURE to output and WCVL.END_TO_END to False."
                )

    def __call__(self, batch: Any) -> Observation:
        """
        Args:
            batch: FastReID's batch dict, passed on as it is.

        Raises:
            InputError: the main module did not call the stage that is tapped.
        """
        features: list[Tensor] = []
        entered: list[Tensor] = []
        with self._hooks(features, entered):
            output = self.main(batch)
        if self.tap is not None and not entered:
            raise InputError("WCVL.MAIN.STAGES: the main module's forward does not call the first block of the own stages.")
        if not self._necks:
            features = [main_feature(output)]
        feature = torch.cat([x.flatten(1) for x in features], dim=1)
        return Observation(output, feature, entered[0] if entered else None)

    @contextmanager
    def _hooks(self, features: list[Tensor], entered: list[Tensor]) -> Iterator[None]:
        handles = []
        for neck in self._necks:
            # BNNeck is the norm at the end of the bottleneck; a head without one has nothing before or after it.
            last = neck[-1] if len(neck) else None
            if self._before_bnneck and last is not None and not isinstance(last, nn.Conv2d):
                handles.append(last.register_forward_pre_hook(lambda _, args: features.append(args[0])))
            else:
                handles.append(neck.register_forward_hook(lambda _, __, output: features.append(output)))
        if self.tap is not None:
            handles.append(self.tap.register_forward_pre_hook(lambda _, args: entered.append(args[0])))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
