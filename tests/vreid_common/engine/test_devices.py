"""Which GPU a process takes, on machines with GPUs that are pretended."""

from pathlib import Path

import pytest
import torch

from vreid_common.config import get_vreid_cfg
from vreid_common.devices import check_gpus, choose_gpu
from vreid_common.engine import launch
from vreid_common.engine.main import main
from vreid_common.engine.placement import place_on_device
from vreid_common.errors import InputError
from vreid_common.evaluation.commands import inputs


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The GPUs that were made torch's current one, on a machine with two."""
    found: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", found.append)
    return found


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is torchrun's second of two on one machine."""
    variables = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(inputs.torch, "empty", lambda _size, device: type("Empty", (), {"device": torch.device(device)}))


def placed(device: str, starts: int = 1) -> str:
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE = device
    place_on_device(cfg, starts)
    return cfg.MODEL.DEVICE


def test_a_process_on_one_gpu_by_its_number_makes_it_the_current_one(chosen: list[int]):
    assert placed("cuda:1") == "cuda:1"
    assert chosen == [1]
    assert placed("cuda") == "cuda"
    assert chosen == [1]


def test_a_gpu_that_is_not_there_is_refused(chosen: list[int]):
    with pytest.raises(InputError, match="MODEL.DEVICE is cuda:2, but this machine's GPUs are cuda:0 to cuda:1."):
        placed("cuda:2")
    assert not chosen


def test_several_processes_share_no_gpu(chosen: list[int]):
    with pytest.raises(InputError, match="MODEL.DEVICE is cuda:1, for 2 processes: use cuda"):
        placed("cuda:1", starts=2)
    assert choose_gpu("cuda", "MODEL.DEVICE", processes=2, local_rank=1) == "cuda:1"
    assert chosen == [1]
    assert placed("cuda", starts=2) == "cuda"  # the launcher itself computes nothing
    assert chosen == [1]


def test_main_refuses_to_share_a_gpu_before_it_starts_anything(
    chosen: list[int], config_file: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as end:
        main(argv=["--num-gpus", "2", "--config-file", str(config_file), "MODEL.DEVICE", "cuda:1"])
    assert end.value.code == 2
    assert "MODEL.DEVICE is cuda:1, for 2 processes" in capsys.readouterr().err


def test_more_processes_than_gpus_are_refused(chosen: list[int], second_of_two: None, monkeypatch: pytest.MonkeyPatch):
    check_gpus(2, "--num-gpus")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(InputError, match="--nproc-per-node 3, but this machine has 2 GPUs: each process needs one of its own."):
        launch(pytest.fail, 1, device="cuda")
    with pytest.raises(InputError, match="--nproc-per-node 3, but this machine has 2 GPUs"):
        inputs.read_device("cuda")
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match="--num-gpus 3, but this machine has 2 GPUs"):
        launch(pytest.fail, 3, device="cuda")


def test_commands_under_torchrun_take_a_gpu_each(chosen: list[int], second_of_two: None):
    assert inputs.read_device("cuda") == torch.device("cuda:1")
    assert chosen == [1]
    with pytest.raises(InputError, match="--device is cuda:0, for 2 processes"):
        inputs.read_device("cuda:0")
    assert inputs.read_device("cpu") == torch.device("cpu")
