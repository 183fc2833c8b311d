import pytest

from vreid_common.errors import InputError
from vreid_common.study.plan import plan_runs
from vreid_common.study.results import ResultStore
from vreid_common.study.spec import read_study
from vreid_common.study.table import make_table, replace_table, table_in

STUDY = """
title: T
seeds: [0, 1, 2]
dataset: {dataset}
config: ../configs/demo.yml
columns: {{mAP: mAP, CSC: {{metric: CSC, digits: 3}}}}
paper_source: Table VII
note: A note.
rows:
  - name: A | B
    paper: {{CSC: 2.51}}
  - name: C
    overrides: {{X: 1}}
"""


def table(
    project, values: dict[tuple[str, int], dict], protocols: dict[str, dict] | None = None, dataset: str = "Street"
) -> str:
    study = read_study(project.write_study(STUDY.format(dataset=dataset)))
    plan, store = plan_runs(study), ResultStore()
    for (row, seed), metrics in values.items():
        store.save(plan[row, seed], {"dataset": {dataset: metrics}, "protocol": (protocols or {}).get(row, {})}, "python")
    return make_table(study, plan, store)


def test_mean_deviation_and_missing_seeds(project):
    text = table(
        project,
        {("A | B", 0): {"mAP": 50, "CSC": 2.0}, ("A | B", 1): {"mAP": 54}, ("A | B", 2): {"mAP": 55}, ("C", 2): {"mAP": 1}},
    )
    assert "| mAP | CSC | CSC, paper |" in text
    # mean 53, deviations -3, 1, 2: sqrt((9 + 1 + 4) / 2) = 2.646
    assert "| A \\| B | 53.0 ± 2.6 | 2.000 (n = 1) | 2.510 |" in text
    assert "| C | 1.0 (n = 1) | – | – |" in text
    assert "Paper: Table VII. A note." in text


def test_nothing_run(project):
    text = table(project, {})
    assert "| C | not run | not run | – |" in text
    assert "Protocol" not in text


def test_protocols_that_differ_are_named(project):
    metrics = {"mAP": 50, "CSC": 2.0}
    protocols = {
        "A | B": {"name": "VeRi", "distance": "l2", "re-ranking": False},
        "C": {"name": "VeRi", "distance": "l2", "re-ranking": True},
    }
    text = table(project, {("A | B", 0): metrics, ("C", 0): metrics}, protocols)
    assert "Protocol: VeRi, distance l2, no re-ranking. C: re-ranking." in text


def test_rendered_data_say_their_size(project):
    assert "on StreetVehicles (size demo)." in table(project, {}, dataset="StreetVehicles")


def test_table_goes_between_the_markers_and_comes_back(project):
    made = table(project, {})
    project.readme.write_text(replace_table(project.readme, "main", made))
    assert table_in(project.readme, "main") == made
    assert replace_table(project.readme, "main", made) == project.readme.read_text()


@pytest.mark.parametrize(
    "text", ["<!-- table: main -->\n", "<!-- /table: main -->\n<!-- table: main -->\n", "<!-- table: main -->" * 2]
)
def test_exception_markers(project, text):
    project.readme.write_text(text)
    with pytest.raises(
        InputError, match="needs the line <!-- table: main --> once and below it the line <!-- /table: main -->"
    ):
        table_in(project.readme, "main")
