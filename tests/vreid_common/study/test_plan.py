import pytest

from vreid_common.errors import InputError
from vreid_common.study.plan import plan_runs, with_ancestors
from vreid_common.study.spec import read_study

ROWS = """
title: T
seeds: [0, 1]
dataset: Street
config: ../configs/demo.yml
columns: {{mAP: mAP}}
rows: [{rows}]
"""


def ids(project, rows: str, seed: int = 0) -> list[str]:
    plan = plan_runs(read_study(project.write_study(ROWS.format(rows=rows))))
    return [run.id for (_, of_seed), run in plan.items() if of_seed == seed]


def test_equal_content_is_one_run(project):
    (project.folder / "configs" / "flat.yml").write_text(
        "SOLVER: {BASE_LR: 0.0001, MAX_EPOCH: 3}\nDATASETS: {NAMES: [StreetVehicles]}\nOUTPUT_DIR: elsewhere\n"
    )
    same = "{name: A}, {name: B, config: ../configs/flat.yml}, {name: C, overrides: {DATALOADER.NUM_WORKERS: 7}}"
    assert len(set(ids(project, f"{same}, {{name: D, overrides: {{SOLVER.MAX_EPOCH: '3'}}}}"))) == 1


@pytest.mark.parametrize(
    "other",
    [
        "overrides: {SOLVER.MAX_EPOCH: 4}",
        "overrides: {DATASETS.RENDER.SIZE: tiny}",
        "after: A, checkpoint_key: W",
        "reuse: A, evaluate: {TEST.METRIC: dot}",
    ],
)
def test_another_outcome_is_another_run(project, other):
    first, second = ids(project, f"{{name: A}}, {{name: B, {other}}}")
    assert first != second


def test_seed_base_project_and_parent_are_part_of_the_hash(project):
    rows = "{name: A}, {name: B, after: A, checkpoint_key: W}"
    before = ids(project, rows)
    assert set(before).isdisjoint(ids(project, rows, seed=1))
    base = project.folder / "configs" / "base.yml"
    text = base.read_text()
    base.write_text(text.replace("3", "4"))
    assert set(before).isdisjoint(ids(project, rows))
    base.write_text(text)
    assert before == ids(project, rows)
    child_of_other = ids(project, "{name: A, overrides: {X: 1}}, {name: B, after: A, checkpoint_key: W}")
    assert child_of_other[1] != before[1]


def test_reuse_shares_the_run_and_parents_come_first(project):
    plan = plan_runs(read_study(project.write_study()))
    ours, evaluation = plan["Ours", 1], plan["Ours, dot", 1]
    assert evaluation.parent is ours
    assert ours.parent is plan["Baseline", 1]
    assert [run.label for run in with_ancestors([evaluation, ours])] == [
        "Baseline, seed 1",
        "Ours, seed 1",
        "Ours, dot, seed 1",
    ]


def test_exception_config_of_no_project(project):
    (project.root / "lost.yml").write_text("SOLVER: {MAX_EPOCH: 1}\n")
    with pytest.raises(InputError, match=r"row `A`: no folder above .*lost\.yml has a train_net.py"):
        ids(project, "{name: A, config: ../../../lost.yml}")


@pytest.mark.parametrize("content", ["", "_BASE_: absent.yml\n", "A: [\n"])
def test_exception_unreadable_config(project, content):
    (project.folder / "configs" / "bad.yml").write_text(content)
    with pytest.raises(InputError, match=r"bad\.yml: cannot be read as a config"):
        ids(project, "{name: A, config: ../configs/bad.yml}")
