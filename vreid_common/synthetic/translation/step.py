"""One training step of UNIT: the translator, then the discriminators, from the same translated images.

Shape shorthand: B images, H × W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from vreid_common.errors import InputError
from vreid_common.synthetic.translation.discriminator import DiscriminatorSize, MultiScaleDiscriminator
from vreid_common.synthetic.translation.losses import LossWeights, discriminator_loss, translator_losses
from vreid_common.synthetic.translation.networks import SOURCE, TARGET, Translator, TranslatorSize

__all__ = ["AdamSettings", "TranslationStep", "as_network_input"]


@dataclass(frozen=True)
class AdamSettings:
    """Adam's settings, by default the paper's; β_2 is 0.999.

    Raises:
        InputError: they make no optimizer.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.5

    def __post_init__(self) -> None:
        if not (isfinite(self.learning_rate) and self.learning_rate > 0 and 0 <= self.beta1 < 1):
            raise InputError(
                f"Adam's learning rate is {self.learning_rate} and its beta1 {self.beta1}: use a rate above 0, and beta1 in "
                "[0, 1)."
            )


def as_network_input(images: Tensor) -> Tensor:
    """Pixels (B, 3, H, W) 0..255 of any type → float32, -1 to 1."""
    return images.float() / 127.5 - 1


class TranslationStep:
    """Networks and optimizers of a training, and what is done with a batch.

    Args:
        translator_size, discriminator_size: of the networks.
        weights: of the losses.
        adam: of both optimizers.
        device: where the networks are trained.
        amp_dtype: type of mixed precision; None for none.
    """

    def __init__(
        self,
        translator_size: TranslatorSize,
        discriminator_size: DiscriminatorSize,
        weights: LossWeights,
        adam: AdamSettings,
        *,
        device: torch.device | str = "cpu",
        amp_dtype: torch.dtype | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.weights = weights
        self.amp_dtype = amp_dtype
        self.translator = Translator(translator_size).to(self.device)
        self.discriminators = nn.ModuleList(MultiScaleDiscriminator(discriminator_size) for _ in range(2)).to(self.device)
        betas = (adam.beta1, 0.999)
        self._translator_optimizer = torch.optim.Adam(self.translator.parameters(), adam.learning_rate, betas)
        self._discriminator_optimizer = torch.optim.Adam(self.discriminators.parameters(), adam.learning_rate, betas)
        # bfloat16 has float32's range and needs no scaling of the loss.
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=amp_dtype is torch.float16)

    def run(self, source: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Updates all networks from images of both domains, (B, 3, H, W) 0..255 each; returns the losses by name, detached."""
        images = as_network_input(source), as_network_input(target)
        self.discriminators.requires_grad_(False)  # their gradients would be computed for nothing
        with self._autocast():
            losses, translated = translator_losses(self.translator, self.discriminators, images, self.weights)
            total = sum(losses.values())
        self._update(self._translator_optimizer, total)
        self.discriminators.requires_grad_(True)
        with self._autocast():
            losses["discriminators"] = sum(
                discriminator_loss(
                    self.discriminators[domain](images[domain]), self.discriminators[domain](translated[domain].detach())
                )
                for domain in (SOURCE, TARGET)
            )
        self._update(self._discriminator_optimizer, losses["discriminators"])
        self._scaler.update()
        return {name: loss.detach() for name, loss in losses.items()}

    def state_dict(self) -> dict[str, Any]:
        """All that a training goes on from; ``model`` is the translator's part."""
        return {"model": self.translator.state_dict()} | {name: part.state_dict() for name, part in self._other_parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes what ``state_dict`` gave."""
        self.translator.load_state_dict(state["model"])
        for name, part in self._other_parts().items():
            part.load_state_dict(state[name])

    def _other_parts(self) -> dict[str, Any]:
        return {
            "discriminators": self.discriminators,
            "translator_optimizer": self._translator_optimizer,
            "discriminator_optimizer": self._discriminator_optimizer,
            "grad_scaler": self._scaler,
        }

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=self.amp_dtype is not None)

    def _update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(optimizer)
