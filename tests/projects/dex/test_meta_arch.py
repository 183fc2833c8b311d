"""The part-based network on every kind of backbone of the paper, small where it can be."""

import copy

import pytest
import torch
from fastreid.modeling import build_model
from fastreid.modeling.backbones import build_backbone

from vreid_common.errors import InputError

TIMM = ("MODEL.BACKBONE.NAME", "build_timm_backbone", "DEX.LAST_SHARED_BLOCK", "blocks.3.0")
BACKBONES = {
    "resnet18": (),
    "resnet18-ibn": ("MODEL.BACKBONE.WITH_IBN", True),
    "resnet18-cbam": ("MODEL.BACKBONE.NAME", "build_cbam_resnet_backbone"),
    "efficientnet": (*TIMM, "MODEL.BACKBONE.TIMM_MODEL", "test_efficientnet", "MODEL.BACKBONE.FEAT_DIM", 256),
}


@pytest.fixture
def build(make_cfg):
    def build(*overrides):
        torch.manual_seed(0)
        return build_model(make_cfg(*overrides))

    return build


@pytest.mark.parametrize("backbone", BACKBONES)
def test_smoke_trains_and_evaluates(build, make_batch, events, backbone):
    model, batch = build(*BACKBONES[backbone]), make_batch()
    before = {key: value.clone() for key, value in model.named_parameters()}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses = model.train()(batch)
    assert set(losses) == {"loss_smoothed_cross_entropy", "loss_batch_hard_triplet"}
    sum(losses.values()).backward()
    optimizer.step()
    trained = [key for key, p in model.named_parameters() if p.requires_grad]
    assert sum(not torch.equal(before[key], dict(model.named_parameters())[key]) for key in trained) > 0.95 * len(trained)
    with torch.no_grad():
        assert model.eval()(batch).shape == (4, 17 * 8)


def test_feature_branches_are_unshared_copies_of_what_follows_conv4_1(build, make_cfg):
    model = build()
    torch.manual_seed(0)
    plain = build_backbone(make_cfg())
    own = [plain.layer3[1], *plain.layer4]
    for branch in model.branches:
        assert [str(part) for part in branch] == [str(part) for part in own]
    pointers = [p.data_ptr() for branch in model.branches for p in branch.parameters()]
    assert len(set(pointers)) == len(pointers)
    for first, other in zip(model.branches[0].parameters(), model.branches[2].parameters(), strict=True):
        assert torch.equal(first, other)  # they start from the same weights


def test_feature_trunk_and_branch_are_the_backbone(build, make_cfg, make_batch):
    model = build()
    torch.manual_seed(0)
    plain = build_backbone(make_cfg()).eval()
    images = make_batch()["images"].float()
    with torch.no_grad():
        model.eval()
        assert torch.equal(model.branches[1](model.backbone(images)), plain(images))


@pytest.mark.parametrize("size", [(64, 64), (70, 52), (32, 96), (16, 16)])
def test_feature_any_input_size(build, make_batch, events, size):
    """Maps of 4x4, 5x4, 2x6 and 1x1: strips that do not divide, and fewer rows than strips."""
    model, batch = build(), make_batch(size=size)
    losses = model.train()(batch)
    assert all(torch.isfinite(value) for value in losses.values())
    with torch.no_grad():
        assert model.eval()(batch).shape == (4, 136)


def test_feature_losses_are_the_mean_over_the_parts(build, make_batch, events):
    model, batch = build("MODEL.LOSSES.CE.EPSILON", 0.1, "MODEL.LOSSES.CE.SCALE", 2.0), make_batch()
    model.train()
    shared = model.backbone(model.preprocess_image(batch))
    outputs = model.heads([branch(shared) for branch in model.branches], batch["targets"])
    found = model.losses(outputs, batch["targets"])
    for key, loss in model.registered_losses.items():
        values = [loss(output, batch["targets"]).item() for output in outputs]
        assert found[key].item() == pytest.approx(sum(values) / 17)
    assert events.latest()["cls_accuracy"]


def test_feature_same_seed_same_network_and_inputs_unchanged(build, make_batch):
    first, second, batch = build().eval(), build().eval(), make_batch()
    images = batch["images"].clone()
    with torch.no_grad():
        assert torch.equal(first(batch), second(batch))
        assert torch.equal(first(batch), first(batch))
    assert torch.equal(batch["images"], images)


def test_feature_a_checkpoint_brings_everything(build, make_batch):
    trained, batch = build(), make_batch()
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    other = build()
    other.load_state_dict(copy.deepcopy(trained.state_dict()))
    with torch.no_grad():
        assert torch.equal(other.eval()(batch), trained.eval()(batch))


def test_feature_pretrained_weights_reach_trunk_and_branches(build, make_cfg, tmp_path):
    torch.manual_seed(7)
    source = build_backbone(make_cfg())
    torch.save(source.state_dict(), tmp_path / "r18.pth")
    model = build("MODEL.BACKBONE.PRETRAIN", True, "MODEL.BACKBONE.PRETRAIN_PATH", str(tmp_path / "r18.pth"))
    assert torch.equal(model.backbone[0].weight, source.conv1.weight)
    for branch in model.branches:
        assert torch.equal(branch[-1].conv2.weight, source.layer4[1].conv2.weight)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("DEX.LAST_SHARED_BLOCK", "layer9"), r"'layer9', which the backbone does not have: use one of conv1, bn1,"),
        (("MODEL.BACKBONE.FEAT_DIM", 500), r"FEAT_DIM is 500, but the backbone gives \(512, 4, 4\)"),
        (("MODEL.HEADS.NAME", "EmbeddingHead"), "needs PartHeads"),
        (("MODEL.LOSSES.NAME", ["TripletLoss"]), "lists TripletLoss: PartBased takes registered losses"),
        (
            ("MODEL.BACKBONE.DEPTH", "50x", "MODEL.BACKBONE.FEAT_DIM", 2048, "MODEL.BACKBONE.WITH_NL", True),
            "cannot be cut",
        ),
    ],
)
def test_exception_keys(build, overrides, said):
    with pytest.raises(InputError, match=said):
        build(*overrides)
