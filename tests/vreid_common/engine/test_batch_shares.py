"""What of a configuration is refused before anything is loaded or started."""

from pathlib import Path

import pytest
import torch.multiprocessing as mp

from vreid_common.engine import main
from vreid_common.engine.checks import check_batch
from vreid_common.errors import InputError


@pytest.mark.parametrize(
    ("batch", "instances", "processes", "said"),
    [
        (8, 2, 3, "SOLVER.IMS_PER_BATCH is 8, over 3 processes: make it a multiple of them."),
        (8, 4, 4, "SOLVER.IMS_PER_BATCH is 8, 2 for each of 4 processes: make that a multiple of DATALOADER.NUM_INSTANCE .4."),
        (8, 1, 8, "one image for each of 8 processes: batch normalization needs two."),
    ],
)
def test_a_batch_that_processes_cannot_share_is_refused(tiny, batch: int, instances: int, processes: int, said: str):
    cfg = tiny("SOLVER.IMS_PER_BATCH", batch, "DATALOADER.NUM_INSTANCE", instances)
    with pytest.raises(InputError, match=said):
        check_batch(cfg, processes)
    check_batch(cfg, 1)


def test_a_sampler_without_groups_shares_any_images(tiny):
    check_batch(tiny("DATALOADER.SAMPLER_TRAIN", "TrainingSampler", "DATALOADER.NUM_INSTANCE", 4), 4)


@pytest.mark.parametrize(
    ("processes", "said"),
    [("3", "SOLVER.IMS_PER_BATCH is 8, over 3 processes"), ("8", "one image for each of 8"), ("4096", "over")],
)
def test_it_is_refused_before_any_process_is_started(
    config_file: Path, processes: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(mp, "spawn", pytest.fail)
    arguments = ["--num-gpus", processes, "--config-file", str(config_file), "DATALOADER.NUM_INSTANCE", "1"]
    with pytest.raises(SystemExit) as end:
        main(argv=[*arguments, "DATALOADER.SAMPLER_TRAIN", "TrainingSampler"])
    assert end.value.code == 2
    assert said in capsys.readouterr().err
