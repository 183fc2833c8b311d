"""What the generators, the image discriminators and D_emb minimise in their phases (Eq. 4-14).

Each method returns weighted losses by name and expects the caller to say which parts learn (``EALN.learning``). Every loss is a
mean over the images of the whole batch, that of all processes, so that W processes train as one does.

Shape shorthand: B images of a process's batch, K of one view; H × W pixels; D feature dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from fastreid.config import CfgNode
from torch import Tensor

from ealn.constraints import belt_loss, margin_loss, squared_distance
from ealn.meta_arch import EALN
from ealn.networks import HARD
from ealn.partners import Partners
from ealn.views import FRONT, OTHER, REAR, ViewRows, batch_mean
from vreid_common.modeling.generative import fake_loss, real_loss

__all__ = ["Adversary", "Weights"]


@dataclass(frozen=True)
class Weights:
    """The constants of Eq. 3-14 and the form of the adversarial loss, as in ``config``."""

    alpha: float
    beta1: float
    beta2: float
    lambda_ed: float
    lambda_cyc: float
    gan_loss: str

    @classmethod
    def of(cls, cfg: CfgNode) -> Weights:
        keys = cfg.EALN
        return cls(keys.ALPHA, keys.HARD.BETA1, keys.HARD.BETA2, keys.LAMBDA_ED, keys.VIEW.LAMBDA_CYC, keys.GAN_LOSS)


class Adversary:
    """Images of one batch, what is generated from them, and the losses of the three phases.

    Args:
        model: the networks.
        weights: the constants.
        images: x, (B, 3, H, W) in [-1, 1].
        view_ids: (B,)
        partners: x^p and x^n.
    """

    def __init__(self, model: EALN, weights: Weights, images: Tensor, view_ids: Tensor, partners: Partners) -> None:
        self.model = model
        self.weights = weights
        self.images = images
        self.partners = partners
        self.rows = {view: ViewRows.of(view_ids, view) for view in (FRONT, REAR) if view in model.generators}
        self.generated: dict[str, Tensor] = {}

    def generator_losses(self) -> dict[str, Tensor]:
        """Eq. 7 for G_hard and Eq. 13 for both G_view; keeps what they generate for the phases that follow."""
        with torch.no_grad():
            features = self.model.embed_in_training(self.images)
        _, negative = self.partners.distances(features)
        losses: dict[str, Tensor] = {}
        if HARD in self.model.generators:
            losses |= self._hard_generator(features, negative)
        if self.rows:
            losses |= self._view_generators(features, negative)
        return losses

    def _hard_generator(self, features: Tensor, negative: Tensor) -> dict[str, Tensor]:
        made = self.model.generate_hard(self.images)
        self.generated[HARD] = made.detach()
        losses = {"g_hard_gan": batch_mean(real_loss(self.model.discriminators[HARD](made), self.weights.gan_loss))}
        if self.weights.lambda_ed:
            distance = squared_distance(features, self.model.embed_in_training(made))
            terms = belt_loss(distance, negative, self.weights.beta1, self.weights.beta2)
            losses["g_hard_embedding"] = self.weights.lambda_ed * batch_mean(terms, self.partners.has_negative)
        return losses

    def _view_generators(self, features: Tensor, negative: Tensor) -> dict[str, Tensor]:
        fooled, back, made_of = [], [], {}
        for view, rows in self.rows.items():
            images, other = self.images[rows.index], OTHER[view]
            made = made_of[view] = self.model.generators[other](images)
            self.generated[other] = made.detach()
            scores = self.model.discriminators[other](made)
            fooled.append(batch_mean(rows.spread(real_loss(scores, self.weights.gan_loss)), rows.shown))
            cycled = self.model.generators[view](made).float()
            back.append(batch_mean(rows.spread((cycled - images).abs().flatten(1).mean(dim=1)), rows.shown))
        losses = {"g_view_gan": sum(fooled), "g_view_cycle": self.weights.lambda_cyc * sum(back)}
        if self.weights.lambda_ed:
            distances = self._to_other_views(features, made_of)
            terms = sum(
                rows.spread(margin_loss(distances[view], negative[rows.index], self.weights.alpha))
                for view, rows in self.rows.items()
            )
            counted = self._either_view & self.partners.has_negative
            losses["g_view_embedding"] = self.weights.lambda_ed * batch_mean(terms, counted)
        return losses

    def _to_other_views(self, features: Tensor, made_of: dict[str, Tensor]) -> dict[str, Tensor]:
        """d(x, G_view(x)) of the images of each view (K,), from x's features and what is generated from each view.

        One pass for both directions: batch normalisation needs more than one image.
        """
        embedded = self.model.embed_in_training(torch.cat([made.float() for made in made_of.values()]))
        parts = embedded.split([len(made) for made in made_of.values()])
        return {
            view: squared_distance(features[self.rows[view].index], part) for view, part in zip(made_of, parts, strict=True)
        }

    def discriminator_losses(self) -> dict[str, Tensor]:
        """-Eq. 6 for D_rf, and the two parts of -Eq. 12 for D_A and D_B, on what the generators made in their phase."""
        losses = {}
        form = self.weights.gan_loss
        for name, discriminator in self.model.discriminators.items():
            fake = fake_loss(discriminator(self._through_buffer(name)), form)
            if name == HARD:
                losses["d_real_fake"] = batch_mean(real_loss(discriminator(self.images), form)) + batch_mean(fake)
            else:
                of_view, source = self.rows[name], self.rows[OTHER[name]]
                real = of_view.spread(real_loss(discriminator(self.images[of_view.index]), form))
                losses[f"d_{name}"] = batch_mean(real, of_view.shown) + batch_mean(source.spread(fake), source.shown)
        return losses

    def embedding_losses(self, view_weight: float) -> dict[str, Tensor]:
        """Eq. 5 for D_hard and Eq. 10 for D_view, D_emb both of them, beside its losses on real images.

        Args:
            view_weight: λ_ed of Eq. 14.
        """
        hard_weight = self.weights.lambda_ed if HARD in self.generated else 0.0
        view_weight = view_weight if self.rows else 0.0
        losses: dict[str, Tensor] = {}
        if not hard_weight and not view_weight:
            return losses
        features = self.model.embed_in_training(self.images)
        positive, _ = self.partners.distances(features)
        if hard_weight:
            distance = squared_distance(features, self.model.embed_in_training(self.generated[HARD].float()))
            terms = margin_loss(positive, distance, self.weights.alpha)
            losses["loss_hard"] = hard_weight * batch_mean(terms, self.partners.has_positive)
        if view_weight:
            distances = self._to_other_views(features, {view: self.generated[OTHER[view]] for view in self.rows})
            terms = sum(
                rows.spread(margin_loss(positive[rows.index], distances[view], self.weights.alpha))
                for view, rows in self.rows.items()
            )
            losses["loss_view"] = view_weight * batch_mean(terms, self._either_view & self.partners.has_positive)
        return losses

    @property
    def _either_view(self) -> Tensor:
        return self.rows[FRONT].shown | self.rows[REAR].shown

    def _through_buffer(self, name: str) -> Tensor:
        """What a discriminator sees of what its generator made; stand-ins for images of a view that no image shows stay out."""
        made = self.generated[name]
        if name not in self.model.image_buffers or (name != HARD and not self.rows[OTHER[name]].shown.any()):
            return made
        return self.model.image_buffers[name](made)
