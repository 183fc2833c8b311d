import logging

import pytest
import torch
from cybercore import CybercoreTrainer
from cybercore.cost import describe, measure

from vreid_common.engine.manifest import class_names
from vreid_common.errors import InputError
from vreid_common.structures import FeatureSet


def test_feature_the_backbone_is_frozen_in_the_first_epoch(make_cfg, small_network, tmp_path, caplog):
    (tmp_path / "out").mkdir()
    options = ("CYBERCORE.FREEZE_EPOCHS", 1, "CYBERCORE.SAVE_FEATURES", True, *small_network)
    run = CybercoreTrainer(make_cfg(*options))
    run.resume_or_load(resume=False)
    seen = {}

    def remember(name):
        seen[name] = {key: value.clone() for key, value in run.checkpointer.model.state_dict().items()}

    remember("start")
    save = run.save_checkpoint
    run.save_checkpoint = lambda name, done, **more: (remember(done // run.iters_per_epoch), save(name, done, **more))
    with caplog.at_level(logging.INFO):
        run.train()
    for key, value in seen["start"].items():
        if key.startswith("backbone.") and not key.endswith("num_batches_tracked"):
            assert torch.equal(value, seen[1][key]), key
    moved = [key for key, value in seen["start"].items() if not torch.equal(value, seen[1][key])]
    assert any("attention.weight" in key for key in moved)
    assert any(key.startswith("backbone.") and not torch.equal(value, seen[2][key]) for key, value in seen[1].items())
    images = FeatureSet.load(tmp_path / "out" / "features" / "CSVVehicles" / "main_gallery")
    assert images.features.shape == (8, 16)


def test_feature_classes_are_those_of_the_label(make_cfg):
    loader = CybercoreTrainer.build_train_loader(make_cfg("CYBERCORE.LABEL", "camera", "SOLVER.IMS_PER_BATCH", 4))
    assert loader.num_classes == 3  # cameras of the fixture
    assert len(set(class_names(loader.dataset))) == 3
    assert all(name.startswith("camera_") for name in class_names(loader.dataset))
    batch = next(iter(loader.epoch(0)))
    assert torch.equal(batch["targets"], batch["camids"])


class TestCost:
    def test_feature_parameters_and_multiply_adds_counted_by_hand(self, make_cfg):
        cfg = make_cfg("CYBERCORE.HEADS.NUM", 32, "CYBERCORE.HEADS.DIM", 512, "CYBERCORE.HEADS.GATE_DIM", 256)
        cost = measure(CybercoreTrainer.build_model(cfg), (32, 32))["multi-head attention"]
        heads, instance = 32 * 512 * 512, 512 * 512
        gate = 512 * 256 + 256 * 32
        assert cost.parameters == heads + instance + gate + 32 * 512 + 512 + 256 + 32 + 32 + 2
        assert cost.multiply_adds == heads + instance + gate + 32 * 512

    def test_smoke_the_table_is_logged(self, make_cfg):
        model = CybercoreTrainer.build_model(make_cfg("MODEL.HEADS.NAME", "EmbeddingHead")).train()
        assert list(measure(model, (32, 32))) == ["backbone"]
        assert model.training
        assert "parameters, M" in describe(measure(model, (32, 32)))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("CYBERCORE.LABEL", "colour"), r"CYBERCORE\.LABEL is 'colour'"),
        (("CYBERCORE.FREEZE_EPOCHS", -1), r"CYBERCORE\.FREEZE_EPOCHS is -1"),
        (("CYBERCORE.MALW.ENABLED", True, "CYBERCORE.MALW.PERIOD", 0), r"CYBERCORE\.MALW\.PERIOD is 0"),
        (("CYBERCORE.MALW.ENABLED", True, "MODEL.LOSSES.NAME", ("CrossEntropyLoss",)), "against a metric loss"),
        (
            ("CYBERCORE.MALW.ENABLED", True, "MODEL.META_ARCHITECTURE", "VehicleBaseline"),
            "it needs MODEL.META_ARCHITECTURE Cybercore",
        ),
        (("CYBERCORE.MIXSTYLE.ENABLED", True, "CYBERCORE.MIXSTYLE.AFTER", ["layer7"]), "AFTER names 'layer7'"),
        (("CYBERCORE.SUPCON.TEMPERATURE", 0.0), r"CYBERCORE\.SUPCON\.TEMPERATURE is 0\.0"),
    ],
)
def test_exception_before_anything_is_trained(make_cfg, overrides, message):
    with pytest.raises(InputError, match=message):
        CybercoreTrainer.check_config(make_cfg(*overrides), training=True)
