"""What goes together, and the model that a configuration asks for: refused before anything is read, by key, value and place."""

import ast
import inspect
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from fastreid.modeling.backbones import BACKBONE_REGISTRY, build_backbone

from vreid_common.config import BASELINE_LOSSES
from vreid_common.engine import load_config
from vreid_common.engine import rules as rules_of_several_keys
from vreid_common.engine.checks import check_config
from vreid_common.engine.rules import DEPTHS, EVALUATION_RULES, TRAINING_RULES
from vreid_common.errors import InputError

VIT = ["MODEL.BACKBONE.NAME", "build_vit_backbone", "MODEL.BACKBONE.DEPTH", "small", "MODEL.BACKBONE.FEAT_DIM", "768"]


def refusal(*options: object, training: bool = True) -> str:
    cfg = load_config(None, "", ["MODEL.DEVICE", "cpu", *map(str, options)])
    with pytest.raises(InputError) as error:
        check_config(cfg, training=training)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix("Command line: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["MODEL.BACKBONE.DEPTH", "19x"],
            "DEPTH is '19x': use one of build_resnet_backbone's: 18x, 34x, 50x, 101x.",
        ),
        ([*VIT, "INPUT.SIZE_TEST", "[128, 128]"], "INPUT.SIZE_TEST is [128, 128]: a ViT takes one size only: INPUT.SIZE_TRAIN"),
        ([*VIT, "INPUT.CROP.ENABLED", "True"], "INPUT.CROP.SIZE is [224, 224]: a ViT takes one size only"),
        ([*VIT, "INPUT.SIZE_TRAIN", "[8, 8]", "INPUT.SIZE_TEST", "[8, 8]"], "INPUT.SIZE_TRAIN is [8, 8]: a ViT's patches"),
        ([*VIT, "MODEL.BACKBONE.PRETRAIN", "True"], "MODEL.BACKBONE.PRETRAIN is True: FastReID has no download for a ViT"),
        (["MODEL.HEADS.CLS_LAYER", "CombinedMargin"], "BNDropoutHead has it, but not MODEL.HEADS.NAME 'EmbeddingHead'."),
        (["MODEL.HEADS.NECK_FEAT", "dropout"], "MODEL.HEADS.NECK_FEAT is 'dropout': BNDropoutHead has it"),
        (["MODEL.LOSSES.NAME", "('DSAMLoss',)"], "would ignore DSAMLoss: set MODEL.META_ARCHITECTURE VehicleBaseline."),
        (
            ["SOLVER.AMP.ENABLED", "True", "SOLVER.AMP.DTYPE", "float16"],
            "SOLVER.AMP.DTYPE is 'float16': float16 needs CUDA: use bfloat16 on a CPU.",
        ),
        (["KD.MODEL_CONFIG", "['a.yml']"], "KD.MODEL_WEIGHTS is []: give one for each entry of KD.MODEL_CONFIG ['a.yml']."),
        (["MODEL.META_ARCHITECTURE", "Distiller"], "KD.MODEL_CONFIG is []: MODEL.META_ARCHITECTURE 'Distiller' needs"),
        (["MODEL.META_ARCHITECTURE", "MGN", "MODEL.BACKBONE.DEPTH", "34x"], "MODEL.BACKBONE.DEPTH is '34x': MODEL.META_ARCH"),
        (["TEST.AQE.ENABLED", "True", "RERANK.PIPELINE", "['diffusion']"], "use one of the two"),
        (
            ["TEST.PROTOCOL", "AICitySubmission", "DATASETS.TESTS", "('VeRi776', 'VRIC')"],
            "DATASETS.TESTS is ['VeRi776', 'VRIC']: TEST.PROTOCOL 'AICitySubmission' writes one file a run",
        ),
        (["DATASETS.NAMES", "()"], "DATASETS.NAMES is []: name a training set."),
        (["SOLVER.IMS_PER_BATCH", "1"], "SOLVER.IMS_PER_BATCH is 1: batch normalisation and metric losses compare images"),
        (
            ["SOLVER.OPT", "SGD", "SOLVER.NESTEROV", "True", "SOLVER.MOMENTUM", "0"],
            "SOLVER.NESTEROV is True: it needs a momentum, and there is SOLVER.MOMENTUM 0.0.",
        ),
        (["SOLVER.DELAY_EPOCHS", "120"], "SOLVER.DELAY_EPOCHS is 120: it leaves nothing of SOLVER.MAX_EPOCH 120."),
        (
            ["SOLVER.SCHED", "CosineAnnealingLR", "SOLVER.ETA_MIN_LR", "1.0"],
            "SOLVER.ETA_MIN_LR is 1.0: the rate falls to it from SOLVER.BASE_LR 0.0003, so use less.",
        ),
    ],
)
def test_what_does_not_go_together(options: list[str], said: str):
    assert said in refusal(*options)


def test_every_rule_is_applied():
    written = {
        function
        for _, function in inspect.getmembers(rules_of_several_keys, inspect.isfunction)
        if function.__module__ == rules_of_several_keys.__name__ and not function.__name__.startswith("_")
    }
    assert written == {*EVALUATION_RULES, *TRAINING_RULES}


