"""docs/template, copied under another name: its own tests pass, and it trains and evaluates beside vreid_common."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vreid_common.errors import InputError

ROOT = Path(__file__).parents[2]

SMALL = """
_BASE_: projects/SomePaper/configs/Demo/r18.yml
INPUT: {SIZE_TRAIN: [32, 32], SIZE_TEST: [32, 32]}
DATASETS: {NAMES: [CSVVehicles], TESTS: [CSVVehicles]}
DATALOADER: {NUM_INSTANCE: 2, NUM_WORKERS: 0}
SOLVER: {MAX_EPOCH: 2, IMS_PER_BATCH: 8, WARMUP_ITERS: 1, STEPS: []}
TEST: {NUM_WORKERS: 0}
SOMEPAPER: {RADIUS: 5.0}
OUTPUT_DIR: out
"""


@pytest.fixture(scope="module")
def repository(make_project, tmp_path_factory) -> Path:
    """A folder with the copied project, and the fixtures that its tests use."""
    root = tmp_path_factory.mktemp("repository")
    make_project.make_project("SomePaper", root)
    for conftest in ("tests/conftest.py", "tests/projects/conftest.py"):
        shutil.copy(ROOT / conftest, root / conftest)
    return root


def _run(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": f"{root / 'projects' / 'SomePaper'}{os.pathsep}{ROOT}"}
    return subprocess.run([sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_it_trains_and_evaluates(repository, vehicles):
    (repository / "small.yml").write_text(SMALL)
    done = _run(
        repository, "projects/SomePaper/train_net.py", "--config-file", "small.yml", "DATASETS.CSV.FILE", vehicles,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((repository / "out" / "results.json").read_text())
    assert {"mAP", "Rank-1", "norm"} <= set(results["dataset"]["CSVVehicles"])
    assert results["iterations"] > 2
    records = [json.loads(line) for line in (repository / "out" / "metrics.json").read_text().splitlines()]
    assert any("loss_ring" in record for record in records)


def test_its_own_tests_pass(repository):
    done = _run(
        repository, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests/projects/somepaper"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_the_templates_name_is_left(repository):
    files = [path for folder in ("projects", "tests/projects/somepaper") for path in (repository / folder).rglob("*")]
    texts = [path for path in files if path.is_file() and path.suffix != ".pyc" and "template" in path.read_text().lower()]
    assert [path for path in [*files, *texts] if "template" in path.name.lower() or path in texts] == []


def test_a_longer_name_keeps_lines_within_the_limit(repository):
    sources = [path for folder in ("projects", "tests/projects/somepaper") for path in (repository / folder).rglob("*.py")]
    assert sources
    assert [path.name for path in sources if max(map(len, path.read_text().splitlines())) > 128] == []


@pytest.mark.parametrize("name", ["lower", "Two words", "9Lives", ""])
def test_exception_name(make_project, tmp_path, name):
    with pytest.raises(InputError, match="is no name for a project"):
        make_project.make_project(name, tmp_path)


def test_exception_already_there(make_project, tmp_path):
    with pytest.raises(InputError, match="There is a package torch already"):
        make_project.make_project("Torch", tmp_path)
    (tmp_path / "projects" / "SomePaper").mkdir(parents=True)
    with pytest.raises(InputError, match="SomePaper is there already"):
        make_project.make_project("SomePaper", tmp_path)
