"""FastReID's ResNet with CBAM in every block.

Shape shorthand: B images; C, H, W a feature map.
"""

from __future__ import annotations

from fastreid.config import CfgNode
from fastreid.modeling.backbones import BACKBONE_REGISTRY, build_resnet_backbone
from fastreid.modeling.backbones.resnet import BasicBlock, Bottleneck
from timm.layers.cbam import CbamModule
from torch import nn

from vreid_common.errors import InputError

__all__ = ["build_cbam_resnet_backbone"]


@BACKBONE_REGISTRY.register()
def build_cbam_resnet_backbone(cfg: CfgNode) -> nn.Module:
    """A ResNet, or ResNet-IBN with ``WITH_IBN``, whose blocks attend to channels and then to places before the residual sum.

    It reads the keys of ``build_resnet_backbone``; pretrained weights are those of the network without CBAM.

    Source: Woo et al., "CBAM: Convolutional Block Attention Module" (ECCV 2018), Fig. 3, with its reduction 16 and 7×7 kernel.

    Raises:
        InputError: MODEL.BACKBONE.WITH_SE is set: CBAM takes the place of squeeze and excitation.
    """
    if cfg.MODEL.BACKBONE.WITH_SE:
        raise InputError("MODEL.BACKBONE.WITH_SE is set: build_cbam_resnet_backbone has CBAM in its place.")
    backbone = build_resnet_backbone(cfg)
    for block in backbone.modules():
        # FastReID's blocks call `se`, an identity without SE, where CBAM goes.
        if isinstance(block, Bottleneck):
            block.se = CbamModule(block.conv3.out_channels)
        elif isinstance(block, BasicBlock):
            block.se = CbamModule(block.conv2.out_channels)
    return backbone
