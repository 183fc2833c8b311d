"""A small EALN: a backbone of two layers and narrow generators at 16×16, and data with view labels."""

import csv

import pytest
import torch
from ealn import EALNTrainer, add_ealn_config
from fastreid.modeling.backbones import BACKBONE_REGISTRY
from fastreid.utils.events import EventStorage
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.structures import VIEWS


@BACKBONE_REGISTRY.register()
def build_two_layers(cfg):
    """Two convolutions with batch normalisation, which train in no time."""
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, cfg.MODEL.BACKBONE.FEAT_DIM, 3, 2, 1)]
    return nn.Sequential(*layers, nn.BatchNorm2d(cfg.MODEL.BACKBONE.FEAT_DIM), nn.ReLU())


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def viewed_vehicles(vehicles, tmp_path_factory):
    """``vehicles`` with views: of an identity's five training images two show the front, two the rear, one the side."""
    path = tmp_path_factory.mktemp("viewed") / "vehicles.csv"
    with vehicles.open(newline="") as source, path.open("w", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["path", "vehicle_id", "camera_id", "split", "view"])
        for number, row in enumerate(csv.DictReader(source)):
            view = ("front", "rear", "front", "rear", "side")[number % 5 if row["split"] == "train" else number % 2]
            rows.writerow([vehicles.parent / row["path"], row["vehicle_id"], row["camera_id"], row["split"], view])
    return path


@pytest.fixture
def make_cfg(viewed_vehicles, tmp_path):
    """A function: ``KEY, value, ...`` over a small config with both adversaries that trains within seconds."""

    def make(*overrides):
        cfg = add_ealn_config(get_vreid_cfg())
        cfg.MODEL.META_ARCHITECTURE = "EALN"
        cfg.MODEL.DEVICE = "cpu"
        cfg.MODEL.BACKBONE.NAME = "build_two_layers"
        cfg.MODEL.BACKBONE.FEAT_DIM = 16
        cfg.MODEL.BACKBONE.PRETRAIN = False
        cfg.MODEL.LOSSES.NAME = ("CrossEntropyLoss",)
        cfg.EALN.HARD.ENABLED = cfg.EALN.VIEW.ENABLED = True
        cfg.EALN.VIEW.RELEASE_EPOCHS = 1
        cfg.EALN.GENERATOR.WIDTH, cfg.EALN.GENERATOR.HALVINGS, cfg.EALN.GENERATOR.BLOCKS = 4, 1, 1
        cfg.EALN.DISCRIMINATOR.WIDTH, cfg.EALN.DISCRIMINATOR.LAYERS = 4, 2
        cfg.EALN.FEATURES = ["fused", "embedding", "by_view"]
        cfg.EALN.SHEET_PERIOD = 0
        cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [16, 16]
        cfg.DATASETS.CSV.FILE = str(viewed_vehicles)
        cfg.DATASETS.NAMES = cfg.DATASETS.TESTS = ("CSVVehicles",)
        cfg.DATALOADER.SAMPLER_TRAIN = "NaiveIdentitySampler"
        cfg.DATALOADER.NUM_INSTANCE = 2
        cfg.DATALOADER.NUM_WORKERS = cfg.TEST.NUM_WORKERS = 0
        cfg.SOLVER.OPT, cfg.SOLVER.BASE_LR, cfg.SOLVER.SCHED = "SGD", 0.01, "LinearLR"
        cfg.SOLVER.MAX_EPOCH, cfg.SOLVER.DELAY_EPOCHS, cfg.SOLVER.WARMUP_ITERS = 3, 1, 0
        cfg.SOLVER.IMS_PER_BATCH = 8
        cfg.SOLVER.CHECKPOINT_PERIOD = 1
        cfg.TEST.EVAL_PERIOD = 0
        cfg.OUTPUT_DIR = str(tmp_path / "out")
        cfg.merge_from_list(list(overrides))
        return cfg

    return make


@pytest.fixture
def make_model(make_cfg):
    """A function: overrides to the model of the small config, with five identities."""
    return lambda *overrides: EALNTrainer.build_model(make_cfg("MODEL.HEADS.NUM_CLASSES", 5, *overrides)).train()


@pytest.fixture
def make_step(make_cfg):
    """A function: overrides to a training step of the small config, with five identities."""

    def make(*overrides):
        cfg = make_cfg("MODEL.HEADS.NUM_CLASSES", 5, *overrides)
        model = EALNTrainer.build_model(cfg).train()
        return EALNTrainer.build_step(cfg, model, EALNTrainer.build_optimizer(cfg, model), torch.device("cpu"))

    return make


@pytest.fixture
def make_viewed_batch():
    """A function: (identities, views, size) to a batch of random images, always the same."""

    def make(targets=(0, 0, 3, 3, 1, 1), views=("front", "rear", "front", "side", "rear", "front"), size=16):
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (len(targets), 3, size, size), dtype=torch.uint8, generator=generator)
        view_ids = torch.tensor([VIEWS.index(view) if view else -1 for view in views])
        return {"images": images, "targets": torch.tensor(targets), "view_ids": view_ids}

    return make


@pytest.fixture
def events():
    with EventStorage() as storage:
        yield storage
