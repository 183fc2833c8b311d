import torch
import torchvision
from fastreid.modeling.backbones import build_backbone


def test_feature_is_torchvision_s_network(make_cfg):
    """So that its published weights fit, by name and shape."""
    cfg = make_cfg("MODEL.BACKBONE.NAME", "build_resnet152_backbone", "MODEL.BACKBONE.LAST_STRIDE", 2)
    with torch.device("meta"):
        peer = {
            key: value.shape for key, value in torchvision.models.resnet152().state_dict().items() if not key.startswith("fc.")
        }
        ours = {key: value.shape for key, value in build_backbone(cfg).state_dict().items()}
    assert ours == peer
