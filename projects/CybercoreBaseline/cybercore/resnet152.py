"""ResNet-152, which FastReID 1.4.0 lacks."""

import torchvision
from fastreid.config import CfgNode
from fastreid.modeling.backbones import BACKBONE_REGISTRY
from fastreid.modeling.backbones.resnet import Bottleneck, ResNet

__all__ = ["build_resnet152_backbone"]

_BLOCKS = [3, 8, 36, 3]
"""Of each stage: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Table 1."""


@BACKBONE_REGISTRY.register()
def build_resnet152_backbone(cfg: CfgNode) -> ResNet:
    """FastReID's ResNet with ResNet-152's numbers of blocks; MODEL.BACKBONE.DEPTH is not read.

    MODEL.BACKBONE.PRETRAIN takes torchvision's ImageNet weights (V1); a file in PRETRAIN_PATH is read by ``VehicleBaseline``.

    Raises:
        OSError: the weights cannot be fetched.
    """
    keys = cfg.MODEL.BACKBONE
    backbone = ResNet(keys.LAST_STRIDE, keys.NORM, keys.WITH_IBN, keys.WITH_SE, keys.WITH_NL, Bottleneck, _BLOCKS, [0, 2, 9, 0])
    if keys.PRETRAIN:
        weights = torchvision.models.ResNet152_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True)
        backbone.load_state_dict({key: value for key, value in weights.items() if not key.startswith("fc.")})
    return backbone
