"""Weights from files of FastReID's, torchvision's and IBN-Net's kind, which the tests write."""

import pytest
import torch
import torchvision
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone
from safetensors.torch import save_file

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.modeling.backbones import load_pretrained


@pytest.fixture
def make_cfg():
    def make(*overrides):
        cfg = get_vreid_cfg()
        cfg.MODEL.META_ARCHITECTURE = "VehicleBaseline"
        cfg.MODEL.DEVICE = "cpu"
        cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.FEAT_DIM = "18x", 512
        cfg.MODEL.HEADS.NUM_CLASSES = 3
        cfg.merge_from_list(list(overrides))
        return cfg

    return make


@pytest.fixture
def backbone(make_cfg):
    torch.manual_seed(0)
    return build_backbone(make_cfg())


def weights(module):
    return {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}


def test_torchvisions_file_has_the_classifier_left_out(backbone, tmp_path):
    source = torchvision.models.resnet18()
    torch.save(source.state_dict(), tmp_path / "resnet18.pth")
    load_pretrained(backbone, str(tmp_path / "resnet18.pth"))
    expected = source.state_dict()
    assert set(weights(backbone)) == set(weights(source)) - {"fc.weight", "fc.bias"}
    assert all(torch.equal(value, expected[key]) for key, value in weights(backbone).items())


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_fastreid_checkpoint_gives_its_backbone(backbone, make_cfg, tmp_path, prefix):
    torch.manual_seed(1)
    source = build_model(make_cfg())
    state = {prefix + key: value for key, value in source.state_dict().items()}
    torch.save({"model": state, "epoch": 3}, tmp_path / "model_final.pth")
    load_pretrained(backbone, str(tmp_path / "model_final.pth"))
    assert all(torch.equal(value, source.backbone.state_dict()[key]) for key, value in weights(backbone).items())


def test_safetensors_and_files_without_batch_counts(backbone, make_cfg, tmp_path):
    torch.manual_seed(1)
    source = build_backbone(make_cfg())
    save_file({key: value.clone() for key, value in weights(source).items()}, tmp_path / "w.safetensors")
    load_pretrained(backbone, str(tmp_path / "w.safetensors"))
    assert all(torch.equal(value, weights(source)[key]) for key, value in weights(backbone).items())


def test_cbam_blocks_may_be_missing_but_nothing_else(make_cfg, tmp_path):
    cbam = build_backbone(make_cfg("MODEL.BACKBONE.NAME", "build_cbam_resnet_backbone"))
    own = {key: value.clone() for key, value in cbam.state_dict().items() if ".se." in key}
    plain = build_backbone(make_cfg())
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    load_pretrained(cbam, str(tmp_path / "plain.pth"))
    state = cbam.state_dict()
    assert own
    assert all(torch.equal(state[key], value) for key, value in own.items())
    assert all(torch.equal(state[key], value) for key, value in weights(plain).items())
    some = {**plain.state_dict(), next(iter(own)): next(iter(own.values()))}
    torch.save(some, tmp_path / "some.pth")
    with pytest.raises(InputError, match="it lacks layer1"):
        load_pretrained(cbam, str(tmp_path / "some.pth"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "it lacks conv1.weight, one of the backbone's"),
        ({"conv1.weight": torch.zeros(64, 3, 3, 3)}, r"conv1.weight has shape \(64, 3, 3, 3\) there and \(64, 3, 7, 7\)"),
    ],
)
def test_exception_another_networks_file(backbone, tmp_path, content, said):
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(InputError, match=said):
        load_pretrained(backbone, str(tmp_path / "other.pth"))
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_exception_no_file(backbone, tmp_path):
    with pytest.raises(InputError, match="PRETRAIN_PATH .*gone.pth does not exist"):
        load_pretrained(backbone, str(tmp_path / "gone.pth"))
    with pytest.raises(InputError, match="is a folder"):
        load_pretrained(backbone, str(tmp_path))


def test_the_meta_architecture_reads_it(make_cfg, tmp_path):
    """FastReID's own builder passes over every tensor of a FastReID checkpoint without a word."""
    torch.manual_seed(1)
    source = build_model(make_cfg())
    path = tmp_path / "model_final.pth"
    torch.save({"model": source.state_dict()}, path)
    torch.manual_seed(2)
    model = build_model(make_cfg("MODEL.BACKBONE.PRETRAIN", True, "MODEL.BACKBONE.PRETRAIN_PATH", str(path)))
    assert all(torch.equal(value, weights(source.backbone)[key]) for key, value in weights(model.backbone).items())
    unread = build_model(make_cfg("MODEL.BACKBONE.PRETRAIN", False, "MODEL.BACKBONE.PRETRAIN_PATH", str(path)))
    assert not torch.equal(unread.backbone.conv1.weight, source.backbone.conv1.weight)
