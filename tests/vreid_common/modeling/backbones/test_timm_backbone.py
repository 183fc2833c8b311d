"""timm's networks as FastReID backbones."""

import pytest
import timm
import torch
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.weights import load_pretrained

SMALL = ("test_efficientnet", 256)


def config(name, dim, **keys):
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.BACKBONE.NAME = "build_timm_backbone"
    cfg.MODEL.BACKBONE.TIMM_MODEL, cfg.MODEL.BACKBONE.FEAT_DIM = name, dim
    for key, value in keys.items():
        cfg.MODEL.BACKBONE[key] = value
    return cfg


@pytest.mark.parametrize(
    ("name", "dim"),
    [SMALL, ("seresnext50_32x4d", 2048), ("efficientnet_b1", 1280)],
)
def test_last_stride_keeps_the_resolution_without_dilation(name, dim):
    image = torch.rand(1, 3, 96, 64)
    plain = build_backbone(config(name, dim, LAST_STRIDE=2)).eval()
    fine = build_backbone(config(name, dim, LAST_STRIDE=1)).eval()
    with torch.no_grad():
        assert plain(image).shape == (1, dim, 3, 2)
        assert fine(image).shape == (1, dim, 6, 4)
    assert all(module.dilation == (1, 1) for module in fine.modules() if isinstance(module, torch.nn.Conv2d))
    shapes = {key: value.shape for key, value in plain.state_dict().items()}
    assert {key: value.shape for key, value in fine.state_dict().items()} == shapes


def test_it_is_timms_network():
    torch.manual_seed(0)
    backbone = build_backbone(config(*SMALL, LAST_STRIDE=2)).eval()
    torch.manual_seed(0)
    network = timm.create_model(SMALL[0]).eval()
    network.load_state_dict(backbone.state_dict(), strict=False)
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(backbone(image), network.forward_features(image))


def test_timms_file_of_weights(tmp_path):
    network = timm.create_model(SMALL[0])
    torch.save(network.state_dict(), tmp_path / "w.pth")
    backbone = build_backbone(config(*SMALL))
    load_pretrained(backbone, str(tmp_path / "w.pth"))
    # By itself too, as FastReID's own Baseline builds it: the hub is not asked.
    named = build_backbone(config(*SMALL, PRETRAIN=True, PRETRAIN_PATH=str(tmp_path / "w.pth")))
    for loaded in (backbone, named):
        assert all(torch.equal(value, network.state_dict()[key]) for key, value in loaded.state_dict().items())


def test_it_goes_into_fastreids_baseline():
    cfg = config(*SMALL)
    cfg.MODEL.HEADS.NUM_CLASSES = 2
    model = build_model(cfg).eval()
    with torch.no_grad():
        assert model({"images": torch.zeros(2, 3, 64, 64)}).shape == (2, SMALL[1])


@pytest.mark.parametrize(
    ("name", "dim", "keys", "said"),
    [
        ("efficientnet_b11", 1280, {}, "did you mean efficientnet_b1"),
        ("", 1280, {}, "MODEL.BACKBONE.TIMM_MODEL is ''"),
        (SMALL[0], 100, {}, "FEAT_DIM is 100, but test_efficientnet has 256 channels"),
        (*SMALL, {"LAST_STRIDE": 3}, "LAST_STRIDE is 3"),
        (*SMALL, {"NORM": "GN"}, "NORM is 'GN'"),
        ("test_vit", 64, {}, "not a feature map"),
    ],
)
def test_exception_what_cannot_be_built(name, dim, keys, said):
    with pytest.raises(InputError, match=said):
        build_backbone(config(name, dim, **keys))


def test_exception_weights_that_cannot_be_fetched(monkeypatch):
    def offline(*_args, **_kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr("timm.create_model", offline)
    with pytest.raises(InputError, match=r"weights of timm's test_efficientnet are not to be had \(ConnectionError\)"):
        build_backbone(config(*SMALL, PRETRAIN=True))
