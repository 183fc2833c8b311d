"""MixStyle: images get the style, the mean and deviation of each channel, of a mixture of their own and another image's.

Source: Zhou et al., "Domain Generalization with MixStyle", ICLR 2021; the paper's Eq. 1-3.

Shape shorthand: B images of a batch; C channels of H×W.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from fastreid.modeling.backbones.regnet.effnet import EffStage
from fastreid.modeling.backbones.regnet.regnet import AnyStage
from torch import Tensor, nn
from torch.distributions import Beta

from vreid_common.errors import InputError
from vreid_common.structures import DOMAINS

__all__ = ["PARTNERS", "MixStyle", "cross_domain_partners", "insert_mixstyle"]

PARTNERS = ("crossdomain", "random")
"""Values of ``CYBERCORE.MIXSTYLE.PARTNER``."""

_EPSILON = 1e-6
"""Added to variances, as the authors of MixStyle do."""

_STAGES = (nn.Sequential, AnyStage, EffStage)
"""What runs through its children in their order, so that a further one comes last."""


class MixStyle(nn.Module):
    """A layer that mixes styles within a training batch; it has no parameters and does nothing in evaluation.

    λ is drawn for each image, statistics are constants for the gradient, and are computed in float32 whatever autocast says.

    Args:
        alpha: of λ ~ Beta(α, α).
        probability: share of the batches that are mixed.
        partner: one of ``PARTNERS``.

    Attributes:
        domains: (B,) indices into ``DOMAINS`` of the next batch's images, which its owner sets; None where they are not known.

    Raises:
        InputError: a value is out of its range.
    """

    def __init__(self, alpha: float = 0.1, probability: float = 0.5, partner: str = "crossdomain") -> None:
        super().__init__()
        if alpha <= 0:
            raise InputError(f"CYBERCORE.MIXSTYLE.ALPHA is {alpha}: use a number above 0.")
        if not 0 <= probability <= 1:
            raise InputError(f"CYBERCORE.MIXSTYLE.PROB is {probability}: use 0 to 1.")
        if partner not in PARTNERS:
            raise InputError(f"CYBERCORE.MIXSTYLE.PARTNER is {partner!r}: use {' or '.join(PARTNERS)}.")
        self.alpha = alpha
        self.probability = probability
        self.partner = partner
        self.domains: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: (B, C, H, W) features.

        Returns:
            (B, C, H, W) of the same type; ``x`` itself where nothing is mixed.
        """
        if not self.training or float(torch.rand(())) >= self.probability:
            return x
        features = x.float()
        variance, mean = torch.var_mean(features.detach(), dim=(2, 3), keepdim=True, correction=0)
        deviation = (variance + _EPSILON).sqrt()
        partners = self._partners(len(x), x.device)
        share = self._shares(len(x), x.device)
        mixed_mean = share * mean + (1 - share) * mean[partners]
        mixed_deviation = share * deviation + (1 - share) * deviation[partners]
        return ((features - mean) / deviation * mixed_deviation + mixed_mean).to(x.dtype)

    def _partners(self, size: int, device: torch.device) -> Tensor:
        if self.partner == "crossdomain" and self.domains is not None:
            return cross_domain_partners(self.domains.to(device))
        return torch.randperm(size, device=device)

    def _shares(self, size: int, device: torch.device) -> Tensor:
        """λ (B, 1, 1, 1). Drawn in float64: with so small an α both gamma variates of a float32 draw may underflow to 0."""
        alpha = torch.tensor(self.alpha, dtype=torch.float64, device=device)
        return Beta(alpha, alpha).sample((size, 1, 1, 1)).float()

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, probability={self.probability}, partner={self.partner}"


def cross_domain_partners(domains: Tensor) -> Tensor:
    """For each image a random one of the other domain, each of which serves about equally often.

    Args:
        domains: (B,) indices into ``DOMAINS``; what is not synthetic counts as real.

    Returns:
        (B,) indices; where the batch has one domain only, a random permutation.
    """
    size = len(domains)
    synthetic = domains == DOMAINS.index("synthetic")
    # The real images in random order, then the synthetic ones: no step waits for the device to say how many there are.
    order = (torch.rand(size, device=domains.device) / 2 + synthetic).argsort()
    place = torch.empty_like(order).scatter_(0, order, torch.arange(size, device=domains.device))
    num_synthetic = synthetic.sum()
    num_real = size - num_synthetic
    of_real = num_real + place % num_synthetic.clamp(min=1)
    of_synthetic = (place - num_real) % num_real.clamp(min=1)
    partner = order[torch.where(synthetic, of_synthetic, of_real).clamp(max=size - 1)]
    both = (num_synthetic > 0) & (num_real > 0)
    return torch.where(both, partner, torch.randperm(size, device=domains.device))


def insert_mixstyle(
    backbone: nn.Module, after: Sequence[str], alpha: float, probability: float, partner: str
) -> list[MixStyle]:
    """Appends a ``MixStyle`` to stages of a backbone, which FastReID's backbones run through block by block.

    Args:
        backbone: changed in place; the names of its weights stay what they are.
        after: the stages by their names in the backbone: ``nn.Sequential`` modules, or RegNet's or EfficientNet's stages.

    Raises:
        InputError: there is no such stage, none is named, or one twice.
    """
    if not after or len(set(after)) < len(after):
        raise InputError(f"CYBERCORE.MIXSTYLE.AFTER is {list(after)}: name at least one stage of the backbone, each once.")
    modules = dict(backbone.named_modules())
    layers = []
    for name in after:
        stage = modules.get(name)
        if not isinstance(stage, _STAGES):
            known = ", ".join(key for key, module in backbone.named_children() if isinstance(module, _STAGES))
            raise InputError(f"CYBERCORE.MIXSTYLE.AFTER names {name!r}, but the stages of the backbone are {known or 'none'}.")
        layers.append(MixStyle(alpha, probability, partner))
        stage.add_module("mixstyle", layers[-1])
    for number in range(1, 5):
        # FastReID's ResNets read this list of the blocks that a non-local one follows beyond its end, unless -1 ends it.
        getattr(backbone, f"NL_{number}_idx", []).append(-1)
    return layers
