import copy
import logging

import pytest
import torch
from fastreid.modeling import build_model
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from torch import nn
from torch.nn.functional import normalize
from wcvl import WCVL, CrossViewLoss
from wcvl.fusion import FUSIONS

from vreid_common.engine import Checkpointer
from vreid_common.errors import InputError
from vreid_common.modeling import VehicleBaseline
from vreid_common.report.activation import similarity_maps

ALL = ["na", "an", "nan", "cv", "global", "main"]
R50 = ("MODEL.BACKBONE.DEPTH", "50x", "MODEL.BACKBONE.FEAT_DIM", 2048)


class ForeignMain(nn.Module):
    """A main module with nothing of FastReID's in it, as somebody else may register."""

    def __init__(self, cfg):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 6, 3, 2))

    def forward(self, batch):
        return self.body(batch["images"].float() / 255).mean((2, 3))


MAINS = {
    "Baseline of FastReID": ("WCVL.MAIN.META_ARCHITECTURE", "Baseline"),
    "ResNet-34-IBN": ("MODEL.BACKBONE.DEPTH", "34x", "MODEL.BACKBONE.WITH_IBN", True),
    "AGW": (*R50, "MODEL.BACKBONE.WITH_NL", True, "MODEL.HEADS.POOL_LAYER", "GeneralizedMeanPoolingP"),
    "SBS": (*R50, "MODEL.BACKBONE.WITH_IBN", True, "MODEL.HEADS.CLS_LAYER", "CircleSoftmax", "MODEL.HEADS.NECK_FEAT", "after"),
    "embedding layer": ("MODEL.HEADS.EMBEDDING_DIM", 32),
    # MGN cuts its feature map into three strips, which four rows do not give.
    "MGN": (
        *(*R50, "WCVL.MAIN.META_ARCHITECTURE", "MGN", "MODEL.HEADS.EMBEDDING_DIM", 16),
        *("INPUT.SIZE_TEST", [96, 96]),
    ),
    "OSNet": (
        *("MODEL.BACKBONE.NAME", "build_osnet_backbone", "MODEL.BACKBONE.DEPTH", "x0_25"),
        *("MODEL.BACKBONE.FEAT_DIM", 128),
    ),
    "all layers shared": ("WCVL.SHARED_LAYERS", "conv1-5"),
    "foreign": (
        *("WCVL.MAIN.META_ARCHITECTURE", "ForeignMain", "WCVL.MAIN.FEATURE", "output"),
        *("WCVL.MAIN.STAGES", ["body.1"]),
    ),
}


@pytest.fixture(autouse=True)
def foreign(monkeypatch):
    monkeypatch.setitem(META_ARCH_REGISTRY._obj_map, "ForeignMain", ForeignMain)


@pytest.fixture
def build(make_cfg):
    def build(*overrides):
        torch.manual_seed(0)
        return build_model(make_cfg(*overrides))

    return build


def train(model, batch, steps=2):
    model.train()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(steps):
        losses.append(sum(model(batch).values()))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    return [loss.item() for loss in losses]


@pytest.mark.parametrize("main", MAINS)
def test_feature_pluggable_leaves_any_main_module_bit_identical(build, make_batch, main):
    model = build(*MAINS[main], "WCVL.FEATURES", ALL)
    batch = make_batch(size=96 if main == "MGN" else 64)
    state = copy.deepcopy(model.main.state_dict())
    before = {name: value.clone() for name, value in model.cross_view.state_dict().items()}
    with torch.no_grad():
        features = model.main.eval()(batch)

    losses = train(model, batch, steps=6)
    assert losses[-1] < losses[0]

    assert all(torch.equal(value, state[key]) for key, value in model.main.state_dict().items())
    model.eval()
    with torch.no_grad():
        assert torch.equal(model.main(batch), features)
        assert torch.equal(model(batch)["main"], normalize(features))
    after = model.cross_view.state_dict()
    assert all(not torch.equal(after[key], value) for key, value in before.items()), "weights and BN statistics of its own"


def test_feature_pluggable_loss_is_eq_3_on_mains_features(build, make_batch):
    model = build("WCVL.SCALE", 2.0)
    batch = make_batch()
    losses = model.train()(batch)
    assert set(losses) == {"loss_cross_view"}
    with torch.no_grad():
        fmap = model.main.backbone(model.main.preprocess_image(batch))
        x_g = model.main.heads.pool_layer(fmap).flatten(1)
        x_cv = model.cross_view(model.observer(batch).stage_input, x_g)
    torch.testing.assert_close(losses["loss_cross_view"], 2 * CrossViewLoss()(x_cv, x_g, batch["targets"]))


def test_feature_main_stays_in_evaluation_mode_and_out_of_autograd(build, make_batch):
    model = build().train()
    assert model.training
    assert model.cross_view.training
    assert not any(module.training for module in model.main.modules())
    sum(model(make_batch()).values()).backward()
    assert all(p.grad is not None for p in model.cross_view.parameters())
    assert not any(p.requires_grad or p.grad is not None for p in model.main.parameters())


