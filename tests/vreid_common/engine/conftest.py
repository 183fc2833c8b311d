"""A configuration that trains on the ``vehicles`` of the top conftest within seconds."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.engine import main

TINY = """
MODEL:
  DEVICE: cpu
  BACKBONE: {DEPTH: 18x, FEAT_DIM: 512}
  HEADS: {WITH_BNNECK: true}
  LOSSES: {NAME: [CrossEntropyLoss, TripletLoss], TRI: {HARD_MINING: true}}
INPUT:
  SIZE_TRAIN: [32, 32]
  SIZE_TEST: [32, 32]
  FLIP: {ENABLED: true}
DATASETS: {NAMES: [CSVVehicles], TESTS: [CSVVehicles]}
DATALOADER: {SAMPLER_TRAIN: NaiveIdentitySampler, NUM_INSTANCE: 2, NUM_WORKERS: 0}
SOLVER:
  MAX_EPOCH: 2
  IMS_PER_BATCH: 8
  WARMUP_ITERS: 2
  STEPS: [1]
  CHECKPOINT_PERIOD: 1
TEST: {IMS_PER_BATCH: 8, EVAL_PERIOD: 0, NUM_WORKERS: 0}
"""


def write_config(folder: Path, vehicles: Path) -> Path:
    """TINY with the data set filled in and OUTPUT_DIR below the folder."""
    path = folder / "tiny.yml"
    path.write_text(
        f"{TINY}\nOUTPUT_DIR: {folder / 'out'}\n".replace("DATASETS: {", f"DATASETS: {{CSV: {{FILE: {vehicles}}}, ")
    )
    return path


@pytest.fixture
def config_file(vehicles: Path, tmp_path: Path) -> Path:
    """TINY, with OUTPUT_DIR in the test's own folder."""
    return write_config(tmp_path, vehicles)


@pytest.fixture(scope="session")
def finished_run(vehicles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OUTPUT_DIR of a run of TINY; to be copied by whoever changes it."""
    config = write_config(tmp_path_factory.mktemp("finished"), vehicles)
    main(argv=["--config-file", str(config)])
    return config.parent / "out"


@pytest.fixture
def tiny(config_file: Path) -> Callable[..., CfgNode]:
    """``tiny("SOLVER.MAX_EPOCH", 3)``: the configuration with overrides."""

    def build(*opts: object) -> CfgNode:
        cfg = get_vreid_cfg()
        cfg.merge_from_file(str(config_file))
        cfg.merge_from_list(list(opts))
        Path(cfg.OUTPUT_DIR).mkdir(exist_ok=True, parents=True)
        return cfg

    return build
