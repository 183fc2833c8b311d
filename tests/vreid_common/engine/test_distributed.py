"""Several processes on this machine, over gloo: by ``--num-gpus`` and by torchrun."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

MAIN = "from vreid_common.engine import main\nif __name__ == '__main__':\n    main()\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train_net.py"
    path.write_text(MAIN)
    return path


def run(arguments: list[object]) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False)


def results(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())["dataset"]["CSVVehicles"]


def test_two_processes_train_and_evaluate_and_one_process_gives_the_same_numbers(
    script: Path, config_file: Path, tmp_path: Path
):
    common = ["--config-file", config_file, "SOLVER.MAX_EPOCH", 2]
    # Each process reads its own images for precise BN, too.
    trained = run([script, "--num-gpus", 2, *common, "TEST.PRECISE_BN.ENABLED", True, "TEST.PRECISE_BN.NUM_ITER", 2])
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert ", the share of one of 2 processes in" in trained.stdout
    weights = tmp_path / "out" / "model_final.pth"
    again = ["--eval-only", "--config-file", config_file, "MODEL.WEIGHTS", weights, "OUTPUT_DIR"]
    assert run([script, *again, tmp_path / "one"]).returncode == 0
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", 3, "--master-port", 29731, script]
    three = run([*torchrun, *again, tmp_path / "three"])
    assert three.returncode == 0, three.stdout + three.stderr
    # B4: what every process evaluated at the end of training is what was saved.
    assert results(tmp_path / "out") == pytest.approx(results(tmp_path / "one"), abs=1e-4)
    assert results(tmp_path / "one") == pytest.approx(results(tmp_path / "three"), abs=1e-4)


def test_a_data_error_in_two_processes_is_one_sentence_and_not_a_hang(
    script: Path, config_file: Path, vehicles: Path, tmp_path: Path
):
    listed = tmp_path / "copy.csv"
    rows = vehicles.read_text().splitlines()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    rows = [",".join([str(vehicles.parent / row.split(",")[0]), *row.split(",")[1:]]) for row in rows[1:]]
    rows[0] = ",".join([str(broken), *rows[0].split(",")[1:]])
    listed.write_text("path,vehicle_id,camera_id,split\n" + "\n".join(rows) + "\n")
    result = run([script, "--num-gpus", 2, "--config-file", config_file, "DATASETS.CSV.FILE", listed])
    assert result.returncode == 2, result.stdout + result.stderr
    assert "broken.png" in result.stderr
    assert "Traceback" not in result.stderr


def test_a9_unused_parameters_do_not_end_the_second_iteration(script: Path, config_file: Path):
    # The classifier is not used where only the triplet loss is.
    only_triplet = ["MODEL.LOSSES.NAME", "('TripletLoss',)"]
    result = run([script, "--num-gpus", 2, "--config-file", config_file, *only_triplet])
    assert result.returncode == 0, result.stdout + result.stderr


def test_loader_workers_start_in_child_processes_as_in_a_single_one(tmp_path: Path):
    """By default spawned processes spawn in their turn, and each of a loader's workers imports everything anew."""
    script = tmp_path / "methods.py"
    script.write_text(
        "import multiprocessing as mp, pathlib, os\n"
        "from vreid_common.engine.launch import launch\n"
        "def say(): pathlib.Path(f'{os.getpid()}.method').write_text(mp.get_start_method())\n"
        "if __name__ == '__main__':\n    say()\n    launch(say, 2)\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    methods = [path.read_text() for path in tmp_path.glob("*.method")]
    assert len(methods) == 3
    assert len(set(methods)) == 1


def test_two_processes_share_what_one_process_sees(script: Path, config_file: Path, tmp_path: Path):
    """The same global batches: with BN in eval mode and plain cross-entropy, the weights agree too."""
    frozen = [
        "MODEL.LOSSES.NAME",
        "('CrossEntropyLoss',)",
        "MODEL.BACKBONE.NORM",
        "FrozenBN",
        "MODEL.HEADS.WITH_BNNECK",
        "False",
    ]
    common = ["--config-file", config_file, "SOLVER.MAX_EPOCH", 1, "SOLVER.STEPS", "[]", "SOLVER.OPT", "SGD", *frozen]
    for processes in (1, 2):
        result = run([script, "--num-gpus", processes, *common, "OUTPUT_DIR", tmp_path / str(processes)])
        assert result.returncode == 0, result.stdout + result.stderr
    one, two = (torch.load(tmp_path / n / "model_final.pth", weights_only=True)["model"] for n in ("1", "2"))
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], rtol=1e-3, atol=1e-5)
