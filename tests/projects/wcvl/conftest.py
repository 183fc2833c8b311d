"""A small WCVL: ResNet-18 at 64x64 unless a test says otherwise."""

import pytest
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
