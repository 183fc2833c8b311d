"""What every case of these tables asks: one sentence, status 2, no traceback, nothing left behind."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from vreid_common.cli import main as run_vreid
from vreid_common.engine import main as run_training

TINY = """
MODEL:
  DEVICE: cpu
  BACKBONE: {{DEPTH: 18x, FEAT_DIM: 512}}
  HEADS: {{WITH_BNNECK: true}}
  LOSSES: {{NAME: [CrossEntropyLoss, TripletLoss], TRI: {{HARD_MINING: true}}}}
INPUT: {{SIZE_TRAIN: [32, 32], SIZE_TEST: [32, 32]}}
DATASETS: {{NAMES: [CSVVehicles], TESTS: [CSVVehicles], CSV: {{FILE: {csv}}}}}
DATALOADER: {{SAMPLER_TRAIN: NaiveIdentitySampler, NUM_INSTANCE: 2, NUM_WORKERS: 0}}
SOLVER: {{MAX_EPOCH: 1, IMS_PER_BATCH: 8, WARMUP_ITERS: 0, STEPS: []}}
TEST: {{IMS_PER_BATCH: 8, EVAL_PERIOD: 0, NUM_WORKERS: 0}}
OUTPUT_DIR: {out}
"""


@pytest.fixture
def config_file(vehicles: Path, tmp_path: Path) -> Path:
    """A configuration that trains within a second on the ``vehicles`` of the top conftest."""
    path = tmp_path / "tiny.yml"
    path.write_text(TINY.format(csv=vehicles, out=tmp_path / "out"))
    return path


@pytest.fixture(scope="session")
def trained(vehicles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished training: config.yaml, model_final.pth and the other files of a run."""
    folder = tmp_path_factory.mktemp("trained")
    config = folder / "tiny.yml"
    config.write_text(TINY.format(csv=vehicles, out=folder / "out"))
    run_training(argv=["--config-file", str(config)])
    return folder / "out"


@pytest.fixture
def refused(capsys: pytest.CaptureFixture, tmp_path: Path) -> Callable[..., str]:
    """``refused("evaluate", "--query", …)`` runs a vreid command, ``refused("train", …)`` a training, and returns its sentence.

    ``holds`` are texts that have to be in it.
    """

    def run(program: str, *arguments: object, holds: Sequence[str] = ()) -> str:
        argv = [str(argument) for argument in arguments]
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            _ = run_training(argv=argv) if program == "train" else run_vreid([program, *argv])
        printed = capsys.readouterr()
        assert stopped.value.code == 2, printed.err
        assert "Traceback" not in printed.out + printed.err
        # argparse puts the program's name before what it refuses itself.
        sentences = [line.partition("error: ")[2] for line in printed.err.splitlines() if "error: " in line]
        assert len(sentences) == 1, printed.err
        assert not list(tmp_path.rglob("*.tmp"))
        said = sentences[0]
        assert [text for text in holds if text not in said] == [], said
        assert said[-1] in '.?")', said
        return said

    return run
