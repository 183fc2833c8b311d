from pathlib import Path

import pytest

from vreid_common.errors import InputError
from vreid_common.study.spec import read_study

VALID = """
title: T
seeds: [0]
dataset: Street
config: ../configs/demo.yml
columns: {mAP: mAP}
rows: [{name: A}]
"""


def test_smoke(project):
    study = read_study(project.write_study())
    assert [row.name for row in study.rows] == ["Baseline", "Ours", "Ours, dot"]
    assert study.readme == project.readme
    assert study.name == "main"
    assert study.rows[2].reuse == "Ours"


def test_overrides_are_flattened_and_the_rows_win(project):
    text = VALID + "overrides: {SOLVER: {MAX_EPOCH: 1, BASE_LR: 0.1}, A.B: 2}\n"
    study = read_study(project.write_study(text.replace("{name: A}", "{name: A, overrides: {SOLVER.MAX_EPOCH: 5}}")))
    assert study.rows[0].overrides == {"SOLVER.MAX_EPOCH": 5, "SOLVER.BASE_LR": 0.1, "A.B": 2}


def test_a_page_of_its_own(project):
    study = read_study(project.write_study(VALID + "page: ../../docs/page.md\n"))
    assert study.readme == (study.path.parent / "../../docs/page.md").resolve()


def test_column_digits(project):
    study = read_study(project.write_study(VALID.replace("{mAP: mAP}", "{CSC: {metric: CSC, digits: 3}}")))
    assert (study.columns[0].header, study.columns[0].metric, study.columns[0].digits) == ("CSC", "CSC", 3)


def test_reuse_of_an_evaluation_is_the_same_evaluation(project):
    rows = "[{name: A}, {name: B, reuse: A, evaluate: {M: dot}}, {name: C, reuse: B, select: na}]"
    study = read_study(project.write_study(VALID.replace("[{name: A}]", rows)))
    assert (study.rows[2].reuse, study.rows[2].evaluate, study.rows[2].select) == ("A", {"M": "dot"}, "na")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: T\n", "", "the key `title` is missing"),
        ("title: T", "title: 3", "`title` must be str, got 3"),
        ("seeds: [0]", "seeds: []", "`seeds` must be a list of different integers"),
        ("seeds: [0]", "seeds: [1, 1]", "`seeds` must be a list of different integers"),
        ("seeds: [0]", "seeds: [true]", "`seeds` must be a list of different integers"),
        ("seeds: [0]", "seeds: 0", "`seeds` must be list, got 0"),
        ("{name: A}", "{name: A, slect: na}", "row `A`: unknown key `slect`; did you mean `select`"),
        ("{name: A}", "{name: A}, {name: A}", "row `A`: there are two rows of that name"),
        ("{name: A}", "{nam: A}", "row 1: the key `name` is missing"),
        ("{name: A}", "3", "row 1: expected keys and values, got 3"),
        ("{name: A}", "{name: A, after: B, checkpoint_key: W}", "`after` names the row `B`, which does not stand above it"),
        ("{name: A}", "{name: A}, {name: B, after: A}", "`after` and `checkpoint_key` go together"),
        ("{name: A}", "{name: A, reuse: A}", "`reuse` names the row `A`, which does not stand above it"),
        ("{name: A}", "{name: A}, {name: B, reuse: A, config: c.yml}", "a row with `reuse` trains nothing"),
        ("{name: A}", "{name: A, evaluate: {M: dot}}", "`evaluate` needs `reuse: <row>`"),
        ("{name: A}", "{name: A, paper: {mAP: 3}}", "`paper_source` must say where they stand"),
        ("{name: A}", "{name: A, paper: {MAP: 3}}", "`paper` has `MAP`, which is no column; columns are mAP"),
        ("{name: A}", "{name: A, paper: {mAP: high}}", "`paper` figure of `mAP` must be a number, got 'high'"),
        ("{name: A}", "{name: A, config: nowhere.yml}", "there is no config file"),
        ("{name: A}", "{name: A, overrides: {SEED: 3}}", "sets SEED, which the study itself sets"),
        ("{name: A}", "{name: A, hidden: true}", "`rows` has no row to show"),
        ("{mAP: mAP}", "{}", "`columns` is empty"),
        ("{mAP: mAP}", "{mAP: 3}", "column mAP: expected keys and values, got 3"),
        ("config: ../configs/demo.yml\n", "", "row `A`: neither the row nor the study has a `config`"),
        ("title: T", "title: [", "is not valid YAML"),
    ],
)
def test_exception_names_the_file_and_the_key(project, old, new, message):
    path = project.write_study(VALID.replace(old, new))
    with pytest.raises(InputError) as error:
        read_study(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_exception_chained_evaluations(project):
    rows = "[{name: A}, {name: B, reuse: A, evaluate: {M: dot}}, {name: C, reuse: B, evaluate: {M: l2}}]"
    with pytest.raises(InputError, match="itself an evaluation"):
        read_study(project.write_study(VALID.replace("[{name: A}]", rows)))
    rows = "[{name: A}, {name: B, reuse: A, evaluate: {M: dot}}, {name: C, after: B, checkpoint_key: W}]"
    with pytest.raises(InputError, match="`after` names `B`, which trains nothing"):
        read_study(project.write_study(VALID.replace("[{name: A}]", rows)))


def test_exception_no_such_file(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        read_study(tmp_path / "absent.yml")
