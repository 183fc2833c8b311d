"""Whatever ends a program: one sentence, its status, and a traceback only where it is asked for or kept in a file."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import vreid_common
from vreid_common import cli
from vreid_common.errors import InputError, RunError
from vreid_common.files import WriteError
from vreid_common.guard import DEBUG_VARIABLE, guard, keep_traceback_in

# The guard without the package, whose import takes longer than all else.
ALONE = f"""
import sys, types
package = types.ModuleType("vreid_common")
package.__path__ = [{str(Path(vreid_common.__file__).parent)!r}]
sys.modules["vreid_common"] = package
from vreid_common import guard
"""


def ended(error: BaseException, capsys: pytest.CaptureFixture) -> tuple[int, str]:
    """Status and stderr of a program that raises ``error``."""
    with pytest.raises(SystemExit) as stopped, guard():
        raise error
    return stopped.value.code, capsys.readouterr().err


def too_large() -> MemoryError:
    try:
        np.empty(1 << 60, np.uint8)
    except MemoryError as error:
        return error
    raise AssertionError


def too_large_for_torch() -> RuntimeError:
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    except RuntimeError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("a.csv has no rows."), 2, r"a\.csv has no rows\."),
        (RunError("A process has ended."), 1, r"A process has ended\."),
        (FloatingPointError("loss became nan: lower SOLVER.BASE_LR."), 1, r"loss became nan: lower SOLVER\.BASE_LR\."),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "gone.jpg"),
            1,
            r"gone\.jpg: no such file or directory\.",
        ),
        (PermissionError(errno.EACCES, "Permission denied", b"/k"), 1, "/k: permission denied."),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/log"),
            1,
            r"out/log: no room is left on the disk \(.*B are free\)\.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            r"A file cannot be .*: no room is left on the disk \(.*B are free\)\.",
        ),
        (OSError(errno.EMFILE, "Too many open files"), 1, r"A file cannot be .*: too many open files\."),
        (WriteError(errno.EROFS, "it is read-only", "m.pth"), 1, r"m\.pth cannot be written: it is read-only\."),
        (MemoryError(), 1, r"The memory of the machine is not enough: use smaller batches .*"),
        (
            too_large(),
            1,
            r"The memory of the machine is not enough \(Unable to allocate 1\.00 EiB .*\): use smaller batches .*",
        ),
        (too_large_for_torch(), 1, r"The memory of the machine is not enough \(.*\): use smaller batches .*"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB."), 1, r"The memory of the GPU is not enough \(CUDA out .*"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
            1,
            r"A process that read images has .*\(pid 7\).*",
        ),
    ],
    ids=str,
)
def test_what_can_be_expected_is_one_sentence(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    code, text = ended(error, capsys)
    assert code == status
    assert re.fullmatch(f"error: {said}\n", text), text


def test_an_interruption_says_nothing(capsys: pytest.CaptureFixture):
    assert ended(KeyboardInterrupt(), capsys) == (130, "")


def test_notes_belong_to_the_sentence(capsys: pytest.CaptureFixture):
    error = FloatingPointError("loss became nan.")
    error.add_note("The last checkpoint is model_0003.pth.")
    assert ended(error, capsys) == (1, "error: loss became nan. The last checkpoint is model_0003.pth.\n")


@pytest.mark.parametrize("named", [True, False])
def test_the_traceback_of_the_unexpected_is_kept(
    named: bool, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    keep_traceback_in(tmp_path / "out" / "traceback.txt" if named else None)
    (tmp_path / "out").mkdir()
    try:
        code, text = ended(KeyError("camera"), capsys)
    finally:
        keep_traceback_in(None)
    found = re.fullmatch(r"error: Unexpected KeyError: 'camera'\. The traceback is in (.*), and --debug prints it\.\n", text)
    assert code == 1
    assert found, text
    path = Path(found[1])
    assert path.parent == (tmp_path / "out" if named else tmp_path)
    assert "Traceback (most recent call last)" in path.read_text()
    assert path.read_text().endswith("KeyError: 'camera'\n")


@pytest.mark.parametrize("error", [KeyError("camera"), InputError("a.csv has no rows.")])
def test_debug_prints_the_traceback_and_then_the_sentence(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(DEBUG_VARIABLE, "")  # taken back after the test

    def fail(_args: object) -> int:
        raise error

    monkeypatch.setattr(cli, "COMMANDS", [command._replace(run=fail) for command in cli.COMMANDS if command.name == "render"])
    with pytest.raises(SystemExit):
        cli.main(["render", str(tmp_path / "r"), "--debug"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("error: ")
    assert "traceback" not in lines[-1]


def test_a_reader_that_has_gone_ends_a_command_quietly():
    program = f"{ALONE}\nwith guard.guard():\n    for number in range(100_000):\n        print('line', number)\n"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "line 0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.parametrize(("name", "quiet"), [("train_net.py", True), ("mine.py", False)])
def test_ctrl_c_while_a_program_imports(name: str, quiet: bool, tmp_path: Path):
    (tmp_path / "torch.py").write_text("raise KeyboardInterrupt\n")  # found before the real one
    (tmp_path / name).write_text("import vreid_common\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == -2  # which a shell shows as 130
    assert (done.stderr == "") == quiet
