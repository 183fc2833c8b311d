"""A sentence that all processes would say is said once."""

import subprocess
import sys
import time

import pytest

from vreid_common import errors
from vreid_common.errors import InputError, print_error


@pytest.mark.parametrize(("rank", "place", "seconds"), [(None, None, 0), ("0", None, 0), ("3", None, 3), ("3", 1, 1)])
def test_a_process_waits_for_those_before_it(monkeypatch, capsys, rank, place, seconds):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    print_error(InputError("vehicles.csv has no rows."), place)
    assert waited == [seconds]
    assert capsys.readouterr().err == "error: vehicles.csv has no rows.\n"


def test_torchrun_s_processes_say_it_once(tmp_path):
    script = tmp_path / "fails.py"
    # Without the package, whose import takes longer than all else; ten times the waiting, for a machine as busy as can be.
    script.write_text(
        f"import runpy, time\nerrors, sleep = runpy.run_path({errors.__file__!r}), time.sleep\n"
        "time.sleep = lambda seconds: sleep(10 * seconds)\n"
        "errors['print_error'](errors['InputError']('vehicles.csv has no rows.'))\nraise SystemExit(2)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode != 0
    assert done.stderr.count("error: vehicles.csv has no rows.") == 1, done.stderr
