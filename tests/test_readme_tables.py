"""Every table in a README is the one that its study file and the committed results make: none is typed by hand."""

from pathlib import Path

import pytest

from vreid_common.study.plan import plan_runs
from vreid_common.study.results import ResultStore
from vreid_common.study.spec import read_study
from vreid_common.study.table import make_table, table_in

ROOT = Path(__file__).parent.parent
STUDIES = sorted(ROOT.glob("projects/*/studies/*.yml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: str(path.relative_to(ROOT)))
def test_table_in_readme_is_made_from_results(path):
    study = read_study(path)
    made = make_table(study, plan_runs(study), ResultStore())
    assert table_in(study.readme, study.name) == made, f"run `vreid study {path.relative_to(ROOT)}`"


@pytest.mark.parametrize("project", sorted({path.parent.parent for path in STUDIES}), ids=lambda path: path.name)
def test_every_result_belongs_to_a_study(project):
    studies = [read_study(path) for path in STUDIES]
    needed = {ResultStore().path(run) for study in studies for run in plan_runs(study).values()}
    orphans = set((project / "studies" / "results").glob("*.json")) - needed
    assert not orphans, "no study shows these results any more: delete them"
