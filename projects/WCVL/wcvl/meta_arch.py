"""The WCVL meta-architecture: any main module, and the cross-view module plugged into it (Fig. 3).

Shape shorthand: B images; C, H, W a feature map; D feature dimensions.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from fastreid.config import CfgNode
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from torch import Tensor, nn

from vreid_common.engine import Checkpointer
from vreid_common.errors import InputError
from vreid_common.weights import training_classes
from wcvl.fusion import FUSIONS
from wcvl.losses import CrossViewLoss
from wcvl.module import CrossViewModule, build_pool, copy_stages
from wcvl.observe import MainObserver, Observation, main_feature
from wcvl.stages import find_stages, own_stages, stage_blocks

__all__ = ["WCVL"]

logger = logging.getLogger(__name__)

_FEATURES = (*FUSIONS, "cv", "global", "main")


@META_ARCH_REGISTRY.register()
class WCVL(nn.Module):
    """A main module with the cross-view module plugged in.

    Pluggable (the default), the main module stays in evaluation mode and, in training, out of autograd: its weights, its BN
    statistics and so its features are the same bits after training. End-to-end, both train, and the gradient of Eq. 3 reaches
    the shared layers.

    Evaluation returns the features that WCVL.FEATURES lists: a Tensor for one, else a dict of name to (B, D) Tensor. Single
    features ("main", "global", "cv") are L2-normalised, as the paper does for inference; fused ones are as Fig. 4 defines them.
    """

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__()
        unknown = [name for name in cfg.WCVL.FEATURES if name not in _FEATURES]
        if unknown or not cfg.WCVL.FEATURES:
            raise InputError(f"WCVL.FEATURES is {list(cfg.WCVL.FEATURES)}; it has to list some of {', '.join(_FEATURES)}.")
        self.features = tuple(cfg.WCVL.FEATURES)
        self.end_to_end: bool = cfg.WCVL.END_TO_END
        self.scale: float = cfg.WCVL.SCALE
        self.loss = CrossViewLoss(cfg.WCVL.SQUARED)

        self.main = _build_main(cfg)
        own = own_stages(cfg.WCVL.SHARED_LAYERS)
        stages = _last_stages(cfg, self.main, own)
        tap = stage_blocks(self.main, stages[0])[0] if stages else None
        self.observer = MainObserver(self.main, cfg.WCVL.MAIN.FEATURE, self.end_to_end, tap)
        self.cross_view = self._build_cross_view(cfg, stages)
        if not self.end_to_end:
            self.main.requires_grad_(False)
        self.register_load_state_dict_pre_hook(_refuse_main_alone)
        self.train()

    def _build_cross_view(self, cfg: CfgNode, stages: tuple[str, ...]) -> CrossViewModule:
        layers = copy_stages(self.main, _build_twin(cfg), stages) if stages else None
        pool = build_pool(cfg.WCVL.POOL_LAYER)
        # Widths are read off one image rather than off the config, which names only some backbones' widths.
        self.eval()
        image = torch.zeros(1, 3, *cfg.INPUT.SIZE_TEST)
        with torch.no_grad():
            seen = self.observer({"images": image})
            in_dim = seen.feature.shape[1]
            if layers is not None:
                in_dim = layers.eval()(seen.stage_input).shape[1]
        return CrossViewModule(layers, pool, in_dim, cfg.WCVL.HIDDEN_DIM, seen.feature.shape[1])

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def train(self, mode: bool = True) -> WCVL:
        """As in torch, but a pluggable module's main module stays in evaluation mode."""
        super().train(mode)
        if not self.end_to_end:
            self.main.eval()
        return self

    def forward(self, batched_inputs: dict[str, Any]) -> Any:
        """
        Args:
            batched_inputs: FastReID's batch dict; ``images`` (B, 3, H, W), and ``targets`` (B,) int64 in training.

        Returns:
            In training the losses by name (the main module's as well, end-to-end); in evaluation the features.
        """
        # In evaluation whoever asks for gradients gets them, for activation maps say.
        with torch.set_grad_enabled(torch.is_grad_enabled() and (self.end_to_end or not self.training)):
            seen = self.observer(batched_inputs)
        cross_view = self.cross_view(seen.stage_input, seen.feature)
        if not self.training:
            return self._features(seen, cross_view)
        targets = batched_inputs["targets"].to(cross_view.device)
        losses = dict(seen.output) if self.end_to_end else {}
        losses["loss_cross_view"] = self.scale * self.loss(cross_view, seen.feature, targets)
        return losses

    def _features(self, seen: Observation, cross_view: Tensor) -> Tensor | dict[str, Tensor]:
        x_g, x_cv = seen.feature.float(), cross_view.float()
        single = {"cv": x_cv, "global": x_g, "main": main_feature(seen.output).float()}
        features = {name: FUSIONS[name](x_g, x_cv) if name in FUSIONS else _unit(single[name]) for name in self.features}
        return features if len(features) > 1 else features[self.features[0]]


