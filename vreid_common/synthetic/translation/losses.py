"""UNIT's objective (Eq. 2), with the paper's symbols.

Every term is a mean over images, places and channels, as in the authors' code, for which the weights were chosen: they then do
not depend on the size of the images.

Shape shorthand: B images, C channels and h × w places of a latent code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isfinite

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from vreid_common.errors import InputError
from vreid_common.modeling.generative import fake_loss, real_loss
from vreid_common.synthetic.translation.networks import SOURCE, TARGET, Translator

__all__ = ["LossWeights", "discriminator_loss", "gan_loss", "gaussian_kl", "translator_losses"]


@dataclass(frozen=True)
class LossWeights:
    """The weights of the objective; by default the paper's.

    Attributes:
        lambda0: of the adversarial loss, Eq. 5.
        lambda1: of the Kullback-Leibler divergence of the codes of images, Eq. 3.
        lambda2: of the reconstruction, Eq. 3.
        lambda3: of the divergences in the cycle, Eq. 7.
        lambda4: of the reconstruction through the other domain and back, Eq. 7.

    Raises:
        InputError: a weight is negative, or no number.
    """

    lambda0: float = 10.0
    lambda1: float = 0.1
    lambda2: float = 100.0
    lambda3: float = 0.1
    lambda4: float = 100.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (isfinite(value) and value >= 0):
                raise InputError(f"{field.name} is {value}: a weight is 0 or more.")


def gaussian_kl(mean: Tensor) -> Tensor:
    """KL(N(mean, I) || N(0, I)) for each dimension: mean² / 2, averaged. (B, C, h, w) → ()."""
    return 0.5 * mean.square().mean()


def gan_loss(fake_scores: Sequence[Tensor]) -> Tensor:
    """What a generator minimises: Σ over scales of mean (D(fake) - 1)².

    Source: Mao et al., "Least Squares Generative Adversarial Networks" (ICCV 2017), Eq. 9 without its ½. Deviation from UNIT's
    Eq. 5, which prints the log loss; its authors' later code takes this one too.

    Args:
        fake_scores: (B, 1, h, w) of each scale.
    """
    return torch.stack([real_loss(scores).mean() for scores in fake_scores]).sum()


def discriminator_loss(real_scores: Sequence[Tensor], fake_scores: Sequence[Tensor]) -> Tensor:
    """What a discriminator minimises: Σ over scales of mean (D(real) - 1)² + mean D(fake)².

    λ_0 is left out, as Adam's steps do not depend on it.

    Args:
        real_scores, fake_scores: (B, 1, h, w) of each scale.
    """
    terms = [real_loss(real).mean() + fake_loss(fake).mean() for real, fake in zip(real_scores, fake_scores, strict=True)]
    return torch.stack(terms).sum()


def translator_losses(
    translator: Translator, discriminators: Sequence[nn.Module], images: Sequence[Tensor], weights: LossWeights
) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
    """The weighted terms that encoders and decoders minimise, each summed over the two domains.

    Codes are drawn around their means from torch's generator, in the order E_1(x_1), E_2(x_2), E_2(x_12), E_1(x_21).

    Args:
        translator: E_1, E_2, G_1, G_2.
        discriminators: D_1, D_2.
        images: x_1, x_2, (B, 3, H, W) each, -1 to 1.
        weights: λ_0 ... λ_4.

    Returns:
        The losses by name, and the translated images (x_21, x_12), (B, 3, H, W) each, as D_1 and D_2 are to see them.
    """
    means = [translator.encode(images[domain], domain) for domain in (SOURCE, TARGET)]
    codes = [_draw(mean) for mean in means]
    back = [translator.decode(codes[domain], domain) for domain in (SOURCE, TARGET)]
    translated = [translator.decode(codes[domain], 1 - domain) for domain in (SOURCE, TARGET)]  # x_12, x_21
    cycle_means = [translator.encode(translated[domain], 1 - domain) for domain in (SOURCE, TARGET)]
    cycle_codes = [_draw(mean) for mean in cycle_means]
    cycled = [translator.decode(cycle_codes[domain], domain) for domain in (SOURCE, TARGET)]
    divergence = sum(gaussian_kl(mean) for mean in means)
    losses = {
        "gan": weights.lambda0 * sum(gan_loss(discriminators[1 - domain](translated[domain])) for domain in (SOURCE, TARGET)),
        "kl": weights.lambda1 * divergence,
        "reconstruction": weights.lambda2 * sum(map(l1_loss, back, images)),
        "cycle_kl": weights.lambda3 * (divergence + sum(gaussian_kl(mean) for mean in cycle_means)),
        "cycle": weights.lambda4 * sum(map(l1_loss, cycled, images)),
    }
    return losses, (translated[TARGET], translated[SOURCE])


def _draw(mean: Tensor) -> Tensor:
    return mean + torch.randn_like(mean)
