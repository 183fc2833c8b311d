"""VGG_CNN_M_1024, the paper's base network for VeRi-776.

Source: Chatfield et al., "Return of the Devil in the Details" (BMVC 2014), Table 1, CNN-M with a last layer of 1,024.

Shape shorthand: B images, H × W pixels; C channels of the feature; h × w a feature map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from fastreid.config import CfgNode
from fastreid.modeling.backbones import BACKBONE_REGISTRY
from torch import Tensor, nn

from vreid_common.errors import InputError

__all__ = ["VGGM", "build_vgg_m_backbone"]


class VGGM(nn.Module):
    """Five convolutions (``features``) and two fully connected layers (``classifier``), all with ReLU.

    The fully connected layers are convolutions, fc6 over the whole feature map, so that their output is a feature map of one
    place. There is no batch normalisation: conv1 and conv2 are followed by local response normalisation.

    Args:
        image_size: height and width in pixels of the images, which fc6's size follows from.
        channels: of conv1, conv2 and conv3 to conv5.
        fc6, fc7: widths of the fully connected layers.
        dropout: probability with which the two set an entry to 0 in training.

    Raises:
        InputError: nothing is left of such images before fc6.
    """

    def __init__(
        self, image_size: Sequence[int], channels: Sequence[int] = (96, 256, 512), fc6: int = 4096, fc7: int = 1024,
        dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        conv1, conv2, conv3 = channels
        self.features = nn.Sequential(
            nn.Conv2d(3, conv1, 7, stride=2), nn.ReLU(), _normalisation(), _pool(),
            nn.Conv2d(conv1, conv2, 5, stride=2, padding=1), nn.ReLU(), _normalisation(), _pool(),
            nn.Conv2d(conv2, conv3, 3, padding=1), nn.ReLU(),
            nn.Conv2d(conv3, conv3, 3, padding=1), nn.ReLU(),
            nn.Conv2d(conv3, conv3, 3, padding=1), nn.ReLU(), _pool(),
        )  # fmt: skip
        try:
            with torch.no_grad():
                size = self.features(torch.zeros(1, 3, *image_size)).shape[-2:]
        except RuntimeError as error:  # a kernel larger than what is left
            raise InputError(
                f"INPUT.SIZE_TRAIN {list(image_size)} leaves nothing of an image after build_vgg_m_backbone's convolutions."
            ) from error
        self.classifier = nn.Sequential(
            nn.Conv2d(conv3, fc6, tuple(size)), nn.ReLU(), nn.Dropout(dropout),
            nn.Conv2d(fc6, fc7, 1), nn.ReLU(), nn.Dropout(dropout),
        )  # fmt: skip
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) → (B, C, 1, 1)."""
        return self.classifier(self.features(images))


@BACKBONE_REGISTRY.register()
def build_vgg_m_backbone(cfg: CfgNode) -> nn.Module:
    """VGG_CNN_M_1024 of EALN.VGG_M's sizes, for images of INPUT.SIZE_TRAIN; fc7 has MODEL.BACKBONE.FEAT_DIM outputs.

    Its ImageNet weights are read from MODEL.BACKBONE.PRETRAIN_PATH, under the names that this module's state dict has.

    Raises:
        InputError: a key cannot be used, or pretrained weights are asked for without a file.
    """
    keys, backbone = cfg.EALN.VGG_M, cfg.MODEL.BACKBONE
    if len(keys.CHANNELS) != 3 or min(*keys.CHANNELS, keys.FC6, backbone.FEAT_DIM) < 1 or not 0 <= keys.DROPOUT < 1:
        raise InputError(
            f"EALN.VGG_M has CHANNELS {list(keys.CHANNELS)}, FC6 {keys.FC6} and DROPOUT {keys.DROPOUT}, and "
            f"MODEL.BACKBONE.FEAT_DIM is {backbone.FEAT_DIM}: use three channels, widths of 1 or more, a dropout in [0, 1)."
        )
    if tuple(cfg.INPUT.SIZE_TRAIN) != tuple(cfg.INPUT.SIZE_TEST):
        raise InputError(
            f"INPUT.SIZE_TRAIN is {list(cfg.INPUT.SIZE_TRAIN)} and INPUT.SIZE_TEST {list(cfg.INPUT.SIZE_TEST)}: "
            "build_vgg_m_backbone has fully connected layers, so both have to be the same."
        )
    if backbone.PRETRAIN:  # VehicleBaseline turns it off where it reads PRETRAIN_PATH itself
        raise InputError(
            "build_vgg_m_backbone's ImageNet weights cannot be fetched: name a file in MODEL.BACKBONE.PRETRAIN_PATH, or set "
            "MODEL.BACKBONE.PRETRAIN False to train from scratch."
        )
    return VGGM(cfg.INPUT.SIZE_TRAIN, keys.CHANNELS, keys.FC6, backbone.FEAT_DIM, keys.DROPOUT)


def _normalisation() -> nn.Module:
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)
