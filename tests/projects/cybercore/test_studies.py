"""Every run that a study asks for has a config that can be read and built, and says which figures are the paper's."""

from pathlib import Path

import pytest
from cybercore import CybercoreTrainer, add_cybercore_config

from vreid_common.engine import load_config
from vreid_common.study.plan import plan_runs, with_ancestors
from vreid_common.study.spec import read_study

STUDIES = Path(__file__).parents[3] / "projects" / "CybercoreBaseline" / "studies"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yml")), ids=lambda path: path.stem)
def test_smoke_every_run_builds(path):
    study = read_study(path)
    assert study.seeds == (0, 1, 2)
    for run in with_ancestors(run for (_, seed), run in plan_runs(study).items() if seed == 0):
        options = [str(part) for item in run.overrides.items() for part in item]
        cfg = load_config(add_cybercore_config, str(run.config), ["MODEL.DEVICE", "cpu", *options])
        for stage in CybercoreTrainer.stages(cfg):
            CybercoreTrainer.check_config(stage, training=True)


def test_feature_rows_of_table_4_are_the_configs_re_rankings():
    study = read_study(STUDIES / "table4.yml")
    cfg = load_config(add_cybercore_config, str(STUDIES.parent / "configs" / "Demo" / "table4_r18.yml"))
    assert [row.select for row in study.rows] == [None, *(name for name, *_ in cfg.RERANK.COMPARE)]
