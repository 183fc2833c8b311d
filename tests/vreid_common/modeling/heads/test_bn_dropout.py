import pytest
import torch
from fastreid.modeling.heads import EmbeddingHead, build_heads
from torch.nn.functional import linear

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.modeling import BNDropoutHead


def make(*overrides, name="BNDropoutHead"):
    cfg = get_vreid_cfg()
    cfg.MODEL.HEADS.NAME = name
    cfg.MODEL.BACKBONE.FEAT_DIM = 8
    cfg.MODEL.HEADS.NUM_CLASSES = 3
    cfg.MODEL.HEADS.WITH_BNNECK = True
    cfg.merge_from_list(list(overrides))
    torch.manual_seed(0)
    return build_heads(cfg)


MAPS, TARGETS = torch.randn(6, 8, 2, 2, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 0, 1, 2])


def test_feature_without_dropout_is_fastreids_head():
    ours, theirs = make("MODEL.HEADS.DROPOUT", 0.0), make(name="EmbeddingHead")
    assert isinstance(ours, BNDropoutHead)
    assert isinstance(theirs, EmbeddingHead)
    ours.load_state_dict(theirs.state_dict())
    found, expected = ours(MAPS, TARGETS), theirs(MAPS, TARGETS)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    torch.testing.assert_close(ours.eval()(MAPS), theirs.eval()(MAPS))


def test_feature_the_classifier_gets_half_of_the_feature():
    head = make("MODEL.HEADS.NECK_FEAT", "dropout")
    outputs = head(MAPS, TARGETS)
    seen = outputs["features"]
    torch.testing.assert_close(outputs["cls_outputs"], linear(seen, head.weight))
    assert 0.2 < (seen == 0).float().mean() < 0.8
    kept = seen != 0
    after = head.bottleneck(head.pool_layer(MAPS))[..., 0, 0]
    torch.testing.assert_close(seen[kept], 2 * after[kept])


def test_feature_which_feature_the_losses_get():
    pooled = MAPS.mean(dim=(2, 3))
    torch.testing.assert_close(make("MODEL.HEADS.NECK_FEAT", "before")(MAPS, TARGETS)["features"], pooled)
    standardised = (pooled - pooled.mean(0)) / (pooled.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(make("MODEL.HEADS.NECK_FEAT", "after")(MAPS, TARGETS)["features"], standardised)


def test_feature_evaluation_drops_nothing():
    head = make("MODEL.HEADS.EMBEDDING_DIM", 4).eval()
    assert torch.equal(head(MAPS), head(MAPS))
    assert head(MAPS).shape == (6, 4)


def test_feature_combined_margin_of_the_config():
    head = make(
        *("MODEL.HEADS.CLS_LAYER", "CombinedMargin", "MODEL.HEADS.SCALE", 16),
        *("MODEL.HEADS.COMBINED_MARGIN.M1", 2.0, "MODEL.HEADS.COMBINED_MARGIN.M2", 0.1),
    )
    margin = head.combined_margin
    assert (margin.scale, margin.m1, margin.m2, margin.m3) == (16, 2.0, 0.1, 0.0)
    outputs = head(MAPS, TARGETS)
    target = outputs["cls_outputs"].gather(1, TARGETS[:, None])
    assert (target < outputs["pred_class_logits"].gather(1, TARGETS[:, None])).all()
    assert outputs["pred_class_logits"].abs().max() <= 16 + 1e-4


@pytest.mark.parametrize(
    ("key", "value"), [("CLS_LAYER", "ArcSoftmax"), ("NECK_FEAT", "between"), ("DROPOUT", 1.0), ("DROPOUT", -0.1)]
)
def test_exception(key, value):
    with pytest.raises(InputError, match=rf"MODEL\.HEADS\.{key} is '?{value}"):
        make(f"MODEL.HEADS.{key}", value)
