"""A small WCVL: ResNet-18 at 64x64 unless a test says otherwise."""

import pytest
import torch
from fastreid.utils.events import EventStorage
from wcvl import add_wcvl_config

from vreid_common.config import get_vreid_cfg

NUM_CLASSES = 5


@pytest.fixture
def make_cfg():
    """A function: ``KEY, value, ...`` over a small config of WCVL."""

    def make(*overrides):
        cfg = add_wcvl_config(get_vreid_cfg())
        cfg.MODEL.META_ARCHITECTURE = "WCVL"
        cfg.MODEL.DEVICE = "cpu"
        cfg.MODEL.BACKBONE.DEPTH = "18x"
        cfg.MODEL.BACKBONE.FEAT_DIM = 512
        cfg.MODEL.HEADS.NUM_CLASSES = NUM_CLASSES
        cfg.MODEL.HEADS.WITH_BNNECK = True
        cfg.MODEL.LOSSES.NAME = ("CrossEntropyLoss", "TripletLoss")
        cfg.MODEL.LOSSES.TRI.HARD_MINING = True
        cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [64, 64]
        cfg.merge_from_list(list(overrides))
        return cfg

    return make


@pytest.fixture
def make_batch():
    """A function: (identities, size) to a batch of random images, always the same."""

    def make(targets=(0, 0, 3, 3), size=64):
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (len(targets), 3, size, size), dtype=torch.uint8, generator=generator)
        return {"images": images, "targets": torch.tensor(targets)}

    return make


@pytest.fixture
def events():
    """FastReID's cross-entropy logs its accuracy, for which an event storage has to be there."""
    with EventStorage() as storage:
        yield storage
