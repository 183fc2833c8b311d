"""Every shipped config is read, built and trained for one step, shrunk to small networks, a small image and few identities."""

from pathlib import Path

import pytest
import torch
from ealn import EALNTrainer, add_ealn_config

from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "EALN" / "configs"
RUNNABLE = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*.yml"))
KINDS = ["EN", "View-EALN", "Hard-EALN", "Hard-View-EALN", "EN-CycleGAN"]
SMALL = {
    "MODEL.DEVICE": "cpu",
    "MODEL.BACKBONE.PRETRAIN": "False",
    "MODEL.HEADS.NUM_CLASSES": 5,
    "EALN.GENERATOR.WIDTH": 4,
    "EALN.DISCRIMINATOR.WIDTH": 4,
    "EALN.VGG_M.CHANNELS": "[4, 4, 8]",
    "EALN.VGG_M.FC6": 8,
}
RESNET_18 = {"MODEL.BACKBONE.DEPTH": "18x", "MODEL.BACKBONE.FEAT_DIM": 512}


def load(path, options=()):
    return load_config(add_ealn_config, str(CONFIGS / path), [str(text) for pair in dict(options).items() for text in pair])


@pytest.mark.parametrize("path", RUNNABLE)
def test_smoke_builds_and_trains_a_step(path, make_viewed_batch, events):
    side = 48 if "VeRi" in path else 32  # of VGG_CNN_M nothing would be left
    sizes = {"INPUT.SIZE_TRAIN": f"[{side}, {side}]", "INPUT.SIZE_TEST": f"[{side}, {side}]"}
    cfg = load(path, SMALL | sizes | (RESNET_18 if "VehicleID" in path else {}))
    EALNTrainer.check_config(cfg, training=True)
    model = EALNTrainer.build_model(cfg).train()
    optimizers = EALNTrainer.build_optimizer(cfg, model)
    before = {name: [p.detach().clone() for p in part.parameters()] for name, part in model.parts.items()}
    step = EALNTrainer.build_step(cfg, model, optimizers, torch.device("cpu"))
    step.run(make_viewed_batch(size=side), 0.0)
    step.report()
    assert ("loss_hard" in events.latest()) == ("Hard" in path)
    assert ("loss_view" in events.latest()) == ("View" in path)
    assert ("g_view_cycle" in events.latest()) == ("View" in path or "CycleGAN" in path)
    for name, part in model.parts.items():
        moved = [not torch.equal(old, new) for old, new in zip(before[name], part.parameters(), strict=True)]
        assert sum(moved) > 0.5 * len(moved), name  # biases before an instance normalisation have no effect


@pytest.mark.parametrize("folder", ["VeRi", "VehicleID", "Demo"])
def test_feature_every_set_has_all_of_the_tables_rows(folder):
    assert {path.stem for path in (CONFIGS / folder).glob("*.yml")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_feature_a_kind_is_the_same_on_every_set(kind):
    keys = [load(f"{folder}/{kind}.yml").EALN for folder in ("VeRi", "VehicleID", "Demo")]
    for other in keys[1:]:
        assert (other.HARD, other.VIEW.ENABLED, other.VIEW.LAMBDA_CYC, other.FEATURES) == (
            keys[0].HARD, keys[0].VIEW.ENABLED, keys[0].VIEW.LAMBDA_CYC, keys[0].FEATURES,
        )  # fmt: skip
        assert (other.ALPHA, other.LAMBDA_ED, other.GAN_LOSS) == (keys[0].ALPHA, keys[0].LAMBDA_ED, keys[0].GAN_LOSS)


def test_feature_the_papers_values():
    for folder in ("VeRi", "VehicleID"):
        cfg = load(f"{folder}/Hard-View-EALN.yml")
        keys, solver = cfg.EALN, cfg.SOLVER
        assert (keys.ALPHA, keys.HARD.BETA1, keys.HARD.BETA2, keys.LAMBDA_ED, keys.VIEW.LAMBDA_CYC) == (0.6, 0.6, 0.3, 1, 10)
        assert (keys.VIEW.RELEASE_EPOCHS, keys.SHEET_PERIOD) == (10, 10)
        assert (keys.GENERATOR.WIDTH, keys.GENERATOR.HALVINGS, keys.GENERATOR.BLOCKS) == (64, 2, 9)
        assert (keys.DISCRIMINATOR.WIDTH, keys.DISCRIMINATOR.LAYERS) == (64, 3)
        assert (solver.BASE_LR, keys.SOLVER.BASE_LR, solver.MOMENTUM, solver.WEIGHT_DECAY) == (1e-3, 2e-4, 0.9, 2e-4)
        assert (solver.SCHED, solver.DELAY_EPOCHS, solver.MAX_EPOCH, solver.IMS_PER_BATCH) == ("LinearLR", 20, 50, 4)
        assert cfg.INPUT.SIZE_TRAIN == cfg.INPUT.SIZE_TEST == [224, 224]
    veri, vehicleid = load("VeRi/EN.yml"), load("VehicleID/EN.yml")
    assert (veri.MODEL.BACKBONE.NAME, veri.MODEL.BACKBONE.FEAT_DIM) == ("build_vgg_m_backbone", 1024)
    assert (list(veri.EALN.VGG_M.CHANNELS), veri.EALN.VGG_M.FC6) == ([96, 256, 512], 4096)
    assert (vehicleid.MODEL.BACKBONE.DEPTH, vehicleid.TEST.PROTOCOL) == ("50x", "OneQueryImage")


def test_feature_every_config_writes_into_its_own_folder():
    folders = [load(path).OUTPUT_DIR for path in RUNNABLE]
    assert len(set(folders)) == len(folders)
