"""Every run that a study of EALN asks for has a config that is accepted."""

from pathlib import Path

import pytest
from ealn import EALNTrainer, add_ealn_config

from vreid_common.engine import load_config
from vreid_common.study.plan import plan_runs
from vreid_common.study.spec import read_study

STUDIES = Path(__file__).parents[3] / "projects" / "EALN" / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yml")), ids=lambda path: path.stem)
def test_smoke_every_run_is_accepted(path):
    study = read_study(path)
    for run in {run.id: run for run in plan_runs(study).values() if run.seed == study.seeds[0]}.values():
        overrides = {**run.overrides, "MODEL.DEVICE": "cpu"}
        cfg = load_config(add_ealn_config, str(run.config), [str(part) for item in overrides.items() for part in item])
        assert study.dataset in cfg.DATASETS.TESTS
        EALNTrainer.check_config(cfg, training=True)


def test_feature_a_view_of_a_run_is_a_feature_that_it_returns():
    study = read_study(STUDIES / "views.yml")
    plan = plan_runs(study)
    for row in study.rows:
        if row.select:
            cfg = load_config(add_ealn_config, str(plan[row.name, 0].config))
            assert row.select in cfg.EALN.FEATURES[1:]


def test_feature_the_sweep_goes_through_the_default_in_both_directions():
    rows = read_study(STUDIES / "sweep.yml").rows
    betas = [(row.overrides["EALN.HARD.BETA1"], row.overrides["EALN.HARD.BETA2"]) for row in rows]
    assert len(set(betas)) == len(betas)
    assert sum(beta2 == 0.3 for _, beta2 in betas) >= 3
    assert sum(beta1 == 0.6 for beta1, _ in betas) >= 3
