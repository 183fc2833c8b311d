"""Every shipped config is read, built and trained for one step, shrunk to a small network, a small image and few identities."""

from pathlib import Path

import pytest
import torch
from dsam import DSAMTrainer, add_dsam_config

from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "DSAM" / "configs"
RUNNABLE = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*.yml"))
NINE = [f"{softmax}{metric}" for softmax in ("S", "NS", "Arc") for metric in ("", "-D", "-T")]
SMALL = ("MODEL.DEVICE", "cpu", "MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "5")
RESNET_18 = ("MODEL.BACKBONE.DEPTH", "18x", "MODEL.BACKBONE.FEAT_DIM", "512")


def load(path, *overrides):
    return load_config(add_dsam_config, str(CONFIGS / path), [*SMALL, *overrides])


def step(cfg, batch):
    model = DSAMTrainer.build_model(cfg).train()
    optimizer = DSAMTrainer.build_optimizer(cfg, model)
    before = [p.detach().clone() for group in optimizer.param_groups for p in group["params"]]
    losses = model(batch)
    total = sum(losses.values())
    assert torch.isfinite(total)
    total.backward()
    optimizer.step()
    after = [p for group in optimizer.param_groups for p in group["params"]]
    moved = [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
    assert sum(moved) > 0.9 * len(moved)
    return losses


@pytest.mark.parametrize("path", RUNNABLE)
def test_smoke_builds_and_trains_a_step(path, make_batch, events):
    losses = step(load(path, *RESNET_18), make_batch())
    assert ("loss_dsam" in losses) == ("-D" in path)
    assert ("loss_triplet" in losses) == ("-T" in path)


def test_smoke_the_papers_network(make_batch, events):
    step(load("VeRi/Arc-D.yml"), make_batch())


@pytest.mark.parametrize("folder", ["VeRi", "VehicleID", "PKUVD1", "PKUVD2", "Demo"])
def test_feature_every_set_has_the_nine_combinations(folder):
    assert {path.stem for path in (CONFIGS / folder).glob("*.yml")} >= set(NINE)


@pytest.mark.parametrize("name", NINE)
def test_feature_a_combination_is_the_same_on_every_set(name):
    loaded = [load(f"{folder}/{name}.yml").MODEL for folder in ("VeRi", "VehicleID", "PKUVD1", "PKUVD2", "Demo")]
    for model in loaded:
        model.LOSSES.DSAM.SCALE = 0.1  # the demo has its own, as it trains from scratch
    for model in loaded[1:]:
        assert model.LOSSES == loaded[0].LOSSES
        assert model.HEADS.COMBINED_MARGIN == loaded[0].HEADS.COMBINED_MARGIN
        assert (model.HEADS.CLS_LAYER, model.HEADS.SCALE) == (loaded[0].HEADS.CLS_LAYER, loaded[0].HEADS.SCALE)


def test_feature_the_papers_values():
    cfg = load("VeRi/Arc-D.yml")
    assert (cfg.MODEL.BACKBONE.DEPTH, cfg.MODEL.BACKBONE.LAST_STRIDE, cfg.MODEL.BACKBONE.FEAT_DIM) == ("50x", 1, 2048)
    assert (cfg.MODEL.HEADS.SCALE, cfg.MODEL.HEADS.COMBINED_MARGIN.M2, cfg.MODEL.HEADS.COMBINED_MARGIN.M1) == (64, 0.5, 1.0)
    assert dict(cfg.MODEL.LOSSES.DSAM) == {"MARGIN": 0.9, "GAMMA": 0.8, "SCALE": 0.1}
    assert cfg.INPUT.SIZE_TRAIN == cfg.INPUT.SIZE_TEST == [256, 256]
    assert (cfg.SOLVER.IMS_PER_BATCH, cfg.DATALOADER.NUM_INSTANCE) == (32 * 8, 8)
    solver = cfg.SOLVER
    assert (solver.OPT, solver.MOMENTUM, solver.WEIGHT_DECAY, solver.BASE_LR) == ("SGD", 0.9, 0.0005, 0.01)
    assert (solver.STEPS, solver.GAMMA) == ([10, 20, 30], 0.1)
    assert cfg.TEST.METRIC == "cosine"
    margins = [load(f"VeRi/{name}.yml").MODEL.LOSSES.DSAM.MARGIN for name in ("S-D-margin0.7", "S-D-margin0.8", "S-D")]
    assert margins == [0.7, 0.8, 0.9]
    assert load("VehicleID/S-D.yml").TEST.PROTOCOL == "OneQueryImage"
    assert load("PKUVD1/S-D.yml").TEST.PROTOCOL == "SameImageExcluded"


def test_feature_every_config_writes_into_its_own_folder():
    folders = [load(path).OUTPUT_DIR for path in RUNNABLE]
    assert len(set(folders)) == len(folders)
