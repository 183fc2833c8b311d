"""Every shipped config is read, built and trained for one step, shrunk to a small image, few heads and few identities."""

from pathlib import Path

import pytest
import torch
from cybercore import CybercoreTrainer, add_cybercore_config
from cybercore.mixstyle import MixStyle

from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "CybercoreBaseline" / "configs"
RUNNABLE = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*.yml"))
SMALL = ("MODEL.DEVICE", "cpu", "MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "5")
FEW_HEADS = ("CYBERCORE.HEADS.NUM", "3", "CYBERCORE.HEADS.DIM", "16", "CYBERCORE.HEADS.GATE_DIM", "4")
FEW_BLOCKS = ("INPUT.SIZE_TRAIN", "[32, 32]", "INPUT.SIZE_TEST", "[32, 32]")


def load(path, *overrides):
    return load_config(add_cybercore_config, str(CONFIGS / path), [*SMALL, *overrides])


@pytest.fixture(scope="module")
def stepped() -> set[str]:
    """What has been built and stepped: configs that differ in their data only have one network."""
    return set()


@pytest.mark.parametrize("path", RUNNABLE)
def test_smoke_builds_and_trains_a_step(path, stepped, make_batch, events):
    for stage in CybercoreTrainer.stages(load(path, *FEW_HEADS, *FEW_BLOCKS)):
        network = f"{stage.MODEL}{stage.CYBERCORE.MIXSTYLE}"
        if network in stepped:
            continue
        stepped.add(network)
        model = CybercoreTrainer.build_model(stage).train()
        assert bool([m for m in model.modules() if isinstance(m, MixStyle)]) == stage.CYBERCORE.MIXSTYLE.ENABLED
        optimizer = CybercoreTrainer.build_optimizer(stage, model)
        before = [p.detach().clone() for group in optimizer.param_groups for p in group["params"]]
        total = sum(model(make_batch(size=32, domains=(0, 0, 1, 1))).values())
        assert torch.isfinite(total)
        total.backward()
        optimizer.step()
        after = [p for group in optimizer.param_groups for p in group["params"]]
        moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
        assert sum(moved) > 0.9 * len(moved)


def test_feature_the_papers_values():
    cfg = load("CityFlowV2/rx101-ibn.yml")
    assert (cfg.SOLVER.OPT, cfg.SOLVER.BASE_LR, cfg.SOLVER.SCHED) == ("Adam", 3.5e-4, "CosineAnnealingLR")
    assert (cfg.SOLVER.MAX_EPOCH, cfg.CYBERCORE.FREEZE_EPOCHS) == (12, 1)
    assert (cfg.SOLVER.IMS_PER_BATCH, cfg.DATALOADER.NUM_INSTANCE) == (128, 8)
    assert cfg.INPUT.SIZE_TRAIN == cfg.INPUT.SIZE_TEST == [320, 320]
    assert all(cfg.INPUT[key].ENABLED for key in ("FLIP", "PADDING", "CJ", "REA"))
    assert (cfg.MODEL.LOSSES.CE.EPSILON, cfg.CYBERCORE.SUPCON.TEMPERATURE) == (0.1, 0.07)
    keys = cfg.CYBERCORE
    assert (keys.MIXSTYLE.ENABLED, keys.MIXSTYLE.ALPHA, keys.MIXSTYLE.PROB, keys.MIXSTYLE.AFTER) == (
        True,
        0.1,
        0.5,
        ["layer1", "layer2"],
    )
    assert (keys.HEADS.NUM, keys.HEADS.DIM, keys.HEADS.GATE_DIM) == (32, 0, 256)
    assert (keys.MALW.ENABLED, keys.MALW.PERIOD, keys.MALW.MOMENTUM) == (True, 500, 0.9)
    assert (cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.WITH_IBN) == ("101x", True)
    assert cfg.DATASETS.VALIDATION.NUM_IDS == 80
    rerank = cfg.RERANK
    assert (rerank.K_RECIPROCAL.K1, rerank.K_RECIPROCAL.K2, rerank.K_RECIPROCAL.LAMBDA_VALUE) == (50, 15, 0.5)
    assert (rerank.FUSE_DISTANCES.LAMBDA_ORIENTATION, rerank.FUSE_DISTANCES.LAMBDA_CAMERA) == (0.1, 0.1)
    assert cfg.TEST.FLIP.ENABLED


def test_feature_members_of_the_table_are_the_configs_of_their_own():
    """A stage of table4.yml trains as the config of that model does by itself."""
    alone = {"orientation": "orientation", "camera": "camera", "model_2": "r50-ibn", "model_3": "r152", "vehicle": "rx101-ibn"}
    for stage in CybercoreTrainer.stages(load("CityFlowV2/table4.yml")):
        other = load(f"CityFlowV2/{alone[Path(stage.OUTPUT_DIR).name]}.yml")
        for cfg in (stage, other):
            cfg.defrost()
            cfg.OUTPUT_DIR, cfg.CYBERCORE.SAVE_FEATURES = "", True
            cfg.RERANK.COMPARE, cfg.RERANK.FURTHER = [], []
        assert stage.dump() == other.dump()


def test_feature_every_config_writes_into_its_own_folder():
    folders = [load(path).OUTPUT_DIR for path in RUNNABLE]
    assert len(set(folders)) == len(folders)
