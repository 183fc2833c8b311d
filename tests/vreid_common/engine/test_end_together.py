"""Processes that belong together end together, with one sentence, however one of them ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vreid_common.lifetime import ended_with_us

MAIN = "from vreid_common.engine import main\nif __name__ == '__main__':\n    main()\n"

# What torchrun starts, forked from one interpreter that has imported everything: two processes, and the end of each.
FORKED = """
import os, signal, sys, time
import torch, torch.distributed as dist
from fastreid.utils import comm
from vreid_common.engine.launch import end_together, launch
from vreid_common.engine.peers import Timeouts
from vreid_common.features.gather import exchange

def work(what):
    dist.all_reduce(torch.zeros(1))
    if what == "long work of the main process":
        time.sleep(4 * comm.is_main_process())
        return exchange(None)
    if comm.get_rank() == 1 and what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if comm.get_rank() == 1 and what == "hangs":
        time.sleep(600)
    dist.all_reduce(torch.zeros(1))

def run(rank, what):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
    launch(end_together, 1, args=(work, what), timeouts=Timeouts(60, 2))

for port, what in enumerate(sys.argv[2:], start=int(sys.argv[1])):
    os.environ["MASTER_PORT"] = str(port)
    pids = []
    for rank in range(2):
        pids.append(os.fork())
        if pids[-1] == 0:
            try:
                run(rank, what)
            except BaseException as error:
                print("raised", error, file=sys.stderr)
                os._exit(9)
            os._exit(0)
    first = os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1])
    if what == "hangs":
        os.kill(pids[1], signal.SIGKILL)
    print(what, first, os.waitstatus_to_exitcode(os.waitpid(pids[1], 0)[1]), file=sys.stderr, flush=True)
"""


def test_what_a_process_says_of_others_that_are_gone_or_hang(tmp_path: Path):
    """Under torchrun, which only ends them; and the main process may work by itself for longer than a step may take."""
    script = tmp_path / "run.py"
    script.write_text(FORKED)
    cases = ["killed", "hangs", "long work of the main process"]
    done = subprocess.run(
        [sys.executable, script, "29751", *cases], capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path
    )
    gone, killed, late, hung, well = done.stderr.strip().splitlines()
    assert gone.startswith("error: Another process of the run is gone (")
    assert killed == "killed 1 -9"
    assert late.startswith(
        "error: The processes of the run did not come to the same step within 2 s (DISTRIBUTED.STEP_TIMEOUT): "
        "process 1 of 2 (pid "
    )
    assert late.endswith(") did not come.")
    assert hung == "hangs 1 -9"
    assert well == "long work of the main process 0 0"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("victim", ["launcher", "worker"])
def test_nothing_is_left_of_a_training_ten_seconds_after_a_kill(victim: str, config_file: Path, tmp_path: Path):
    script = tmp_path / "train_net.py"
    script.write_text(MAIN)
    endless = ["SOLVER.MAX_EPOCH", "9999", "SOLVER.STEPS", "[]", "DATALOADER.NUM_WORKERS", "1"]
    command = [sys.executable, script, "--num-gpus", "2", "--config-file", config_file, *endless]
    log = tmp_path / "printed.txt"
    with log.open("w") as printed:
        run = subprocess.Popen(
            command,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=ended_with_us(signal.SIGKILL),  # the training is endless
        )
    try:
        wait_until((tmp_path / "out" / "last_checkpoint").exists, 240)
        workers = [pid for pid, parent in processes_of(run.pid).items() if parent == run.pid and b"fork" in command_line(pid)]
        assert len(workers) == 2
        assert len(processes_of(run.pid)) >= 5  # each worker has a loader's worker
        os.kill(run.pid if victim == "launcher" else workers[1], signal.SIGKILL)
        wait_until(lambda: not set(processes_of(run.pid)) - {run.pid}, 10)
        assert run.wait(10) == (-signal.SIGKILL if victim == "launcher" else 1)
    finally:
        for pid in processes_of(run.pid):
            os.kill(pid, signal.SIGKILL)
        run.wait()
    said = log.read_text()
    assert "Traceback" not in said
    assert "stopping" not in said
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if victim == "launcher":
        assert not errors
    else:
        assert len(errors) == 1
        assert f"of 2 (pid {workers[1]}) was ended by SIGKILL" in errors[0]
        last = (tmp_path / "out" / "last_checkpoint").read_text()
        assert f"The last checkpoint is {tmp_path / 'out' / last}: the same command with --resume goes on" in errors[0]


def processes_of(session: int) -> dict[int, int]:
    """Parents of the living processes of a session by their ids."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, sid = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended meanwhile
            continue
        if int(sid) == session and state not in "ZX":
            found[int(path.parent.name)] = int(parent)
    return found


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def wait_until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
