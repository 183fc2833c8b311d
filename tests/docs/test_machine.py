"""Generated pages are the same on every machine: they show no core count, folder, user, time zone or terminal width."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_SCRIPT = """
import json, os, sys
os.cpu_count = lambda: 61
os.sched_getaffinity = lambda _pid: set(range(61))
sys.path.insert(0, "docs")
import make_commands, make_configuration
json.dump([make_commands.make_page(), make_configuration.make_page()], sys.stdout)
"""


def test_pages_do_not_depend_on_the_machine(make_commands, make_configuration, tmp_path):
    elsewhere = {
        "COLUMNS": "40",
        "FASTREID_DATASETS": str(tmp_path / "data"),
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "61",
        "TZ": "Asia/Kathmandu",
        "USER": "somebody",
    }
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | elsewhere, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [make_commands.make_page(), make_configuration.make_page()]
