"""``vreid study`` from end to end, with real child processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vreid_common.errors import InputError


def wait_for(path: Path, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def only_run_folder(project) -> Path:
    deadline = time.monotonic() + 120
    while not (found := list(project.work_dir.glob("*/half_way"))):
        assert time.monotonic() < deadline, "no run reached half of its way"
        time.sleep(0.05)
    return found[0].parent


def start_study(project, *arguments: str) -> subprocess.Popen:
    code = "import sys, argparse; from vreid_common.study import *; p = argparse.ArgumentParser(); add_study_arguments(p); "
    code += "sys.exit(run_study(p.parse_args()))"
    file = str(project.folder / "studies" / "main.yml")
    where = ("--project", str(project.folder), "--work-dir", str(project.work_dir))
    command = [sys.executable, "-c", code, file, *where, "--jobs", "1", *arguments]

    def hear_interrupts() -> None:  # which a shell's background job and its children do not
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts)


def test_a_study_file_alone_runs_no_code(project, tmp_path):
    """Not that of a folder that its config lies in: the project is installed, or the user names its folder."""
    project.write_study()
    with pytest.raises(InputError, match=r"`Baseline, seed 0` would run .*Toy/train_net\.py, which is no installed project's"):
        project.study("--project", str(tmp_path), named=False)
    assert project.calls() == []
    assert project.study("--dry-run", named=False) == project.study("--no-run", named=False) == 0


def test_trains_what_is_missing_and_writes_the_table(project, capsys):
    project.write_study()
    assert project.study() == 0
    text = project.readme.read_text()
    assert "| Baseline | 51.0 ± 1.4 | 79.3 |" in text  # 50, 52
    assert "| Ours | 62.5 ± 1.4 | – |" in text  # 50, 52 + the main module's 1.5 + na's 10
    assert "| Ours, dot | 54.0 ± 1.4 | – |" in text  # the main module's 1.5 and its own checkpoint's 1.5
    assert text.startswith("# Toy\n")
    assert text.endswith("The end.\n")
    assert "seeds 0, 1 on Street" in text
    assert "Ours, dot: distance dot" in text
    assert "`vreid study projects/Toy/studies/main.yml`" in text
    assert "Baseline, seed 0" in capsys.readouterr().err
    calls = project.calls()
    assert len(calls) == 6
    assert [call["eval"] for call in calls].count(True) == 2
    assert all(call["resume"] != call["eval"] for call in calls)
    assert {call["opts"]["SEED"] for call in calls} == {"0", "1"}
    assert len(list(project.results.glob("*.json"))) == 6


def test_json(project, tmp_path):
    """The runs, the values of every seed, what failed, and the files whose table differs."""
    path = project.write_study()

    def study(*arguments: str, status: int = 0) -> dict:
        assert project.study(*arguments, "--json", str(tmp_path / "out.json")) == status
        return json.loads((tmp_path / "out.json").read_text())

    runs = study("--dry-run")["runs"]
    assert [(run["project"], run["label"], run["done"]) for run in runs[:2]] == [
        ("Toy", "Baseline, seed 0", False), ("Toy", "Ours, seed 0", False),
    ]  # fmt: skip
    record = study()
    (table,) = record["tables"]
    assert [row["values"] for row in table["rows"]][:2] == [{"mAP": {"0": 50, "1": 52}}, {"mAP": {"0": 61.5, "1": 63.5}}]
    assert (table["rows"][0]["paper"], table["study"], record["failed"]) == ({"mAP": 79.3}, str(path), [])
    assert {run["run"] for run in runs} == {result.stem for result in project.results.glob("*.json")}
    assert all(run["done"] for run in study("--dry-run")["runs"])
    assert study("--check") == {"different": []}
    path.write_text(path.read_text().replace("seeds: [0, 1]", "seeds: [0, 1]\noverrides: {FAIL: true}"))
    failed = study(status=1)["failed"]
    assert failed[0]["label"] == "Baseline, seed 0"
    assert failed[0]["reason"].startswith("ended with exit code 3")
    project.readme.write_text(project.readme.read_text().replace("not run", "run", 1))
    assert study("--check", status=1) == {"different": [str(path)]}


def test_second_time_nothing_is_run_and_check_passes_without_the_work_folder(project):
    project.write_study()
    project.study()
    for path in project.work_dir.glob("*/*"):
        path.unlink()
    before = project.readme.read_text()
    assert project.study() == 0
    assert len(project.calls()) == 6
    assert project.readme.read_text() == before
    assert project.study("--check") == 0


def test_check_fails_on_a_changed_figure_and_shows_it(project, capsys):
    project.write_study()
    project.study()
    project.readme.write_text(project.readme.read_text().replace("51.0", "61.0"))
    capsys.readouterr()
    assert project.study("--check") == 1
    assert "-| Baseline | 61.0 ± 1.4" in capsys.readouterr().out


def test_rows_not_run_are_said_so_and_check_accepts_that(project):
    project.write_study()
    assert project.study("--only", "Baseline") == 0
    assert len(project.calls()) == 2
    assert "| Ours | not run | – |" in project.readme.read_text()
    assert project.study("--check") == 0


def test_no_run_writes_the_table_from_what_there_is(project):
    path = project.write_study()
    project.study("--only", "Baseline")
    path.write_text(path.read_text().replace("mAP: 79.3", "mAP: 79.4"))
    assert project.study("--check") == 1
    assert project.study("--no-run") == 0
    assert len(project.calls()) == 2
    assert "| Baseline | 51.0 ± 1.4 | 79.4 |" in project.readme.read_text()
    assert project.study("--check") == 0


def test_only_brings_its_ancestors(project):
    project.write_study()
    assert project.study("--only", "Ours, dot") == 0
    assert len(project.calls()) == 6
    with pytest.raises(InputError, match="--only Theirs: no study has that row"):
        project.study("--only", "Theirs")


def test_studies_share_runs(project):
    project.write_study()
    other = project.write_study(
        """
        title: Other
        seeds: [0, 1]
        dataset: Street
        columns: {CSC: {metric: CSC, digits: 3}}
        rows: [{name: Plain, config: ../configs/demo.yml}]
        """,
        "other",
    )
    project.readme.write_text(project.readme.read_text() + "<!-- table: other -->\n<!-- /table: other -->\n")
    assert project.study(more_files=[other]) == 0
    assert len(project.calls()) == 6
    assert "| Plain | 2.500 ± 0.000 |" in project.readme.read_text()


def test_parent_without_checkpoint_is_trained_again(project):
    project.write_study()
    project.study("--only", "Baseline")
    for path in project.work_dir.rglob("*.pth"):
        path.unlink()
    assert project.study() == 0
    assert len(project.calls()) == 2 + 6


def test_results_left_in_the_work_folder_are_taken_over(project):
    project.write_study()
    project.study()
    for path in project.results.glob("*.json"):
        path.unlink()
    assert project.study() == 0
    assert len(project.calls()) == 6
    assert len(list(project.results.glob("*.json"))) == 6


def test_results_dir_leaves_the_project_alone(project, tmp_path, capsys):
    project.write_study()
    before = project.readme.read_text()
    assert project.study("--results-dir", str(tmp_path / "mine")) == 0
    assert project.readme.read_text() == before
    assert not project.results.exists()
    assert len(list((tmp_path / "mine").glob("*.json"))) == 6
    assert "| Baseline | 51.0 ± 1.4" in capsys.readouterr().out


def test_result_holds_the_definition_and_no_machine_folder(project):
    project.write_study()
    project.study()
    records = [json.loads(path.read_text()) for path in project.results.glob("*.json")]
    assert not any(str(project.root) in json.dumps(record) for record in records)
    (ours,) = [r for r in records if r["definition"].get("after") and r["definition"]["seed"] == 0]
    assert ours["command"].startswith("python projects/Toy/train_net.py --config-file projects/Toy/configs/demo.yml --resume")
    assert f"MAIN.WEIGHTS runs/{ours['definition']['after']['run']}/model_final.pth" in ours["command"]
    assert ours["definition"]["config"]["SOLVER.BASE_LR"] == 1e-4
    assert ours["definition"]["config"]["DATASETS.RENDER.SIZE"] == "demo"
    assert ours["definition"]["config"]["renderer"] >= 1
    assert ours["iterations"] == 10


def test_lists_are_passed_and_recorded_as_yacs_and_a_shell_read_them(project):
    rows = "rows: [{name: A, overrides: {LIST: [na, 1, 0.5, true]}}]"
    project.write_study(f"title: T\nseeds: [0]\ndataset: Street\nconfig: ../configs/demo.yml\ncolumns: {{mAP: mAP}}\n{rows}\n")
    assert project.study() == 0
    assert project.calls()[0]["opts"]["LIST"] == '["na", 1, 0.5, True]'
    (result,) = project.results.glob("*.json")
    assert """ LIST '["na", 1, 0.5, True]' """ in json.loads(result.read_text())["command"]


def test_changed_result_is_refused(project):
    project.write_study()
    project.study("--only", "Baseline")
    path = next(project.results.glob("*.json"))
    path.write_text(path.read_text().replace('"seed": ', '"seed": 1'))
    with pytest.raises(InputError, match=f"{path.name}: is not the result that its name says"):
        project.study("--check")


def test_dry_run_lists_and_runs_nothing(project, capsys):
    project.write_study()
    project.study("--only", "Baseline")
    capsys.readouterr()
    assert project.study("--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["done", "to", "to"] * 2
    assert len(project.calls()) == 2


def test_failure_is_reported_and_the_others_go_on(project, capsys):
    project.write_study(
        """
        title: T
        seeds: [0]
        dataset: Street
        config: ../configs/demo.yml
        columns: {mAP: mAP}
        rows:
          - {name: Bad, overrides: {FAIL: true}}
          - {name: Child, after: Bad, checkpoint_key: MAIN.WEIGHTS}
          - {name: Good, overrides: {BONUS: 5}}
        """
    )
    assert project.study() == 1
    errors = capsys.readouterr().err
    assert "Bad, seed 0" in errors
    assert "ended with exit code 3" in errors
    assert "the config asks for a failure" in errors
    assert "not started, because `Bad, seed 0` failed" in errors
    assert "2 of 3 runs failed" in errors
    assert "| Good | 55.0 |" in project.readme.read_text()
    assert "| Child | not run |" in project.readme.read_text()


def test_jobs_run_at_a_time_and_share_the_threads(project):
    project.write_study(
        """
        title: T
        seeds: [0, 1]
        dataset: Street
        config: ../configs/demo.yml
        columns: {mAP: mAP}
        rows: [{name: A, overrides: {SLEEP: 1.5}}]
        """
    )
    assert project.study("--threads", "3") == 0
    calls = project.calls()
    assert abs(calls[0]["start"] - calls[1]["start"]) < 1.5
    assert {call["threads"] for call in calls} == {"3"}


SLOW = """
title: T
seeds: [0]
dataset: Street
config: ../configs/demo.yml
columns: {mAP: mAP}
rows: [{name: A, overrides: {SLEEP: 600}}, {name: B, overrides: {BONUS: 1}}]
"""


def test_interrupt_lets_the_training_save_and_the_study_goes_on_later(project):
    project.write_study(SLOW)
    study = start_study(project)
    folder = only_run_folder(project)
    study.send_signal(signal.SIGINT)
    _, errors = study.communicate(timeout=120)
    assert study.returncode == 130
    assert "the same command goes on where it was" in errors
    assert "Traceback" not in errors
    assert (folder / "saved_on_interrupt").exists()
    assert not project.results.exists()
    assert project.study() == 0  # the fake training does not sleep a second time
    assert len(list(project.results.glob("*.json"))) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a killed study's runs go on")
def test_killed_study_takes_its_runs_with_it_and_the_next_goes_on(project):
    project.write_study(SLOW)
    study = start_study(project)
    only_run_folder(project)
    study.kill()
    study.communicate(timeout=10)
    assert project.study() == 0  # would wait for the run, had that not ended: it sleeps for ten minutes the first time
    assert len(list(project.results.glob("*.json"))) == 2


def test_missing_markers_are_said_before_anything_runs(project):
    project.write_study()
    project.readme.write_text("# Toy\n")
    with pytest.raises(InputError, match=r"README\.md: needs the line <!-- table: main --> once"):
        project.study()
    assert not project.calls()
    project.readme.unlink()
    with pytest.raises(InputError, match=r"README\.md: is missing"):
        project.study()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{mAP: mAP}", "{mAP: MAP}", "column `mAP`: no run reports the metric `MAP`; there are mAP, CSC, na/mAP"),
        ("dataset: Street", "dataset: Studio", "`dataset` is Studio, but row `Baseline` was evaluated on Street"),
    ],
)
def test_metric_that_no_run_reports(project, old, new, message):
    path = project.write_study()
    project.study()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        project.study("--check")
