import pytest
import torch
from torch import nn
from wcvl.observe import MainObserver, main_feature
from wcvl.stages import stage_blocks

from vreid_common.errors import InputError
from vreid_common.modeling import VehicleBaseline

EMBEDDING = ("MODEL.HEADS.EMBEDDING_DIM", 16)


def build(make_cfg, *overrides):
    main = VehicleBaseline(make_cfg(*overrides)).eval()
    for neck in main.heads.bottleneck:
        if isinstance(neck, nn.BatchNorm2d):
            nn.init.uniform_(neck.weight, 0.5, 1.5)  # so that before and after BNNeck differ
    return main


def observe(main, batch, feature, end_to_end=False):
    with torch.no_grad():
        return MainObserver(main, feature, end_to_end, stage_blocks(main, "backbone.layer4")[0])(batch)


@pytest.mark.parametrize("overrides", [(), EMBEDDING], ids=["pooled", "embedding"])
def test_feature_before_bnneck_is_what_enters_it(make_cfg, make_batch, overrides):
    main = build(make_cfg, *overrides)
    seen = observe(main, make_batch(), "before_bnneck")
    x = main.heads.pool_layer(main.backbone(main.preprocess_image(make_batch())))
    for layer in main.heads.bottleneck[:-1]:
        x = layer(x)
    assert torch.equal(seen.feature, x[..., 0, 0])
    assert not torch.allclose(seen.feature, seen.output)


@pytest.mark.parametrize("overrides", [("MODEL.HEADS.WITH_BNNECK", False), ("MODEL.HEADS.WITH_BNNECK", False, *EMBEDDING)])
def test_feature_without_bnneck_both_are_the_output(make_cfg, make_batch, overrides):
    main = build(make_cfg, *overrides)
    for feature in ("before_bnneck", "output"):
        seen = observe(main, make_batch(), feature)
        assert torch.equal(seen.feature, seen.output)


def test_feature_output_in_training_is_the_neck(make_cfg, make_batch, events):
    main = build(make_cfg)
    in_eval = observe(main, make_batch(), "output", end_to_end=True)
    assert torch.equal(in_eval.feature, in_eval.output)
    in_training = observe(main.train(), make_batch(), "output", end_to_end=True)
    assert set(in_training.output) == {"loss_cls", "loss_triplet"}
    assert in_training.feature.shape == in_eval.feature.shape


def test_feature_the_tap_is_the_own_stages_input(make_cfg, make_batch):
    main = build(make_cfg)
    seen = observe(main, make_batch(), "output")
    with torch.no_grad():
        torch.testing.assert_close(main.heads(main.backbone.layer4(seen.stage_input)), main(make_batch()), rtol=1e-5, atol=1e-5)


def test_feature_leaves_the_main_module_as_it_was(make_cfg, make_batch):
    main = build(make_cfg)
    expected = main(make_batch())
    seen = observe(main, make_batch(), "before_bnneck")
    assert torch.equal(seen.output, expected)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in main.modules())
    with pytest.raises(KeyError):
        observe(main, {}, "before_bnneck")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in main.modules())


def test_exception(make_cfg, make_batch):
    main = build(make_cfg)
    with pytest.raises(InputError, match=r"FEATURE is 'after'"):
        MainObserver(main, "after", False, None)
    for feature, end_to_end in (("before_bnneck", False), ("output", True)):
        with pytest.raises(InputError, match="Linear has none of FastReID's embedding heads"):
            MainObserver(nn.Linear(1, 1), feature, end_to_end, None)
    with pytest.raises(InputError, match="does not call"):
        MainObserver(main, "output", False, nn.Identity())(make_batch())


def test_cardinality_main_feature():
    first, second = torch.zeros(2, 3), torch.ones(2, 3)
    assert main_feature(first) is first
    assert main_feature({"a": second, "b": first}) is second
