"""The EALN meta-architecture: the embedding network D_emb, and the generators and discriminators beside it (Fig. 2).

Shape shorthand: B images of a batch, N with their generated ones, K of one view; H × W pixels; D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from fastreid.config import CfgNode, configurable
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from torch import Tensor, nn
from torch.nn.functional import normalize

from ealn.batch_statistics import own_statistics
from ealn.constraints import margin_loss
from ealn.networks import HARD, build_buffers, build_discriminators, build_generators
from ealn.partners import Partners, draw_partners
from ealn.view_classifier import ViewClassifier
from ealn.views import FRONT, OTHER, REAR, ViewRows, batch_mean
from vreid_common.errors import InputError
from vreid_common.modeling import VehicleBaseline
from vreid_common.structures import VIEWS
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["EALN", "FEATURES"]

FEATURES = ("embedding", "fused", "by_view")
"""Values of ``EALN.FEATURES``."""


@META_ARCH_REGISTRY.register()
class EALN(VehicleBaseline):
    """``VehicleBaseline`` as D_emb, with generators and image discriminators beside it.

    Called with a batch, it trains and evaluates D_emb alone; ``step.AlternatingStep`` trains the parts in turn. A checkpoint's
    D_emb is that of a ``VehicleBaseline``, under the same names.

    Attributes:
        parts: name → module, each with an optimizer of its own.
        generators, discriminators, image_buffers: by ``networks.HARD`` and the views.
    """

    @configurable
    def __init__(
        self,
        *,
        generators: nn.ModuleDict,
        discriminators: nn.ModuleDict,
        image_buffers: nn.ModuleDict,
        view_classifier: ViewClassifier | None,
        alpha: float,
        features: tuple[str, ...],
        **baseline: Any,
    ) -> None:
        """
        Args:
            generators, discriminators, image_buffers: by name.
            view_classifier: there with the generators of views.
            alpha: α, the margin of the triplet loss.
            features: some of ``FEATURES``.
            **baseline: ``VehicleBaseline``'s own arguments.
        """
        super().__init__(**baseline)
        self.generators = generators
        self.discriminators = discriminators
        self.image_buffers = image_buffers
        self.view_classifier = view_classifier
        self.alpha = alpha
        self.features = features
        self.parts = self._named_parts()
        self._trainable = {
            name: [parameter for parameter in part.parameters() if parameter.requires_grad] for name, part in self.parts.items()
        }

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        features = tuple(cfg.EALN.FEATURES)
        if not features or not set(features) <= set(FEATURES):
            raise InputError(f"EALN.FEATURES is {list(features)}; it has to list some of {', '.join(FEATURES)}.")
        if set(features) != {"embedding"} and not cfg.EALN.VIEW.ENABLED:
            raise InputError(f"EALN.FEATURES is {list(features)}: without EALN.VIEW.ENABLED there is only embedding.")
        classifier = ViewClassifier(cfg.MODEL.BACKBONE.FEAT_DIM) if cfg.EALN.VIEW.ENABLED else None
        return {
            **super().from_config(cfg),
            "generators": build_generators(cfg),
            "discriminators": build_discriminators(cfg),
            "image_buffers": build_buffers(cfg),
            "view_classifier": classifier,
            "alpha": cfg.EALN.ALPHA,
            "features": features,
        }

    def _named_parts(self) -> dict[str, nn.Module]:
        found: dict[str, nn.Module] = {"embedding": nn.ModuleDict({"backbone": self.backbone, "heads": self.heads})}
        found |= {f"generator_{name}": network for name, network in self.generators.items()}
        found |= {f"discriminator_{name}": network for name, network in self.discriminators.items()}
        return found if self.view_classifier is None else {**found, "view_classifier": self.view_classifier}

    @contextmanager
    def learning(self, names: Collection[str]) -> Iterator[None]:
        """Within it, nothing but the named parts gets gradients; through the others they pass to what these are fed."""
        fixed = [parameter for name, own in self._trainable.items() if name not in names for parameter in own]
        for parameter in fixed:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in fixed:
                parameter.requires_grad_(True)

    def forward(self, batched_inputs: Mapping[str, Any]) -> Any:
        """
        Args:
            batched_inputs: a batch (docs/architecture.md); in training with ``targets``.

        Returns:
            In training the losses of D_emb without adversaries, by name. In evaluation the (B, D) feature, or a dict of them
            where EALN.FEATURES lists several.
        """
        if self.training:
            targets = batched_inputs["targets"].to(self.device)
            return self.real_losses(batched_inputs, draw_partners(targets))
        return self._evaluate(batched_inputs)

    def real_losses(self, batch: Mapping[str, Any], partners: Partners) -> dict[str, Tensor]:
        """Softmax and triplet loss of a batch's images (Sec. IV, "EN"), and the view classifier's loss."""
        targets = batch["targets"].to(self.device)
        maps = self.backbone(self.preprocess_image(batch))
        outputs = self.heads(maps, targets)
        losses = self.losses(outputs, targets)
        features = normalize(outputs["features"].float(), dim=1)
        positive, negative = partners.distances(features)
        complete = partners.has_positive & partners.has_negative
        losses["loss_triplet"] = batch_mean(margin_loss(positive, negative, self.alpha), complete)
        if self.view_classifier is not None:
            losses["loss_view_classifier"] = self.view_classifier.loss(maps, batch["view_ids"].to(self.device))
        return losses

    def embed(self, images: Tensor) -> Tensor:
        """The deployed network's features (N, D), L2-normalised, of a model in evaluation mode.

        Args:
            images: (N, 3, H, W) in [-1, 1], as the generators see and make them.
        """
        return self._embed(images)[0]

    def embed_in_training(self, images: Tensor) -> Tensor:
        """As ``embed``, but normalised by the statistics of these very images, which do not enter the running ones.

        Real and generated images have a pass each: by common statistics D_emb tells the generated ones by what they all share.
        Gradients pass to the images, and to D_emb's weights where they learn.
        """
        with own_statistics(self.backbone), own_statistics(self.heads):
            return self._embed(images)[0]

    def _embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and the feature maps that they come from."""
        maps = self.backbone(self.preprocess_image({"images": (images.float() + 1) * 127.5}))
        return normalize(self.heads(maps).float(), dim=1), maps

    def generate_hard(self, images: Tensor) -> Tensor:
        """G_hard's negatives of images (N, 3, H, W) in [-1, 1], of the same shape."""
        return self.generators[HARD](images)

    def generate_other_view(self, images: Tensor, view_ids: Tensor) -> tuple[Tensor, Tensor]:
        """The rear of vehicles seen from the front and the front of those seen from the rear.

        Args:
            images: (B, 3, H, W) in [-1, 1].
            view_ids: (B,) indices into ``structures.VIEWS``.

        Returns:
            (B, 3, H, W), 0 for images of another view, and which images have one, (B,) bool.
        """
        if torch.compiler.is_exporting():  # a graph has fixed shapes: both generators see every image
            shown = {view: view_ids == VIEWS.index(view) for view in (FRONT, REAR)}
            made = [torch.where(shown[view].view(-1, 1, 1, 1), self.generators[OTHER[view]](images), 0.0) for view in shown]
            return made[0] + made[1], shown[FRONT] | shown[REAR]
        rows = {view: ViewRows.of(view_ids, view) for view in (FRONT, REAR)}
        made = [row.spread(self.generators[OTHER[view]](images[row.index]).float()) for view, row in rows.items()]
        return made[0] + made[1], rows[FRONT].shown | rows[REAR].shown

    def _evaluate(self, batch: Mapping[str, Any]) -> Tensor | dict[str, Tensor]:
        images = as_network_input(batch["images"].to(self.device))
        own, maps = self._embed(images)
        found = {"embedding": own}
        if set(self.features) != {"embedding"}:
            labels = batch.get("view_ids")
            views = self.view_classifier.complete(maps, None if labels is None else labels.to(self.device))
            made, has_other = self.generate_other_view(images, views)
            # What is seen from the side has no other view: its own feature stands twice.
            other = torch.where(has_other[:, None], self.embed(made), own)
            is_rear = (views == VIEWS.index(REAR))[:, None]
            front, rear = torch.where(is_rear, other, own), torch.where(is_rear, own, other)
            found |= {"fused": torch.cat([own, other], dim=1), "by_view": torch.cat([front, rear], dim=1)}
        return {name: found[name] for name in self.features} if len(self.features) > 1 else found[self.features[0]]
