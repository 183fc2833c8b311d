"""Adversarial losses image by image, for discriminators that score patches.

Shape shorthand: B images, h × w patches.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["GAN_LOSSES", "fake_loss", "real_loss"]

GAN_LOSSES = ("least_squares", "log")
"""Forms of the loss: Mao et al. (ICCV 2017), Eq. 9 without its ½, and Goodfellow et al. (NIPS 2014), Eq. 1."""


def real_loss(scores: Tensor, form: str = "least_squares") -> Tensor:
    """How far images are from being called real: the mean over patches of (s - 1)², or of -log σ(s).

    A discriminator minimises it for real images, a generator for its own; the latter is Goodfellow et al.'s own replacement
    (Sec. 3) of log(1 - σ(s)), whose gradient vanishes as long as the discriminator wins.

    Args:
        scores: s, (B, 1, h, w), larger is more real; no sigmoid has been applied.
        form: one of ``GAN_LOSSES``.

    Returns:
        (B,)
    """
    return _mean_of_patches((scores - 1).square() if _is_least_squares(form) else softplus(-scores))


def fake_loss(scores: Tensor, form: str = "least_squares") -> Tensor:
    """How far images are from being called generated: the mean over patches of s², or of -log(1 - σ(s)).

    Args:
        scores, form: as of ``real_loss``.

    Returns:
        (B,)
    """
    return _mean_of_patches(scores.square() if _is_least_squares(form) else softplus(scores))


def _is_least_squares(form: str) -> bool:
    if form not in GAN_LOSSES:
        raise ValueError(f"The adversarial loss is {form!r}: use one of {', '.join(GAN_LOSSES)}.")
    return form == "least_squares"


def _mean_of_patches(terms: Tensor) -> Tensor:
    return terms.float().flatten(1).mean(dim=1)
