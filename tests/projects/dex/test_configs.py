"""Every shipped config is read, built and trained for one step, shrunk to a small image and few identities."""

import math
from pathlib import Path

import pytest
import torch
from dex import DExTrainer, add_dex_config

from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "DEx" / "configs"
RUNNABLE = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.glob("*/*.yml") if not path.name.startswith("Base"))
SMALL = (
    *("MODEL.DEVICE", "cpu", "MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.NUM_CLASSES", "5"),
    *("MODEL.HEADS.EMBEDDING_DIM", "8", "SOLVER.OPT", "SGD"),  # Adam's state would take most of the test's time
)
BACKBONES = ("NAME", "DEPTH", "WITH_IBN", "TIMM_MODEL")


def load(path, *overrides):
    return load_config(add_dex_config, str(CONFIGS / path), list(overrides))


def network(path):
    """The backbone's keys: configs that share them need not be built twice."""
    cfg = load(path)
    return str([cfg.MODEL.BACKBONE[key] for key in BACKBONES])


NETWORKS = list({network(path): path for path in reversed(RUNNABLE)}.values())


@pytest.mark.parametrize("path", NETWORKS)
def test_smoke_builds_and_trains_a_step(path, make_batch, events):
    cfg = load(path, *SMALL)
    model = DExTrainer.build_model(cfg).train()
    optimizer = DExTrainer.build_optimizer(cfg, model)
    total = sum(model(make_batch((0, 0, 3), size=(32, 32))).values())
    assert torch.isfinite(total)
    total.backward()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    assert all(p.grad is not None for p in parameters)
    # Residual branches of timm's ResNets end in a scale that starts at 0, so no gradient comes past it at first.
    assert sum(bool(p.grad.any()) for p in parameters) > (0.2 if "se-resnext" in path else 0.9) * len(parameters)
    before = [p.detach().clone() for p in parameters[-3:]]
    optimizer.step()
    assert not any(torch.equal(old, new) for old, new in zip(before, parameters[-3:], strict=True))


@pytest.mark.parametrize("path", RUNNABLE)
def test_feature_every_config_is_accepted(path):
    cfg = load(path, "MODEL.DEVICE", "cpu")
    cfg.DEX.MODELS.WEIGHTS = ["model.pth"] * len(cfg.DEX.MODELS.CONFIGS)
    DExTrainer.check_config(cfg, training=True)
    DExTrainer.check_config(cfg, training=False)


def test_feature_the_papers_values():
    cfg = load("CityFlow/r50-ibn.yml")
    solver, losses = cfg.SOLVER, cfg.MODEL.LOSSES
    assert (solver.OPT, solver.BASE_LR, solver.MAX_EPOCH, solver.SCHED) == ("Adam", 2e-4, 500, "ExponentialLR")
    assert pytest.approx(math.exp(-0.01), abs=1e-6) == solver.GAMMA
    assert (losses.CE.SCALE, losses.CE.EPSILON, losses.TRI.SCALE) == (2.0, 0.1, 1.0)
    assert cfg.INPUT.SIZE_TRAIN == cfg.INPUT.SIZE_TEST == [288, 288]
    parts = [count for axis in ("HEIGHT", "WIDTH", "CHANNEL") for count in cfg.DEX.PARTS[axis]]
    assert (sum(parts), cfg.MODEL.HEADS.EMBEDDING_DIM) == (17, 256)
    assert (cfg.DATASETS.MIX, cfg.DATASETS.VALIDATION.NUM_IDS) == ("balanced", 100)
    rerank = cfg.RERANK
    assert (rerank.DUAL_EMBEDDING_EXPANSION.K, rerank.DUAL_EMBEDDING_EXPANSION.ALPHA, rerank.DATABASE_AUGMENTATION.K) == (
        20,
        2,
        10,
    )
    assert (rerank.K_RECIPROCAL.K1, rerank.K_RECIPROCAL.K2, rerank.K_RECIPROCAL.LAMBDA_VALUE) == (60, 30, 0.5)
    assert (rerank.DIFFUSION.K, rerank.DIFFUSION.KQ, rerank.DIFFUSION.ALPHA, rerank.DIFFUSION.ITERATIONS) == (50, 25, 0.95, 25)
    assert load("CityFlow/submission.yml").DEX.SCALES == [0.9, 1.0, 1.1, 1.2]
    literal = load("CityFlow/r50-ibn_11parts.yml")
    assert sum(count for axis in ("HEIGHT", "WIDTH", "CHANNEL") for count in literal.DEX.PARTS[axis]) == 11


@pytest.mark.parametrize("path", RUNNABLE)
def test_feature_eight_identities_of_four_to_eight_images(path):
    cfg = load(path)
    assert cfg.SOLVER.IMS_PER_BATCH == 8 * cfg.DATALOADER.NUM_INSTANCE
    assert 4 <= cfg.DATALOADER.NUM_INSTANCE <= 8


def test_feature_every_config_writes_into_its_own_folder():
    folders = [load(path).OUTPUT_DIR for path in RUNNABLE]
    assert len(set(folders)) == len(folders)
