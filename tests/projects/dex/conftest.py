"""A small DEx: ResNet-18 at 64x64 with parts of 8 dimensions unless a test says otherwise."""

from pathlib import Path

import pytest
from dex import add_dex_config

from vreid_common.config import get_vreid_cfg

NUM_CLASSES = 5


@pytest.fixture
def make_cfg():
    """A function: ``KEY, value, ...`` over a small config of DEx."""

    def make(*overrides):
        cfg = add_dex_config(get_vreid_cfg())
        cfg.MODEL.META_ARCHITECTURE = "PartBased"
        cfg.MODEL.DEVICE = "cpu"
        cfg.MODEL.BACKBONE.DEPTH = "18x"
        cfg.MODEL.BACKBONE.FEAT_DIM = 512
        cfg.MODEL.HEADS.NAME = "PartHeads"
        cfg.MODEL.HEADS.POOL_LAYER = "GlobalMaxPool"
        cfg.MODEL.HEADS.EMBEDDING_DIM = 8
        cfg.MODEL.HEADS.WITH_BNNECK = True
        cfg.MODEL.HEADS.NUM_CLASSES = NUM_CLASSES
        cfg.MODEL.LOSSES.NAME = ("SmoothedCrossEntropyLoss", "BatchHardTripletLoss")
        cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [64, 64]
        cfg.merge_from_list(list(overrides))
        return cfg

    return make


SMALL = """
_BASE_: {base}
MODEL: {{HEADS: {{EMBEDDING_DIM: 8}}}}
INPUT: {{SIZE_TRAIN: [32, 32], SIZE_TEST: [32, 32]}}
DATASETS: {{NAMES: [CSVVehicles], TESTS: [CSVVehicles], MIX: full, VALIDATION: {{NUM_IDS: 0}}, CSV: {{FILE: {csv}}}}}
DATALOADER: {{NUM_INSTANCE: 2, NUM_WORKERS: 0}}
SOLVER: {{MAX_EPOCH: 1, IMS_PER_BATCH: 8, WARMUP_ITERS: 0}}
TEST: {{NUM_WORKERS: 0}}
{more}
"""


@pytest.fixture(scope="session")
def small_config(tmp_path_factory):
    """A function: (CSV file, further YAML) to a configuration file in a folder that is no project."""

    def make(csv: Path, more: str = "") -> Path:
        folder = tmp_path_factory.mktemp("config")
        base = Path(__file__).parents[3] / "projects" / "DEx" / "configs" / "Demo" / "r18-ibn.yml"
        (folder / "small.yml").write_text(SMALL.format(base=base, csv=csv, more=more))
        return folder / "small.yml"

    return make
