"""Weights from files of FastReID's, torchvision's and IBN-Net's kind, which the tests write."""

import pytest
import torch
import torchvision
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone
from safetensors.torch import save_file

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.weights import load_pretrained


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
    ("keys", "kind", "block"),
    [
        (("WITH_NL", True, "DEPTH", "50x", "FEAT_DIM", 2048), "non-local", "NL_2.0.g.weight"),
        (("WITH_SE", True), "squeeze-and-excitation", "layer1.0.se.fc.0.weight"),
    ],
)
def test_blocks_that_published_networks_lack_keep_their_initial_weights(make_cfg, tmp_path, caplog, keys, kind, block):
    """WCVL's AGW and SBS configs with torchvision's file, to which the message of a missing download sends."""
    overrides = [f"MODEL.BACKBONE.{key}" if isinstance(key, str) and key.isupper() else key for key in keys]
    backbone = build_backbone(make_cfg(*overrides))
    initial = backbone.state_dict()[block].clone()
    published = getattr(torchvision.models, "resnet50" if "50x" in keys else "resnet18")()
    torch.save(published.state_dict(), tmp_path / "published.pth")
    with caplog.at_level("INFO"):
        load_pretrained(backbone, str(tmp_path / "published.pth"))
    assert f"published.pth has no {kind} blocks: they start from their initial weights." in caplog.text
    assert torch.equal(backbone.state_dict()[block], initial)
    assert torch.equal(backbone.layer4[1].conv2.weight, published.layer4[1].conv2.weight)
    torch.save({**published.state_dict(), block: initial}, tmp_path / "some.pth")
    with pytest.raises(InputError, match="some.pth was made for another network: it lacks"):
        load_pretrained(backbone, str(tmp_path / "some.pth"))


@pytest.mark.parametrize("prefix", ["module.backbone.", "module.encoder.", "encoder."])
@pytest.mark.parametrize("container", [("state_dict",), ("model_state",), ("net",), ("model", "state_dict")])
def test_files_of_other_programs(backbone, tmp_path, prefix, container):
    source = torchvision.models.resnet18()
    content = {prefix + key: value for key, value in source.state_dict().items()}
    for name in reversed(container):
        content = {name: content, "epoch": 3}
    torch.save(content, tmp_path / "other.pth")
    load_pretrained(backbone, str(tmp_path / "other.pth"))
    assert torch.equal(backbone.layer4[1].conv2.weight, source.layer4[1].conv2.weight)


@pytest.mark.parametrize("distilled", [False, True])
def test_a_vision_transformers_positions_are_resized_as_fastreids_builder_does(make_cfg, tmp_path, distilled):
    from fastreid.modeling.backbones.vision_transformer import VisionTransformer, resize_pos_embed

    def make(side, width):
        return VisionTransformer(img_size=(side, width), stride_size=16, depth=1, embed_dim=32, num_heads=2)

    source, target = make(64, 64), make(32, 48)
    expected = resize_pos_embed(source.pos_embed, target.pos_embed, 2, 3)
    state = source.state_dict()
    if distilled:
        state["dist_token"] = torch.zeros(1, 1, 32)
        state["pos_embed"] = torch.cat([state["pos_embed"][:, :1], torch.ones(1, 1, 32), state["pos_embed"][:, 1:]], dim=1)
    torch.save({"model": state}, tmp_path / "vit.pth")
    load_pretrained(target, str(tmp_path / "vit.pth"))
    torch.testing.assert_close(target.pos_embed, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "it lacks conv1.weight, one of the backbone's"),
        ({"epoch": 3, "net": {"lr": 0.1}}, "other.pth holds no weights: its entries are lr."),
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
