"""Every run that a study of DSAM asks for has a config that can be read and built."""

from pathlib import Path

import pytest
from dsam import DSAMTrainer, add_dsam_config

from vreid_common.engine import load_config
from vreid_common.study.plan import plan_runs
from vreid_common.study.spec import read_study

STUDIES = Path(__file__).parents[3] / "projects" / "DSAM" / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yml")), ids=lambda path: path.stem)
def test_smoke_every_run_builds(path):
    study = read_study(path)
    for run in {run.id: run for run in plan_runs(study).values() if run.seed == study.seeds[0]}.values():
        overrides = {**run.overrides, "MODEL.DEVICE": "cpu", "MODEL.HEADS.NUM_CLASSES": 5}
        cfg = load_config(add_dsam_config, str(run.config), [str(part) for item in overrides.items() for part in item])
        assert study.dataset in cfg.DATASETS.TESTS
        if run.overrides:  # a shipped config as it is has been built in test_configs.py
            DSAMTrainer.build_model(cfg)
