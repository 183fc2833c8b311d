"""Starting and stopping child processes, with functions that do nothing else."""

import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from vreid_common.engine import launch
from vreid_common.errors import InputError

# A run in small: it waits for the signal, takes a while to save, and leaves as an interrupted training does.
RUN = """
import os, pathlib, time
import torch
from fastreid.utils import comm
from vreid_common.engine.interrupt import listen_for_interrupts
from vreid_common.engine.launch import launch

def run():
    with listen_for_interrupts() as stop:
        pathlib.Path(f"ready{comm.get_rank()}").touch()
        while not stop.agreed(torch.device("cpu")):
            time.sleep(0.05)
        time.sleep(0.5)
        pathlib.Path(f"saved{comm.get_rank()}").touch()
        comm.synchronize()
    raise SystemExit(130)

if __name__ == "__main__":
    launch(run, 2)
"""


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0,), "--num-gpus is 0"),
        ((-1,), "--num-gpus is -1"),
        ((1, 0), "--num-machines is 0"),
        ((1, 2, 2), "--machine-rank is 2"),
        ((1, 1, -1), "--machine-rank is -1"),
        ((99,), "--num-gpus is 99, but this machine has 2 cores"),
        ((1, 1, 0, "foo://host:1"), "--dist-url is 'foo://host:1': use tcp://HOST:PORT"),
        ((1, 2), "--num-machines needs --dist-url"),
    ],
)
def test_arguments_that_start_nothing_are_refused(numbers: tuple[int, ...], said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(import_module("vreid_common.engine.launch"), "available_cores", lambda: 2)
    with pytest.raises(InputError, match=said):
        launch(pytest.fail, *numbers)


@pytest.mark.parametrize(("number", "whole_group"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
def test_a_signal_lets_every_process_save_whoever_gets_it(number: signal.Signals, whole_group: bool, tmp_path: Path):
    script = tmp_path / "run.py"
    script.write_text(RUN)
    with subprocess.Popen([sys.executable, script], cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True) as run:
        try:
            _wait_for(tmp_path / "ready0", tmp_path / "ready1")
            (os.killpg if whole_group else os.kill)(run.pid, number)
            _, error = run.communicate(timeout=60)
        finally:
            run.kill()
    assert run.returncode == 128 + number, error.decode()
    assert (tmp_path / "saved0").exists()
    assert (tmp_path / "saved1").exists()
    assert b"Traceback" not in error


def _wait_for(*paths: Path) -> None:
    for _ in range(4800):  # four minutes, for a machine as busy as can be
        if all(path.exists() for path in paths):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{paths} did not appear")