def test_rules_of_training_do_not_keep_a_model_from_being_evaluated():
    options = ["MODEL.DEVICE", "cpu", "SOLVER.IMS_PER_BATCH", "1", "DATASETS.NAMES", "()", "SOLVER.DELAY_EPOCHS", "900"]
    check_config(load_config(None, "", options), training=False)


def test_both_places_are_named(tmp_path: Path):
    (tmp_path / "base.yml").write_text("MODEL:\n  DEVICE: cpu\nSOLVER:\n  OPT: SGD\n  MOMENTUM: 0.0\n")
    (tmp_path / "a.yml").write_text("_BASE_: base.yml\nSOLVER:\n  NESTEROV: true\n")
    with pytest.raises(InputError) as error:
        check_config(load_config(None, str(tmp_path / "a.yml")), training=True)
    assert str(error.value) == (
        f"{tmp_path}/a.yml:3: SOLVER.NESTEROV is True: it needs a momentum, and there is SOLVER.MOMENTUM 0.0 "
        f"({tmp_path}/base.yml:5)."
    )


class TestModel:
    @pytest.mark.parametrize(
        ("options", "channels"),
        [
            ([], 2048),
            (["MODEL.BACKBONE.DEPTH", "18x"], 512),
            (["MODEL.BACKBONE.NAME", "build_osnet_backbone", "MODEL.BACKBONE.DEPTH", "x0_5"], 256),
            (["MODEL.META_ARCHITECTURE", "MGN"], 2048),
            (VIT[:4], 768),
        ],
    )
    def test_a_wrong_feat_dim_is_refused_with_the_right_one(self, options: list[str], channels: int):
        said = refusal(*options, "MODEL.BACKBONE.FEAT_DIM", "7", training=False)
        assert said.startswith("MODEL.BACKBONE.FEAT_DIM is 7: build_")
        assert said.endswith(f"gives {channels} channels, so set it to {channels}.")

    @pytest.mark.parametrize("pooling", ["Identity", "Flatten"])
    def test_pooling_that_leaves_more_than_a_vector(self, pooling: str):
        assert f"MODEL.HEADS.POOL_LAYER is '{pooling}': it gives " in refusal("MODEL.HEADS.POOL_LAYER", pooling)

    def test_what_fails_while_building_is_a_sentence(self, monkeypatch: pytest.MonkeyPatch):
        def broken(*_args, **_kwargs):
            raise TypeError("two\nlines")

        monkeypatch.setattr("vreid_common.engine.model_trial.build_model", broken)
        assert refusal() == "The model that the keys of MODEL ask for cannot be built (TypeError: two lines)."

    def test_images_that_a_backbone_cannot_take(self, monkeypatch: pytest.MonkeyPatch):
        class Large(torch.nn.Module):
            def forward(self, images):
                return torch.nn.functional.conv2d(images, torch.zeros(2048, 3, 9, 100))

        monkeypatch.setattr("vreid_common.engine.model_trial.build_backbone", lambda cfg: Large())
        said = refusal("INPUT.SIZE_TEST", "[256, 64]")
        assert said.startswith("INPUT.SIZE_TEST is [256, 64]: build_resnet_backbone cannot take such images (RuntimeError: ")

    def test_a_trial_leaves_configuration_and_random_numbers_as_they_were(self):
        cfg = load_config(None, "", ["MODEL.DEVICE", "cpu", "MODEL.BACKBONE.PRETRAIN", "True"])
        before, state = cfg.clone(), torch.random.get_rng_state()
        check_config(cfg, training=True)
        assert cfg == before
        assert torch.equal(torch.random.get_rng_state(), state)

    def test_it_is_quick(self):
        cfg = load_config(None, "", ["MODEL.DEVICE", "cpu", "MODEL.BACKBONE.DEPTH", "101x"])
        check_config(cfg, training=True)
        started = time.process_time()
        check_config(cfg, training=True)
        assert time.process_time() - started < 10

    @pytest.mark.parametrize("name", DEPTHS)
    def test_sizes_are_those_that_fastreids_backbones_have(self, name: str):
        module = inspect.getmodule(BACKBONE_REGISTRY.get(name))
        texts = {node.value for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Constant)}
        assert set(DEPTHS[name]) <= texts
        for depth, fails in ((DEPTHS[name][0], False), ("no such size", True)):
            cfg = load_config(None, "", ["MODEL.BACKBONE.NAME", name, "MODEL.BACKBONE.DEPTH", depth])
            if name != "build_vit_backbone" or fails:  # a ViT is not built on the meta device
                refused = pytest.raises((KeyError, ValueError, NotImplementedError)) if fails else nullcontext()
                with torch.device("meta"), refused:
                    build_backbone(cfg)


def test_losses_of_fastreids_baseline_are_those_that_its_code_names():
    from fastreid.modeling.meta_arch import Baseline

    code = inspect.getsource(Baseline.losses)
    assert sorted(name for name in BASELINE_LOSSES if f"'{name}' in loss_names" in code) == sorted(BASELINE_LOSSES)
    assert code.count("in loss_names") == len(BASELINE_LOSSES)
