"""The alternating training of one iteration: generators, image discriminators, then D_emb (Sec. III-D)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from fastreid.config import CfgNode
from torch import Tensor

from ealn.adversary import Adversary, Weights
from ealn.meta_arch import EALN
from ealn.optimizers import PartOptimizers
from ealn.partners import draw_partners
from vreid_common.engine.step import TrainStep
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["AlternatingStep"]


class AlternatingStep(TrainStep):
    """Three updates, each of its own parts while all others are fixed; without generators D_emb's alone.

    Args:
        model: the parts.
        optimizer: one for each part.
        cfg: EALN's keys, and what ``TrainStep`` reads.
        device: where the model is.

    Attributes:
        view_weight: λ_ed of Eq. 14 in this epoch.
    """

    def __init__(self, model: EALN, optimizer: PartOptimizers, cfg: CfgNode, device: torch.device) -> None:
        super().__init__(model, optimizer, cfg, device)
        self.weights = Weights.of(cfg)
        self.view_weight = self.weights.lambda_ed

    def run(self, batch: dict[str, Any], data_seconds: float) -> None:
        """Updates all parts from one batch.

        Raises:
            FloatingPointError: a loss has become infinite or NaN (noticed within ``REPORT_PERIOD`` iterations).
        """
        partners = draw_partners(batch["targets"])
        losses: dict[str, Tensor] = {}
        adversary = None
        if self.model.generators:
            adversary = Adversary(self.model, self.weights, as_network_input(batch["images"]), batch["view_ids"], partners)
            losses |= self._phase("generator", adversary.generator_losses)
            losses |= self._phase("discriminator", adversary.discriminator_losses)

        def of_embedding() -> dict[str, Tensor]:
            against = adversary.embedding_losses(self.view_weight) if adversary else {}
            return self.model.real_losses(batch, partners) | against

        losses |= self._phase(("embedding", "view_classifier"), of_embedding)
        self.finish(losses, len(batch["images"]), data_seconds)

    def _phase(self, prefixes: str | tuple[str, ...], compute: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        """Updates the parts whose names begin so, and nothing else, along what ``compute`` gives."""
        names = [name for name in self.model.parts if name.startswith(prefixes)]
        with self.model.learning(names):
            with self.autocast():
                losses = compute()
            self.update(losses, [self.optimizer.by_part[name] for name in names])
        return losses