def _unit(features: Tensor) -> Tensor:
    """L2-normalised; lengths are constants to gradients, so that activation maps say what a similarity consists of."""
    return features / features.norm(dim=1, keepdim=True).detach().clamp_min(1e-12)


def _refuse_main_alone(model: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """FastReID loads what fits and passes over the rest: of the main module's own checkpoint nothing would fit."""
    if state_dict and not any(key.startswith(f"{prefix}main.") for key in state_dict):
        raise InputError(
            "MODEL.WEIGHTS has no WCVL in it: if it is the main module's checkpoint, it goes into WCVL.MAIN.WEIGHTS."
        )


def _main_config(cfg: CfgNode) -> CfgNode:
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.META_ARCHITECTURE = cfg.WCVL.MAIN.META_ARCHITECTURE
    # A checkpoint brings all weights, so pretrained ones would be fetched for nothing.
    cfg.MODEL.BACKBONE.PRETRAIN = cfg.MODEL.BACKBONE.PRETRAIN and not (cfg.WCVL.MAIN.WEIGHTS or cfg.MODEL.WEIGHTS)
    return cfg


def _build_main(cfg: CfgNode) -> nn.Module:
    """Builds the main module and loads its checkpoint, unless MODEL.WEIGHTS will bring both modules' weights anyway."""
    name = cfg.WCVL.MAIN.META_ARCHITECTURE
    if name == "WCVL":
        raise InputError("WCVL.MAIN.META_ARCHITECTURE is WCVL itself; it has to name the main module's meta-architecture.")
    try:
        architecture = META_ARCH_REGISTRY.get(name)
    except KeyError:
        raise InputError(f"WCVL.MAIN.META_ARCHITECTURE is {name!r}, which nothing registers with FastReID.") from None
    main = architecture(_main_config(cfg))
    if cfg.MODEL.WEIGHTS:
        return main
    if cfg.WCVL.MAIN.WEIGHTS:
        Checkpointer(main, classes=training_classes()).load(cfg.WCVL.MAIN.WEIGHTS, strict=True)
    elif not cfg.WCVL.END_TO_END:
        logger.warning("WCVL.MAIN.WEIGHTS is empty: the cross-view module is plugged into an untrained main module.")
    return main


def _build_twin(cfg: CfgNode) -> nn.Module:
    """The main module once more, with the cross-view module's last stride; its weights do not matter."""
    cfg = _main_config(cfg)
    cfg.MODEL.BACKBONE.PRETRAIN = False
    cfg.MODEL.BACKBONE.LAST_STRIDE = cfg.WCVL.LAST_STRIDE
    with torch.random.fork_rng(devices=[]):
        return META_ARCH_REGISTRY.get(cfg.MODEL.META_ARCHITECTURE)(cfg)


def _last_stages(cfg: CfgNode, main: nn.Module, number: int) -> tuple[str, ...]:
    if number == 0:
        return ()
    stages = tuple(cfg.WCVL.MAIN.STAGES) or find_stages(main)
    if len(stages) < number:
        raise InputError(
            f"WCVL.SHARED_LAYERS {cfg.WCVL.SHARED_LAYERS} leaves {number} stages to the cross-view module; "
            f"the main module has {len(stages)} after its stem: {', '.join(stages)}."
        )
    return stages[-number:]
