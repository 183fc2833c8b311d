"""Every run that a study of DEx asks for has a config that is accepted, and every row a metric that the study makes."""

from pathlib import Path

import pytest
from dex import DExTrainer, add_dex_config
from dex.study import schemes

from vreid_common.engine import load_config
from vreid_common.study.plan import plan_runs, with_ancestors
from vreid_common.study.spec import read_study

STUDIES = Path(__file__).parents[3] / "projects" / "DEx" / "studies"
FILES = sorted(STUDIES.glob("*.yml"))


def config(run):
    trained = run.evaluates or run
    overrides = {**trained.overrides, **run.overrides, "MODEL.DEVICE": "cpu"}
    return load_config(add_dex_config, str(run.config), [str(part) for item in overrides.items() for part in item])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_smoke_every_run_is_accepted(path):
    study = read_study(path)
    assert study.seeds == (0, 1, 2)
    for run in with_ancestors(run for (_, seed), run in plan_runs(study).items() if seed == 0):
        cfg = config(run)
        DExTrainer.check_config(cfg, training=run.evaluates is None)
        assert (30 if run.evaluates is None else 0) == cfg.DATASETS.VALIDATION.NUM_IDS


def rows_of(cfg):
    """The tables' rows by table, as the config's lists say."""
    study = cfg.DEX.STUDY
    return {
        "Table 2": [*(f"{scale:g}" for scale in cfg.DEX.SCALES), "All"],
        "Table 3": [f"k={k}" for k in study.EXPANSION_K],
        "Table 4": [f"k={k}, kq={kq}" for kq in study.DIFFUSION_KQ for k in study.DIFFUSION_K],
        "Table 5": [f"k={k}" for k in study.DBA_K],
        "Table 6": list(schemes(cfg)),
    }


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem.startswith("table") and path.stem != "table1"], ids=lambda p: p.stem
)
def test_feature_both_backbones_show_every_row_of_the_table(path):
    study = read_study(path)
    shown = [row for row in study.rows if not row.hidden]
    plan = plan_runs(study)
    for network in ("r18-ibn", "r18"):
        own = [row for row in shown if row.reuse == f"trained {network}"]
        table = f"Table {path.stem[-1]}"
        assert [row.select for row in own] == [f"{table}/{name}" for name in rows_of(config(plan[own[0].name, 0]))[table]]
        assert len({plan[row.name, 0].id for row in own}) == 1  # one evaluation makes them all
