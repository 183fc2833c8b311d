"""A small model of this project's kind: ResNet-18 with the BN-Dropout head."""

import pytest
import torch
from dsam import add_dsam_config

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
def image_size() -> int:
    return 32
