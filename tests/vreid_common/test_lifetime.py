"""Child processes that end with the process that started them. The module alone is loaded: a process takes no time to start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vreid_common import lifetime

START = f"""
import importlib.util, multiprocessing, os, pathlib, signal, subprocess, sys, threading, time
spec = importlib.util.spec_from_file_location("lifetime", {lifetime.__file__!r})
lifetime = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lifetime)

def sleep(bind):
    bind()
    path = pathlib.Path("pid")
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").rename(path)
    time.sleep(600)
"""

FORKED = """
multiprocessing.get_context("fork").Process(target=sleep, args=(lifetime.end_with_parent,)).start()
time.sleep(600)
"""

WATCHED = "lifetime._LIBC, lifetime._POLL_SECONDS = None, 0.1" + FORKED

# The kernel would kill it as soon as the thread ends.
BY_A_THREAD = """
process = multiprocessing.get_context("fork").Process(target=sleep, args=(lifetime.end_with_parent,))
lifetime._POLL_SECONDS = 0.1
thread = threading.Thread(target=process.start)
thread.start()
thread.join()
time.sleep(0.5)
assert process.is_alive()
time.sleep(600)
"""

TORCHRUN = """
if os.fork() == 0:
    os.environ["TORCHELASTIC_RUN_ID"] = "none"
    sleep(lifetime.end_with_torchrun)
time.sleep(600)
"""

PROGRAM = """
code = "import os, pathlib, time; pathlib.Path('new').write_text(str(os.getpid())); os.rename('new', 'pid'); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True, preexec_fn=lifetime.ended_with_us(signal.SIGTERM))
time.sleep(600)
"""


@pytest.mark.parametrize("code", [FORKED, WATCHED, BY_A_THREAD, TORCHRUN, PROGRAM])
def test_a_child_ends_when_its_parent_is_killed(code: str, tmp_path: Path):
    pid = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", START + code], cwd=tmp_path) as parent:
        wait_until(pid.exists)
        time.sleep(0.7)
        child = int(pid.read_text())
        assert is_running(child)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(child))


def test_a_child_whose_parent_was_gone_before_it_looked_ends_at_once(tmp_path: Path):
    late = """
def bind():
    parent = os.getppid()
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    lifetime.end_with_parent()
    pathlib.Path("alive").touch()

multiprocessing.get_context("fork").Process(target=bind).start()
time.sleep(600)
"""
    subprocess.run([sys.executable, "-c", START + late], cwd=tmp_path, check=False, timeout=60)
    time.sleep(0.5)
    assert not (tmp_path / "alive").exists()


def test_a_process_that_nobody_has_started_goes_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lifetime, "_follow", pytest.fail)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    lifetime.end_with_parent()
    lifetime.end_with_torchrun()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_until(done: object) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