def test_feature_own_conv5_begins_as_mains_at_half_the_resolution(build, make_batch):
    model = build().eval()
    own = model.cross_view.layers[0].state_dict()
    assert all(torch.equal(value, model.main.backbone.layer4.state_dict()[key]) for key, value in own.items())
    with torch.no_grad():
        entered = model.observer(make_batch()).stage_input
        assert model.main.backbone.layer4(entered).shape[2:] == (4, 4)
        assert model.cross_view.layers[0](entered).shape[2:] == (2, 2)


@pytest.mark.parametrize(("shared", "own"), [("conv1-2", 6), ("conv1-3", 4), ("conv1-4", 2), ("conv1-5", 0)])
def test_feature_shared_layers_run_once(build, make_batch, shared, own):
    model = build("WCVL.SHARED_LAYERS", shared).eval()
    calls = []
    for block in model.modules():
        if type(block).__name__ == "BasicBlock":
            block.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        model(make_batch())
    assert len(calls) == 8 + own  # ResNet-18 has 8 blocks


@pytest.mark.parametrize("feature", ["before_bnneck", "output"])
def test_feature_evaluation_returns_the_listed_features(build, make_batch, feature):
    model = build("WCVL.FEATURES", ["nan", "main", "cv", "na", "global", "an"], "WCVL.MAIN.FEATURE", feature)
    nn.init.uniform_(model.main.heads.bottleneck[-1].weight, 0.5, 1.5)
    model.eval()
    with torch.no_grad():
        found = model(make_batch())
        seen = model.observer(make_batch())
        x_cv = model.cross_view(seen.stage_input, seen.feature)
    assert list(found) == ["nan", "main", "cv", "na", "global", "an"]
    for name, fuse in FUSIONS.items():
        assert torch.equal(found[name], fuse(seen.feature, x_cv))
    assert torch.equal(found["cv"], normalize(x_cv))
    assert torch.equal(found["global"], normalize(seen.feature))
    assert torch.equal(found["main"], normalize(seen.output))
    assert torch.equal(found["main"], found["global"]) == (feature == "output")


def test_feature_one_listed_feature_is_a_tensor(build, make_batch):
    model = build("WCVL.FEATURES", ["na"]).eval()
    with torch.no_grad():
        assert model(make_batch()).shape == (4, 512)


@pytest.mark.parametrize("main", ["Baseline of FastReID", "MGN"])
def test_feature_end_to_end_trains_both(build, make_batch, events, main):
    model = build(*MAINS[main], "WCVL.END_TO_END", True)
    batch = make_batch(size=96 if main == "MGN" else 64)
    before = copy.deepcopy(model.state_dict())
    assert {"loss_cross_view", *model.main.train()(batch)} == set(model.train()(batch))
    train(model, batch, steps=1)
    unchanged = [key for key, value in model.state_dict().items() if torch.equal(value, before[key])]
    assert not [key for key in unchanged if key.endswith(("weight", "running_mean"))]


def test_feature_end_to_end_the_gradient_of_eq_3_reaches_the_shared_layers_only(build, make_batch, events):
    model = build("WCVL.END_TO_END", True).train()
    model(make_batch())["loss_cross_view"].backward()
    backbone = model.main.backbone
    for shared in (backbone.conv1, backbone.layer3[-1].conv2):
        assert shared.weight.grad.abs().sum() > 0
    # The main module's conv5 makes the target, which is fixed.
    assert all(p.grad is None for p in backbone.layer4.parameters())
    assert model.main.heads.weight.grad is None


def test_feature_batch_without_positives_gives_zero_gradients_everywhere(build, make_batch):
    model = build().train()
    loss = model(make_batch((0, 1, 2, 3)))["loss_cross_view"]
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in model.cross_view.parameters())


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("shared", ["conv1-2", "conv1-5"])
def test_cardinality_one_image_and_one_pixel_maps(build, make_batch, size, shared):
    model = build("WCVL.SHARED_LAYERS", shared, "INPUT.SIZE_TEST", [size, size], "WCVL.FEATURES", ALL).eval()
    with torch.no_grad():
        features = model(make_batch((0,), size=size))
    assert all(value.shape == (1, 512) and torch.isfinite(value).all() for value in features.values())


def test_feature_bfloat16(build, make_batch):
    model, batch = build("WCVL.FEATURES", ALL), make_batch()
    with torch.no_grad():
        exact = model.eval()(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model(batch)
    for name, value in rough.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name], atol=0.02, rtol=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.train()(batch)["loss_cross_view"]
    assert loss.dtype == torch.float32
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.cross_view.parameters())


def test_feature_copies_are_independent(build, make_batch):
    model = build().eval()
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        assert other(make_batch())["na"].any(), "the copy reads its own main module"


def test_smoke_is_registered(build):
    model = build()
    assert isinstance(model, WCVL)
    assert model.device == torch.device("cpu")


