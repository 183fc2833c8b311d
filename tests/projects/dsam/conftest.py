"""A small model of this project's kind: ResNet-18 with the BN-Dropout head."""

import pytest
import torch
from dsam import add_dsam_config
from fastreid.utils.events import EventStorage

from vreid_common.config import get_vreid_cfg


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def make_cfg():
    """A function: ``KEY, value, ...`` over a small config."""

    def make(*overrides):
        cfg = add_dsam_config(get_vreid_cfg())
        cfg.MODEL.META_ARCHITECTURE = "VehicleBaseline"
        cfg.MODEL.DEVICE = "cpu"
        cfg.MODEL.BACKBONE.DEPTH = "18x"
        cfg.MODEL.BACKBONE.FEAT_DIM = 512
        cfg.MODEL.HEADS.NAME = "BNDropoutHead"
        cfg.MODEL.HEADS.NUM_CLASSES = 5
        cfg.MODEL.HEADS.WITH_BNNECK = True
        cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [32, 32]
        cfg.merge_from_list(list(overrides))
        return cfg

    return make


@pytest.fixture
def make_batch():
    """A function: (identities, size) to a batch of random images, always the same."""

    def make(targets=(0, 0, 3, 3), size=32):
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (len(targets), 3, size, size), dtype=torch.uint8, generator=generator)
        return {"images": images, "targets": torch.tensor(targets)}

    return make


@pytest.fixture
def events():
    """FastReID's cross-entropy logs its accuracy, for which an event storage has to be there."""
    with EventStorage() as storage:
        yield storage
