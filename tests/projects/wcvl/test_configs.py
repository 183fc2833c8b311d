"""Every shipped config is read, built and trained for one step, shrunk to a small image and few identities."""

from pathlib import Path

import pytest
import torch
from wcvl import WCVLTrainer, add_wcvl_config

from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "WCVL" / "configs"
RUNNABLE = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*.yml"))
SMALL = ("MODEL.DEVICE", "cpu", "MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "5")


def load(path, *overrides):
    return load_config(add_wcvl_config, str(CONFIGS / path), [*SMALL, *overrides])


@pytest.mark.parametrize("path", RUNNABLE)
def test_smoke_builds_and_trains_a_step(path, make_batch, events):
    size = 96 if "mgn" in path else 64
    shape = str([size, size])
    cfg = load(path, "INPUT.SIZE_TRAIN", shape, "INPUT.SIZE_TEST", shape)
    for stage in WCVLTrainer.stages(cfg):
        stage.defrost()
        stage.WCVL.MAIN.WEIGHTS = ""  # the checkpoint of a first stage that has not been run
        model = WCVLTrainer.build_model(stage).train()
        optimizer = WCVLTrainer.build_optimizer(stage, model)
        before = [p.detach().clone() for group in optimizer.param_groups for p in group["params"]]
        total = sum(model(make_batch(size=size)).values())
        assert torch.isfinite(total)
        total.backward()
        optimizer.step()
        after = [p for group in optimizer.param_groups for p in group["params"]]
        moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
        assert sum(moved) > 0.9 * len(moved)


def test_feature_the_papers_values():
    cfg = load("VehicleID/wcvl_r50.yml")
    main, module = WCVLTrainer.stages(cfg)
    assert (main.SOLVER.MAX_EPOCH, main.SOLVER.BASE_LR, main.SOLVER.STEPS, main.SOLVER.GAMMA) == (120, 3.5e-4, [40, 70], 0.1)
    assert (module.SOLVER.MAX_EPOCH, module.SOLVER.BASE_LR, module.SOLVER.STEPS) == (60, 3.5e-4, [20, 35])
    for stage in (main, module):
        assert (stage.SOLVER.IMS_PER_BATCH, stage.DATALOADER.NUM_INSTANCE) == (64, 4)
        assert stage.INPUT.SIZE_TRAIN == stage.INPUT.SIZE_TEST == [224, 224]
        assert stage.MODEL.BACKBONE.LAST_STRIDE == 1
    assert (module.WCVL.LAST_STRIDE, module.WCVL.SHARED_LAYERS, module.WCVL.FEATURES[0]) == (2, "conv1-4", "na")
    assert module.TEST.METRIC == "euclidean"
    assert load("VeRi/wcvl_r50.yml").TEST.PROTOCOL == "ImageToTrack"


def test_feature_every_config_writes_into_its_own_folder():
    folders = [load(path).OUTPUT_DIR for path in RUNNABLE]
    assert len(set(folders)) == len(folders)
