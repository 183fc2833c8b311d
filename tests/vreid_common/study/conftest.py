"""A project whose train_net.py runs in milliseconds: real processes, real files, metrics that depend on what it is given."""

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from vreid_common.study import add_study_arguments, run_study

TRAIN_NET = """
import argparse, json, os, pathlib, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("--config-file")
parser.add_argument("--resume", action="store_true")
parser.add_argument("--eval-only", action="store_true")
parser.add_argument("opts", nargs="*")
args = parser.parse_args()
opts = dict(zip(args.opts[::2], args.opts[1::2]))
folder = pathlib.Path(opts["OUTPUT_DIR"])
folder.mkdir(parents=True, exist_ok=True)
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps({"opts": opts, "resume": args.resume, "eval": args.eval_only, "start": time.time(),
                            "threads": os.environ["OMP_NUM_THREADS"]}) + "\\n")
try:
    if "SLEEP" in opts and not (folder / "half_way").exists():
        (folder / "half_way").touch()
        (folder / "metrics.json").write_text(json.dumps({"iteration": 7}) + "\\n")
        time.sleep(float(opts["SLEEP"]))
except KeyboardInterrupt:
    (folder / "saved_on_interrupt").touch()
    sys.exit(130)
if opts.get("FAIL") == "True":
    print("the config asks for a failure")
    sys.exit(3)
score = 50.0 + 2 * int(opts["SEED"]) + float(opts.get("BONUS", 0))
for key in ("MODEL.WEIGHTS", "MAIN.WEIGHTS"):
    if key in opts:
        score += float(pathlib.Path(opts[key]).read_text())
results = {"dataset": {"Street": {"mAP": score, "CSC": 2.5, "na/mAP": score + 10}},
           "protocol": {"name": "SameCameraExcluded", "distance": opts.get("METRIC", "cosine")},
           "iterations": 10, "seconds": 0.1, "versions": {"torch": "2"}}
if not args.eval_only:
    (folder / "model_final.pth").write_text("1.5")
    results["checkpoint"] = "model_final.pth"
(folder / "results.json").write_text(json.dumps(results))
"""

STUDY = """
title: Main against main + WCVL
seeds: [0, 1]
dataset: Street
config: ../configs/demo.yml
columns: {mAP: mAP}
paper_source: Table I
rows:
  - name: Baseline
    paper: {mAP: 79.3}
  - name: Ours
    after: Baseline
    checkpoint_key: MAIN.WEIGHTS
    select: na
  - name: Ours, dot
    reuse: Ours
    evaluate: {METRIC: dot}
"""


class Project:
    """A project folder, and ``vreid study`` on its study files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "projects" / "Toy"
        self.calls_file = root / "calls"
        self.results = self.folder / "studies" / "results"
        self.readme = self.folder / "README.md"
        self.work_dir = root / "runs"
        for name in ("configs", "studies"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "train_net.py").write_text(TRAIN_NET)
        (self.folder / "configs" / "base.yml").write_text(
            "DATASETS: {NAMES: \"('StreetVehicles',)\"}\nSOLVER: {MAX_EPOCH: 3}\n"
        )
        (self.folder / "configs" / "demo.yml").write_text("_BASE_: base.yml\nSOLVER: {BASE_LR: 1e-4}\n")
        self.readme.write_text("# Toy\n\n<!-- table: main -->\n<!-- /table: main -->\n\nThe end.\n")

    def write_study(self, text: str = STUDY, name: str = "main") -> Path:
        path = self.folder / "studies" / f"{name}.yml"
        path.write_text(textwrap.dedent(text))
        return path

    def study(self, *arguments: str, more_files: Sequence[Path] = (), named: bool = True) -> int:
        parser = argparse.ArgumentParser()
        add_study_arguments(parser)
        files = [self.folder / "studies" / "main.yml", *more_files]
        where = (*(("--project", self.folder) if named else ()), "--work-dir", self.work_dir)
        return run_study(parser.parse_args([*map(str, (*files, *where)), "--jobs", "2", *arguments]))

    def calls(self) -> list[dict]:
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()] if self.calls_file.exists() else []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path)
    monkeypatch.setenv("CALLS", str(project.calls_file))
    return project
