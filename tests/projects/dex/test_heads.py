"""The parts' heads against the layers applied one by one."""

import pytest
import torch
from dex import PartHeads
from dex.partition import part_edges
from fastreid.modeling.heads import build_heads

from vreid_common.errors import InputError

AXES = {"height": 2, "width": 3, "channel": 1}


def maps(count=3, height=5, width=4):
    torch.manual_seed(0)
    return [torch.rand(4, 512, height, width) for _ in range(count)]


def cut_by_hand(cfg, features):
    """Pooled parts in the paper's order, by slicing."""
    pooled = []
    for (axis, dim), branch in zip(AXES.items(), features, strict=True):
        for parts in cfg.DEX.PARTS[axis.upper()]:
            for start, stop in part_edges(branch.shape[dim], parts):
                part = branch.transpose(0, dim)[start:stop].transpose(0, dim)
                pooled.append(part.flatten(2).max(dim=2).values)
    return pooled


@pytest.mark.parametrize("test_feature", ["after_bn", "before_bn"])
def test_feature_evaluation_is_pool_reduce_normalise_concatenate(make_cfg, test_feature):
    cfg = make_cfg("DEX.TEST_FEATURE", test_feature)
    heads = build_heads(cfg)
    assert isinstance(heads, PartHeads)
    for head in heads.parts:  # statistics that do something
        head.bottleneck[1].running_mean.uniform_(-1, 1)
        head.bottleneck[1].running_var.uniform_(0.5, 2)
    features = maps()
    expected = []
    for head, pooled in zip(heads.parts, cut_by_hand(cfg, features), strict=True):
        convolution, norm = head.bottleneck
        reduced = pooled @ convolution.weight[:, :, 0, 0].T
        after = (reduced - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        expected.append(after if test_feature == "after_bn" else reduced)
    with torch.no_grad():
        found = heads.eval()(features)
    assert found.shape == (4, 17 * 8)
    torch.testing.assert_close(found, torch.cat(expected, 1).detach(), atol=1e-5, rtol=1e-5)


def test_feature_training_gives_each_part_its_logits_and_the_feature_before_bn(make_cfg):
    cfg = make_cfg()
    heads, targets = build_heads(cfg).train(), torch.tensor([0, 0, 1, 1])
    features = maps()
    outputs = heads(features, targets)
    assert len(outputs) == 17
    for head, output, pooled in zip(heads.parts, outputs, cut_by_hand(cfg, features), strict=True):
        reduced = pooled @ head.bottleneck[0].weight[:, :, 0, 0].T
        torch.testing.assert_close(output["features"], reduced, atol=1e-5, rtol=1e-5)
        normal = (reduced - reduced.mean(0)) / (reduced.var(0, unbiased=False) + 1e-5).sqrt()
        torch.testing.assert_close(output["cls_outputs"], normal @ head.weight.T, atol=1e-4, rtol=1e-4)
        assert output["cls_outputs"].shape == output["pred_class_logits"].shape == (4, 5)


def test_feature_after_and_margin_layers(make_cfg):
    cfg = make_cfg("MODEL.HEADS.NECK_FEAT", "after", "MODEL.HEADS.CLS_LAYER", "CosSoftmax", "MODEL.HEADS.MARGIN", 0.2)
    cfg.MODEL.HEADS.SCALE = 10
    outputs = build_heads(cfg).train()(maps(), torch.tensor([0, 0, 1, 1]))
    assert outputs[0]["features"].mean(0).abs().max() < 1e-5
    assert outputs[0]["pred_class_logits"].abs().max() <= 10
    difference = outputs[0]["pred_class_logits"] - outputs[0]["cls_outputs"]
    torch.testing.assert_close(difference, 2.0 * torch.eye(5)[[0, 0, 1, 1]], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("parts", "count"),
    [(([1, 3], [1, 3], [1, 2]), 11), (([1, 2, 3], [], []), 6), (([], [2], [1, 5]), 8)],
    ids=["literal", "height only", "no height"],
)
def test_cardinality_parts_and_branches(make_cfg, parts, count):
    cfg = make_cfg(*[x for axis, value in zip(AXES, parts, strict=True) for x in (f"DEX.PARTS.{axis.upper()}", value)])
    branches = sum(bool(value) for value in parts)
    with torch.no_grad():
        assert build_heads(cfg).eval()(maps(branches, 1, 2)).shape == (4, count * 8)


def test_feature_channels_that_do_not_divide(make_cfg):
    heads = build_heads(make_cfg("DEX.PARTS.HEIGHT", [], "DEX.PARTS.WIDTH", [], "DEX.PARTS.CHANNEL", [3]))
    assert [head.bottleneck[0].in_channels for head in heads.parts] == [170, 171, 171]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("DEX.PARTS.HEIGHT", [0]), r"DEX.PARTS.HEIGHT is \[0\]"),
        (("DEX.PARTS.HEIGHT", [], "DEX.PARTS.WIDTH", [], "DEX.PARTS.CHANNEL", []), "lists no parts"),
        (("DEX.PARTS.CHANNEL", [600]), r"DEX.PARTS.CHANNEL is \[600\] for 512 channels"),
        (("DEX.TEST_FEATURE", "middle"), "DEX.TEST_FEATURE is 'middle'"),
        (("MODEL.HEADS.NECK_FEAT", "x"), "NECK_FEAT is 'x'"),
        (("MODEL.HEADS.WITH_BNNECK", False), "need WITH_BNNECK"),
        (("MODEL.HEADS.EMBEDDING_DIM", 0), "EMBEDDING_DIM"),
    ],
)
def test_exception_keys(make_cfg, overrides, said):
    with pytest.raises(InputError, match=said):
        build_heads(make_cfg(*overrides))
