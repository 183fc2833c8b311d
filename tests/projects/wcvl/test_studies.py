"""Every run that a study of WCVL asks for has a config that can be read and built."""

from pathlib import Path

import pytest
from wcvl import WCVLTrainer, add_wcvl_config

from vreid_common.engine import load_config
from vreid_common.study.plan import plan_runs, with_ancestors
from vreid_common.study.spec import read_study

STUDIES = Path(__file__).parents[3] / "projects" / "WCVL" / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yml")), ids=lambda path: path.stem)
def test_smoke_every_run_builds(path):
    study = read_study(path)
    once = path.stem in ("mixing", "translation")  # of the training images, not of the method
    assert study.seeds == ((0,) if once else (0, 1, 2))
    for run in with_ancestors(run for (_, seed), run in plan_runs(study).items() if seed == 0):
        base = run.evaluates or run
        overrides = {**base.overrides, **run.overrides, "MODEL.DEVICE": "cpu", "MODEL.HEADS.NUM_CLASSES": 5}
        cfg = load_config(add_wcvl_config, str(run.config), [str(part) for item in overrides.items() for part in item])
        assert (cfg.MODEL.META_ARCHITECTURE == "WCVL") == (base.after is not None or cfg.WCVL.END_TO_END)
        WCVLTrainer.build_model(cfg)