class TestCheckpoint:
    @pytest.fixture
    def main_checkpoint(self, make_cfg, tmp_path):
        torch.manual_seed(7)
        main = VehicleBaseline(make_cfg("MODEL.HEADS.NUM_CLASSES", 9))
        Checkpointer(main, str(tmp_path)).save("model_final")
        return main, str(tmp_path / "model_final.pth")

    def test_feature_main_and_copy_have_its_weights(self, build, main_checkpoint, caplog):
        main, path = main_checkpoint
        with caplog.at_level(logging.INFO, "vreid_common"):
            model = build("WCVL.MAIN.WEIGHTS", path)
        loaded = model.main.state_dict()
        assert {key for key, value in main.state_dict().items() if not torch.equal(value, loaded[key])} == {"heads.weight"}
        assert "classifier of 9 identities where the model has 5" in caplog.text
        own = model.cross_view.layers[0].state_dict()
        assert all(torch.equal(value, main.backbone.layer4.state_dict()[key]) for key, value in own.items())

    def test_feature_main_may_be_of_fastreids_model_zoo(self, build, main_checkpoint, tmp_path):
        """Whose names are those of earlier releases."""
        main, _ = main_checkpoint
        names = {"heads.bottleneck.0.": "heads.bnneck.", "heads.weight": "heads.classifier.weight"}
        state = {}
        for key, value in main.state_dict().items():
            state[next((key.replace(new, old) for new, old in names.items() if key.startswith(new)), key)] = value
        assert "heads.bnneck.running_var" in state
        torch.save({"model": state}, tmp_path / "zoo.pth")
        loaded = build("WCVL.MAIN.WEIGHTS", str(tmp_path / "zoo.pth")).main.state_dict()
        assert {key for key, value in main.state_dict().items() if not torch.equal(value, loaded[key])} == {"heads.weight"}

    def test_feature_both_modules_checkpoint_needs_no_main_checkpoint(self, build, tmp_path):
        model = build()
        Checkpointer(model, str(tmp_path)).save("both")
        path = str(tmp_path / "both.pth")
        again = build("MODEL.WEIGHTS", path, "WCVL.MAIN.WEIGHTS", "gone/model_final.pth")
        Checkpointer(again).load(path, strict=True)
        assert all(torch.equal(value, again.state_dict()[key]) for key, value in model.state_dict().items())

    def test_exception_for_another_model(self, build, main_checkpoint):
        with pytest.raises(InputError, match="made for another model"):
            build(*MAINS["ResNet-34-IBN"], "WCVL.MAIN.WEIGHTS", main_checkpoint[1])

    def test_exception_main_checkpoint_as_both_modules(self, build, main_checkpoint):
        model = build("MODEL.WEIGHTS", main_checkpoint[1])
        with pytest.raises(InputError, match=r"goes into WCVL\.MAIN\.WEIGHTS"):
            Checkpointer(model).load(main_checkpoint[1])

    def test_exception_missing_file(self, build):
        with pytest.raises(InputError, match=r"gone\.pth does not exist"):
            build("WCVL.MAIN.WEIGHTS", "gone.pth")

    def test_smoke_an_untrained_main_module_is_said(self, build, caplog):
        build()
        assert "untrained main module" in caplog.text


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (("WCVL.FEATURES", ["na", "nana"]), r"FEATURES is \['na', 'nana'\]; .*nan, cv, global, main"),
        (("WCVL.FEATURES", []), r"FEATURES is \[\]"),
        (("WCVL.SHARED_LAYERS", "conv4"), "SHARED_LAYERS is 'conv4'"),
        (("WCVL.MAIN.META_ARCHITECTURE", "WCVL"), "WCVL itself"),
        (("WCVL.MAIN.META_ARCHITECTURE", "Basline"), "'Basline', which nothing registers"),
        ((*MAINS["foreign"], "WCVL.SHARED_LAYERS", "conv1-2"), "leaves 3 stages .* has 1 after its stem: body.1"),
        ((*MAINS["foreign"], "WCVL.MAIN.STAGES", ["body.2"]), "'body.2', which ForeignMain does not have"),
        ((*MAINS["foreign"], "WCVL.END_TO_END", True), "none of FastReID's embedding heads"),
    ],
)
def test_exception_config(build, overrides, complaint):
    with pytest.raises(InputError, match=complaint):
        build(*overrides)


def test_both_modules_have_activation_maps_of_their_own_although_one_is_frozen(build):
    model = build("WCVL.FEATURES", ["main", "cv"])
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    found = similarity_maps(model, {"images": images})
    assert list(found) == ["main", "cv"]
    assert all(maps.shape == (2, 64, 64) for maps in found.values())
    assert not torch.allclose(found["main"], found["cv"], atol=0.05)
    torch.testing.assert_close(found["main"], similarity_maps(model.main, {"images": images})["main"], atol=1e-3, rtol=0)
